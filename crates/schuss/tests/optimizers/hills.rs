//! Two test functions that the f64 reference minimises.

use schuss::optim::{Method, Reference};

/// Function to minimise.
pub(crate) struct Hill {
    /// Network with as many parameters as the function has arguments.
    model: &'static str,
    start: &'static [f64],
    /// Value and gradient.
    look: fn(&[f64]) -> (f64, Vec<f64>),
}

/// Quadratic in 10 dimensions, curvatures from 1 to 100, no principal axis along a coordinate.
pub(crate) const BOWL: Hill = Hill { model: "9-1", start: &[1.0; 10], look: bowl };

/// Rosenbrock's valley, from its usual start.
pub(crate) const ROSENBROCK: Hill = Hill { model: "1-1", start: &[-1.2, 1.0], look: rosenbrock };

impl Hill {
    /// Value at the method's evaluation weights after `updates` updates, as a fraction of the initial value.
    pub(crate) fn descend(&self, method: &Method, updates: usize) -> f64 {
        let mut weights = self.start.to_vec();
        let mut reference = Reference::of_model(method, &self.model.parse().unwrap(), &weights).unwrap();
        for _ in 0..updates {
            reference.descend(&mut weights, self.look);
        }
        (self.look)(&reference.shown(&weights)).0 / (self.look)(self.start).0
    }
}

/// Computes ½ Σ λᵢ (Hx)ᵢ², H a reflection: no coordinate descends independently.
fn bowl(x: &[f64]) -> (f64, Vec<f64>) {
    let curvature = |i: usize| 100f64.powf(i as f64 / (x.len() - 1) as f64);
    let y = reflected(x);
    let slopes: Vec<f64> = y.iter().enumerate().map(|(i, y)| curvature(i) * y).collect();
    let value = y.iter().zip(&slopes).map(|(y, slope)| y * slope / 2.0).sum();
    (value, reflected(&slopes))
}

/// Reflects x in the plane normal to (1, 2, 3, ...).
fn reflected(x: &[f64]) -> Vec<f64> {
    let normal = |i: usize| (i + 1) as f64;
    let square: f64 = (0..x.len()).map(|i| normal(i) * normal(i)).sum();
    let dot: f64 = x.iter().enumerate().map(|(i, x)| normal(i) * x).sum();
    x.iter().enumerate().map(|(i, x)| x - 2.0 * dot / square * normal(i)).collect()
}

/// Computes 100 (y − x²)² + (1 − x)².
fn rosenbrock(at: &[f64]) -> (f64, Vec<f64>) {
    let (x, y) = (at[0], at[1]);
    let off = y - x * x;
    let value = 100.0 * off * off + (1.0 - x) * (1.0 - x);
    (value, vec![-400.0 * x * off - 2.0 * (1.0 - x), 200.0 * off])
}
