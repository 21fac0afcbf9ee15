//! Functions to be minimised, in `f64`: value, gradient, and residuals if they are sums of squares.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a file of golden/solvers.
pub(super) fn recorded<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/solvers").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A function to be minimised.
pub(super) enum Problem {
    /// Σ 100 (x_{i+1} − x_i²)² + (1 − x_i)²
    Rosenbrock(usize),
    /// xᵀ A x / 2 − bᵀ x
    Quadratic(Quadratic),
    /// a exp(−b x) + c fitted to points.
    Exponential(Exponential),
    /// 100 Σ (x − ln x), which is NaN below zero, one long step away.
    Barrier(usize),
    /// A network trained on a few samples.
    Network(Network),
}

#[derive(Deserialize)]
pub(super) struct Quadratic {
    matrix: Vec<f64>,
    vector: Vec<f64>,
    start: Vec<f64>,
}

#[derive(Deserialize)]
pub(super) struct Exponential {
    x: Vec<f64>,
    y: Vec<f64>,
    start: Vec<f64>,
}

#[derive(Deserialize)]
pub(super) struct Network {
    widths: Vec<usize>,
    activation: String,
    inputs: Vec<f64>,
    #[serde(default)]
    classes: Vec<usize>,
    #[serde(default)]
    targets: Vec<f64>,
    parameters: Vec<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    values: Vec<f64>,
}

impl Problem {
    /// Returns the problem of this name in golden/solvers, and its starting point.
    pub(super) fn named(name: &str) -> (Self, Vec<f64>) {
        if let Some(len) = name.strip_prefix("rosenbrock-") {
            let len = len.parse().unwrap();
            return (Self::Rosenbrock(len), [-1.2, 1.0].repeat(len / 2));
        }
        let file = format!("problems/{name}.json");
        match name {
            "quadratic" => {
                let quadratic: Quadratic = recorded(&file);
                let start = quadratic.start.clone();
                (Self::Quadratic(quadratic), start)
            }
            "exponential" => {
                let fit: Exponential = recorded(&file);
                let start = fit.start.clone();
                (Self::Exponential(fit), start)
            }
            _ => {
                let network: Network = recorded(&file);
                let start = network.parameters.iter().flat_map(|tensor| tensor.values.clone()).collect();
                (Self::Network(network), start)
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Rosenbrock(len) | Self::Barrier(len) => *len,
            Self::Quadratic(quadratic) => quadratic.start.len(),
            Self::Exponential(fit) => fit.start.len(),
            Self::Network(network) => network.parameters.iter().map(|tensor| tensor.values.len()).sum(),
        }
    }

    /// Returns value and gradient.
    pub(super) fn look(&self, x: &[f64]) -> (f64, Vec<f64>) {
        match self {
            Self::Quadratic(quadratic) => quadratic.look(x),
            Self::Network(network) => network.look(x),
            Self::Barrier(_) => {
                let value = x.iter().map(|x| 100.0 * (x - x.ln())).sum();
                (value, x.iter().map(|x| 100.0 * (1.0 - 1.0 / x)).collect())
            }
            Self::Rosenbrock(_) => half_squares(&self.residuals(x), 2.0, x.len()),
            Self::Exponential(_) => half_squares(&self.residuals(x), 1.0, x.len()),
        }
    }

    /// Returns residuals and their gradients.
    pub(super) fn residuals(&self, x: &[f64]) -> Vec<(f64, Vec<f64>)> {
        let sparse = |at: &[(usize, f64)]| {
            let mut gradient = vec![0.0; x.len()];
            at.iter().for_each(|&(i, slope)| gradient[i] = slope);
            gradient
        };
        match self {
            Self::Rosenbrock(len) => (0..len - 1)
                .flat_map(|i| {
                    let valley = 10.0 * (x[i + 1] - x[i] * x[i]);
                    let valley = (valley, sparse(&[(i, -20.0 * x[i]), (i + 1, 10.0)]));
                    [valley, (1.0 - x[i], sparse(&[(i, -1.0)]))]
                })
                .collect(),
            Self::Exponential(fit) => {
                let points = fit.x.iter().zip(&fit.y);
                let residual = |(t, y): (&f64, &f64)| {
                    let decay = (-x[1] * t).exp();
                    (x[0] * decay + x[2] - y, vec![decay, -x[0] * t * decay, 1.0])
                };
                points.map(residual).collect()
            }
            Self::Quadratic(_) | Self::Barrier(_) | Self::Network(_) => {
                panic!("not given as a sum of squares")
            }
        }
    }
}

/// scale / 2 · Σ r², and its gradient.
fn half_squares(residuals: &[(f64, Vec<f64>)], scale: f64, len: usize) -> (f64, Vec<f64>) {
    let mut gradient = vec![0.0; len];
    for (r, slopes) in residuals {
        gradient.iter_mut().zip(slopes).for_each(|(to, slope)| *to += scale * r * slope);
    }
    (residuals.iter().map(|(r, _)| r * r).sum::<f64>() * scale / 2.0, gradient)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Quadratic {
    fn look(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let product: Vec<f64> = self.matrix.chunks_exact(x.len()).map(|row| dot(row, x)).collect();
        let gradient = product.iter().zip(&self.vector).map(|(p, b)| p - b).collect();
        (dot(x, &product) / 2.0 - dot(&self.vector, x), gradient)
    }
}

impl Network {
    fn look(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (inputs, outputs) = (self.widths[0], self.widths[2]);
        let (mut value, mut gradient) = (0.0, vec![0.0; x.len()]);
        let samples = self.inputs.len() / inputs;
        for sample in 0..samples {
            let input = &self.inputs[sample * inputs..][..inputs];
            let loss = |z: &[f64]| match self.classes.get(sample) {
                Some(&class) => cross_entropy(z, class),
                None => squared(z, &self.targets[sample * outputs..][..outputs]),
            };
            value += self.add_sample(x, input, loss, &mut gradient);
        }
        gradient.iter_mut().for_each(|slope| *slope /= samples as f64);
        (value / samples as f64, gradient)
    }

    /// Adds a sample's gradient and returns its loss.
    fn add_sample(
        &self,
        x: &[f64],
        input: &[f64],
        loss: impl Fn(&[f64]) -> (f64, Vec<f64>),
        gradient: &mut [f64],
    ) -> f64 {
        let [inputs, hidden, outputs] = [self.widths[0], self.widths[1], self.widths[2]];
        let ends = [hidden * inputs, hidden * (inputs + 1), hidden * (inputs + 1) + outputs * hidden];
        let linear = |w: &[f64], b: &[f64], x: &[f64]| -> Vec<f64> {
            w.chunks_exact(x.len()).zip(b).map(|(row, b)| dot(row, x) + b).collect()
        };
        let before = linear(&x[..ends[0]], &x[ends[0]..ends[1]], input);
        let relu = self.activation == "relu";
        let after: Vec<f64> = before.iter().map(|&z| if relu { z.max(0.0) } else { z.tanh() }).collect();
        let top = &x[ends[1]..ends[2]];
        let (value, delta) = loss(&linear(top, &x[ends[2]..], &after));
        for (o, d) in delta.iter().enumerate() {
            (0..hidden).for_each(|h| gradient[ends[1] + o * hidden + h] += d * after[h]);
            gradient[ends[2] + o] += d;
        }
        for h in 0..hidden {
            let slope = if relu { f64::from(before[h] > 0.0) } else { 1.0 - after[h] * after[h] };
            let below: f64 =
                delta.iter().enumerate().map(|(o, d)| d * top[o * hidden + h]).sum::<f64>() * slope;
            (0..inputs).for_each(|i| gradient[h * inputs + i] += below * input[i]);
            gradient[ends[0] + h] += below;
        }
        value
    }
}

fn cross_entropy(z: &[f64], class: usize) -> (f64, Vec<f64>) {
    let sum: f64 = z.iter().map(|z| z.exp()).sum();
    let delta = z.iter().enumerate().map(|(k, z)| z.exp() / sum - f64::from(u8::from(k == class)));
    (sum.ln() - z[class], delta.collect())
}

fn squared(z: &[f64], y: &[f64]) -> (f64, Vec<f64>) {
    let errors: Vec<f64> = z.iter().zip(y).map(|(z, y)| z - y).collect();
    let share = 1.0 / z.len() as f64;
    (dot(&errors, &errors) * share, errors.iter().map(|error| 2.0 * error * share).collect())
}
