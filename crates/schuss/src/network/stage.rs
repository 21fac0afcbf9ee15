//! The way of some samples through a stage that is no linear layer, and back.

use super::layer::Layer;
use super::layout::Layout;
use super::{Kind, Stage};
use schuss_kernels::Team;
use schuss_kernels::activation::{self, Activation};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, linear};
use std::ops::Range;

/// What the stages of a network in training need to know about the samples of a microbatch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    pub(crate) seed: u64,
    /// From 0.
    pub(crate) epoch: u32,
    /// Position in the epoch of the first sample.
    pub(crate) first: usize,
    /// Samples per group of batch statistics.
    pub(crate) stats: usize,
}

impl Stage {
    /// The entries of its vectors that are trained, and their place in the parameters; a linear layer is none of those.
    pub(crate) fn vectors(&self, layout: &Layout) -> (Range<usize>, Range<usize>) {
        let entries = self.vectors.clone();
        let ends = layout.entries()[entries.clone()].iter().map(super::Entry::range);
        let place = ends.reduce(|all, next| all.start..next.end).unwrap_or(0..0);
        (entries, place)
    }

    /// Y ← this stage's function of X; in training where there is a `mode`.
    pub(crate) fn forward(&self, team: &mut Team, values: &mut [f32], x: Matrix, y: MatrixMut, mode: Option<&Mode>) {
        match &self.kind {
            Kind::Dense(dense) => {
                let w = Matrix::new(&values[dense.weight.clone()], dense.inputs, dense.outputs);
                linear(team, x, w, &values[dense.bias.clone()], dense.relu, y);
            }
            Kind::Activation(layer) => visit(layer, Forward { team, x, y }),
        }
    }

    /// From `dy` at its outputs to `dx` at its inputs, and the gradient of its vectors, summed from zero or on.
    pub(crate) fn backward(
        &self,
        team: &mut Team,
        [x, y, dy]: [Matrix; 3],
        dx: MatrixMut,
        values: &[f32],
        (sums, start): (&mut [f32], Start),
        mode: &Mode,
    ) {
        match &self.kind {
            Kind::Dense(_) => {}
            Kind::Activation(layer) => visit(layer, Backward { team, x, y, dy, dx }),
        }
    }
}

/// Whoever wants to run an activation.
trait Visitor {
    fn visit<F: Activation>(self, f: F);
}

/// Shows the function of an activation layer.
fn visit(layer: &Layer, visitor: impl Visitor) {
    match layer {
        Layer::Relu(_) => visitor.visit(activation::Relu),
        Layer::LeakyRelu(layer) => visitor.visit(activation::LeakyRelu { slope: layer.negative_slope }),
        Layer::Elu(layer) => visitor.visit(activation::Elu::new(layer.alpha)),
        Layer::Selu(_) => visitor.visit(activation::Elu::selu()),
        Layer::Celu(layer) => visitor.visit(activation::Elu::celu(layer.alpha)),
        Layer::Gelu(_) => visitor.visit(activation::Gelu),
        Layer::GeluTanh(_) => visitor.visit(activation::GeluTanh),
        Layer::Silu(_) => visitor.visit(activation::Silu),
        Layer::Mish(_) => visitor.visit(activation::Mish),
        Layer::Softplus(layer) => {
            visitor.visit(activation::Softplus { beta: layer.beta, threshold: layer.threshold });
        }
        Layer::Softsign(_) => visitor.visit(activation::Softsign),
        Layer::Sigmoid(_) => visitor.visit(activation::Sigmoid),
        Layer::LogSigmoid(_) => visitor.visit(activation::LogSigmoid),
        Layer::Tanh(_) => visitor.visit(activation::Tanh),
        Layer::HardTanh(layer) => visitor.visit(activation::HardTanh { min: layer.min_val, max: layer.max_val }),
        Layer::HardSigmoid(_) => visitor.visit(activation::HardSigmoid),
        Layer::HardSwish(_) => visitor.visit(activation::HardSwish),
        Layer::Relu6(_) => visitor.visit(activation::HardTanh { min: 0.0, max: 6.0 }),
        Layer::HardShrink(layer) => visitor.visit(activation::HardShrink { lambda: layer.lambd }),
        Layer::SoftShrink(layer) => visitor.visit(activation::SoftShrink { lambda: layer.lambd }),
        Layer::TanhShrink(_) => visitor.visit(activation::TanhShrink),
        _ => visitor.visit(activation::Identity),
    }
}

/// Y ← f(X).
struct Forward<'a> {
    team: &'a mut Team,
    x: Matrix<'a>,
    y: MatrixMut<'a>,
}

impl Visitor for Forward<'_> {
    fn visit<F: Activation>(self, f: F) {
        activation::activate(self.team, f, self.x, self.y);
    }
}

/// Dˣ ← Dʸ f′(X).
struct Backward<'a> {
    team: &'a mut Team,
    x: Matrix<'a>,
    y: Matrix<'a>,
    dy: Matrix<'a>,
    dx: MatrixMut<'a>,
}

impl Visitor for Backward<'_> {
    fn visit<F: Activation>(self, f: F) {
        activation::activation_gradient(self.team, f, self.x, self.y, self.dy, self.dx);
    }
}
