//! The way of some samples through a stage that is no linear layer, and back.

use super::layer::{BatchNorm, Layer};
use super::layout::Layout;
use super::{Stage, StageKind};
use schuss_data::random::{Key, Purpose};
use schuss_kernels::activation::{self, Activation, Slopes};
use schuss_kernels::dropout::dropout;
use schuss_kernels::log_softmax::{log_softmax, log_softmax_gradient};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums, linear};
use schuss_kernels::normalize::{
    Moments, batch_norm_gradient, column_moments, gain_gradient, layer_norm_gradient, normalize, row_moments,
    scales,
};
use schuss_kernels::{Team, padded};
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
    /// Whether running statistics become the plain mean over the epoch's groups so far, not a decaying one.
    pub(crate) plain_means: bool,
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
    pub(crate) fn forward(
        &self,
        pass: &mut Pass,
        values: &mut [f32],
        x: Matrix,
        y: MatrixMut,
        mode: Option<&Mode>,
    ) {
        let team = &mut *pass.team;
        match (&self.kind, mode) {
            (StageKind::Dense(dense), _) => {
                let w = Matrix::new(&values[dense.weight.clone()], dense.inputs, dense.outputs);
                linear(team, x, w, &values[dense.bias.clone()], dense.relu, y);
            }
            (StageKind::Activation(layer), _) => visit(layer, Forward { team, x, y }),
            (StageKind::Prelu, _) => {
                let [slopes] = self.own(pass.layout);
                activation::prelu(team, Slopes::PerUnit(&values[slopes]), x, y);
            }
            (StageKind::Dropout(dropout), Some(mode)) => {
                drop_out(team, dropout.p, self.layer, mode, x, y);
            }
            (StageKind::BatchNorm(norm, running), Some(mode)) => {
                batch_norm(pass, (norm, *running), self.own(pass.layout), values, (x, y), mode);
            }
            (StageKind::BatchNorm(norm, running), None) => {
                let [gain, bias] = self.own(pass.layout);
                let [mean, variance] = [0, 1].map(|i| pass.layout.entries()[running + i].range());
                let scale = &mut pass.scratch[..mean.len()];
                scales(&values[variance], norm.eps, scale);
                let moments = Moments::PerColumn { mean: &values[mean], scale };
                normalize(team, x, moments, &values[gain], &values[bias], y);
            }
            (StageKind::LayerNorm(norm), _) => {
                let [gain, bias] = self.own(pass.layout);
                let (mean, scale) = pass.scratch.split_at_mut(x.shape().0);
                row_moments(team, x, norm.eps, mean, scale);
                normalize(team, x, Moments::PerRow { mean, scale }, &values[gain], &values[bias], y);
            }
            (StageKind::LogSoftmax, _) => log_softmax(team, x, y),
            (StageKind::Dropout(_), None) | (StageKind::Activity(_), _) => {
                activation::activate(team, activation::Identity, x, y);
            }
        }
    }

    /// From `dy` at its outputs to `dx` at its inputs, and the gradient of its vectors, summed from zero or on.
    pub(crate) fn backward(
        &self,
        pass: &mut Pass,
        [x, y, dy]: [Matrix; 3],
        dx: MatrixMut,
        values: &[f32],
        (sums, start): (&mut [f32], Start),
        mode: &Mode,
    ) {
        let team = &mut *pass.team;
        match &self.kind {
            StageKind::Dense(_) => {}
            StageKind::Activation(layer) => visit(layer, Backward { team, x, y, dy, dx }),
            StageKind::Prelu => {
                let [slopes] = self.own(pass.layout);
                activation::prelu_gradient(team, Slopes::PerUnit(&values[slopes]), x, dy, dx);
                activation::prelu_slope_gradients(team, x, dy, start, sums);
            }
            StageKind::Dropout(dropout) => drop_out(team, dropout.p, self.layer, mode, dy, dx),
            StageKind::BatchNorm(norm, _) => {
                let [gain, _] = self.own(pass.layout);
                batch_norm_backward(pass, norm, &values[gain], [x, dy], dx, (sums, start), mode.stats);
            }
            StageKind::LayerNorm(norm) => {
                let [gain, _] = self.own(pass.layout);
                let (mean, scale) = pass.scratch.split_at_mut(x.shape().0);
                row_moments(team, x, norm.eps, mean, scale);
                let moments = Moments::PerRow { mean, scale };
                let (of_gain, of_bias) = sums.split_at_mut(gain.len());
                gain_gradient(team, x, moments, dy, start, of_gain);
                column_sums(team, dy, start, of_bias);
                layer_norm_gradient(team, x, moments, &values[gain], dy, dx);
            }
            StageKind::LogSoftmax => log_softmax_gradient(team, y, dy, dx),
            StageKind::Activity(activity) => activity.backward(x, dy, dx, mode.stats),
        }
    }

    /// The places of its vectors in the parameters.
    fn own<const N: usize>(&self, layout: &Layout) -> [Range<usize>; N] {
        std::array::from_fn(|i| layout.entries()[self.vectors.start + i].range())
    }
}

/// What a stage works with besides its numbers.
pub(crate) struct Pass<'a> {
    pub(crate) team: &'a mut Team,
    pub(crate) layout: &'a Layout,
    /// Room for moments: two numbers per row, or five per column.
    pub(crate) scratch: &'a mut [f32],
}

/// The groups of `stats` rows that statistics are taken over; the last one takes what is left.
pub(crate) fn groups(rows: usize, stats: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(stats).map(move |first| first..rows.min(first + stats))
}

/// Some rows of a matrix.
fn rows_of<'a>(matrix: Matrix<'a>, rows: &Range<usize>) -> Matrix<'a> {
    let cols = matrix.shape().1;
    Matrix::new(&matrix.data()[rows.start * padded(cols)..], rows.len(), cols)
}

/// The same pass forwards and backwards: the words of an element are drawn for its layer and the position of its sample.
fn drop_out(team: &mut Team, p: f64, layer: usize, mode: &Mode, x: Matrix, y: MatrixMut) {
    let key = Key { seed: mode.seed, purpose: Purpose::Dropout, epoch: mode.epoch };
    let base = (layer as u64) << 40; // positions stay below
    let words = |row: usize, block: usize| key.block(base + (mode.first + row) as u64, block as u32);
    dropout(team, p, words, x, y);
}

/// Normalises every group by its own moments, and mixes these into the running ones; a last group of one sample has no
/// variance to tell.
fn batch_norm(
    pass: &mut Pass,
    (norm, running): (&BatchNorm, usize),
    [gain, bias]: [Range<usize>; 2],
    values: &mut [f32],
    (x, y): (Matrix, MatrixMut),
    mode: &Mode,
) {
    let ((rows, cols), stride, y) = (x.shape(), gain.len(), y.into_data());
    let [running_mean, running_var] = [0, 1].map(|i| pass.layout.entries()[running + i].range());
    for (index, group) in groups(rows, mode.stats).enumerate() {
        let before = mode.first / mode.stats + index;
        let share = if mode.plain_means { 1.0 / (before + 1) as f64 } else { norm.momentum };
        let x = rows_of(x, &group);
        let [mean, variance, scale, ..] = fifths(pass.scratch, stride);
        column_moments(pass.team, x, mean, variance);
        scales(variance, norm.eps, scale);
        let y = MatrixMut::new(&mut y[group.start * stride..], group.len(), cols);
        let moments = Moments::PerColumn { mean, scale };
        normalize(pass.team, x, moments, &values[gain.clone()], &values[bias.clone()], y);
        if group.len() > 1 {
            let unbiased = group.len() as f32 / (group.len() - 1) as f32;
            mix(&mut values[running_mean.clone()], mean, 1.0, share);
            mix(&mut values[running_var.clone()], variance, unbiased, share);
        }
    }
}

/// running ← (1 − share) running + share factor of what a group has.
fn mix(running: &mut [f32], found: &[f32], factor: f32, share: f64) {
    let share = share as f32;
    running
        .iter_mut()
        .zip(found)
        .for_each(|(running, found)| *running += share * (factor * found - *running));
}

fn batch_norm_backward(
    pass: &mut Pass,
    norm: &BatchNorm,
    gain: &[f32],
    [x, dy]: [Matrix; 2],
    dx: MatrixMut,
    (sums, start): (&mut [f32], Start),
    stats: usize,
) {
    let ((rows, cols), stride, dx) = (x.shape(), gain.len(), dx.into_data());
    if start == Start::Fresh {
        sums.fill(0.0);
    }
    for group in groups(rows, stats) {
        let (x, dy) = (rows_of(x, &group), rows_of(dy, &group));
        let [mean, scale, variance, of_gain, of_bias] = fifths(pass.scratch, stride);
        column_moments(pass.team, x, mean, variance);
        scales(variance, norm.eps, scale);
        let moments = Moments::PerColumn { mean, scale };
        gain_gradient(pass.team, x, moments, dy, Start::Fresh, of_gain);
        column_sums(pass.team, dy, Start::Fresh, of_bias);
        let dx = MatrixMut::new(&mut dx[group.start * stride..], group.len(), cols);
        batch_norm_gradient(pass.team, x, moments, gain, [of_bias, of_gain], dy, dx);
        let found = of_gain.iter().chain(&*of_bias);
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
}

/// Five parts of `len` numbers.
fn fifths(scratch: &mut [f32], len: usize) -> [&mut [f32]; 5] {
    let mut parts = scratch.chunks_exact_mut(len);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
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
        Layer::HardTanh(layer) => {
            visitor.visit(activation::HardTanh { min: layer.min_val, max: layer.max_val })
        }
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
