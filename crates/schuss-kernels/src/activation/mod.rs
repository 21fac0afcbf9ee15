//! Activations: element-wise functions, their derivatives, and the passes that apply them to a layer.

mod piecewise;
mod prelu;
mod smooth;

use crate::matrix::{Matrix, MatrixMut};
use crate::passes::{self, Map};
use crate::{Dual, Math, Team, Vector};
pub use piecewise::{HardShrink, HardSigmoid, HardSwish, HardTanh, Identity, LeakyRelu, Relu, SoftShrink};
pub use prelu::{Slopes, prelu, prelu_gradient, prelu_slope_gradient, prelu_slope_gradients};
pub use smooth::{
    Elu, Gelu, GeluTanh, LogSigmoid, Mish, Sigmoid, Silu, Softplus, Softsign, Tanh, TanhShrink,
};

/// Activation function, written once for every kind of lane. Definitions and slopes at kinks match PyTorch.
/// Both methods must be `#[inline(always)]`, so that they are compiled for the instruction set they run on.
pub trait Activation: Copy + Sync {
    /// y = f(x).
    fn value<L: Math>(&self, x: L) -> L;

    /// f′(x), from x and y = f(x).
    fn slope<L: Math>(&self, x: L, y: L) -> L;
}

/// Cost of an activation, in multiply-adds.
const WORK: usize = 16;

/// Y ← f(X), all `[m, n]`.
///
/// # Panics
/// If the shapes differ.
pub fn activate<F: Activation>(team: &mut Team, f: F, x: Matrix, y: MatrixMut) {
    passes::map(team, &Value(f), WORK, [x], y);
}

/// Dˣ ← Dʸ f′(X) with Y = f(X), all `[m, n]`.
///
/// # Panics
/// If the shapes differ.
pub fn activation_gradient<F: Activation>(
    team: &mut Team,
    f: F,
    x: Matrix,
    y: Matrix,
    dy: Matrix,
    dx: MatrixMut,
) {
    passes::map(team, &Slope(f), WORK, [x, y, dy], dx);
}

/// Inputs X, outputs Y = f(X) or their gradients, and their rates of change along a direction of the weights.
#[derive(Clone, Copy, Debug)]
pub struct Moving<'a> {
    /// The numbers.
    pub value: Matrix<'a>,
    /// Their rates of change.
    pub rate: Matrix<'a>,
}

/// Ḋˣ ← Ḋʸ f′(X) + Dʸ ∂f′(X), the rate of change of [`activation_gradient`]'s result; all `[m, n]`.
///
/// # Panics
/// If the shapes differ.
pub fn activation_curvature<F: Activation>(
    team: &mut Team,
    f: F,
    x: Moving,
    y: Moving,
    dy: Moving,
    to: MatrixMut,
) {
    let inputs = [x.value, x.rate, y.value, y.rate, dy.value, dy.rate];
    passes::map(team, &Bend(f), 2 * WORK, inputs, to);
}

struct Value<F>(F);

impl<F: Activation> Map<1> for Value<F> {
    #[inline(always)]
    fn apply<V: Vector>(&self, _row: usize, _col: usize, [x]: [V; 1]) -> V {
        self.0.value(x)
    }
}

struct Slope<F>(F);

impl<F: Activation> Map<3> for Slope<F> {
    #[inline(always)]
    fn apply<V: Vector>(&self, _row: usize, _col: usize, [x, y, dy]: [V; 3]) -> V {
        dy * self.0.slope(x, y)
    }
}

struct Bend<F>(F);

impl<F: Activation> Map<6> for Bend<F> {
    #[inline(always)]
    fn apply<V: Vector>(&self, _row: usize, _col: usize, inputs: [V; 6]) -> V {
        let [x, x_rate, y, y_rate, dy, dy_rate] = inputs;
        let (x, y) = (Dual { value: x, rate: x_rate }, Dual { value: y, rate: y_rate });
        (Dual { value: dy, rate: dy_rate } * self.0.slope(x, y)).rate
    }
}

#[cfg(test)]
mod tests;
