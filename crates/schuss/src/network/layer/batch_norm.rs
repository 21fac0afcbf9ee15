//! Normalisation over the samples of a group.

use super::layers;
use super::operation::{Backward, Forward, Needs, Operation, Tensor, Weights, gain_and_bias};
use crate::network::layout::Role;
use crate::spec::{self, normal};
use schuss_data::Shape;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums};
use schuss_kernels::normalize::{
    BatchGradients, Moments, batch_norm_gradient, column_moments, gain_gradient, normalize, scales,
};
use schuss_kernels::{Team, padded};
use std::ops::Range;

layers! {
    /// y = (x − mean) / √(variance + ε) γ + β over the samples of a group; evaluation uses running mean and variance.
    /// `torch.nn.BatchNorm1d`. Ioffe and Szegedy, ICML 2015 (arXiv 1502.03167).
    BatchNorm = "batch-norm" {
        /// ε
        eps: f64 = 1e-5,
        /// Weight of each group in the running statistics.
        momentum: f64 = 0.1,
    } => |layer| {
        normal(&[("eps", layer.eps)])?;
        spec::non_negative(&[("momentum", layer.momentum)])
    };
}

impl Operation for BatchNorm {
    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let running = |suffix, first| Tensor::per_feature(suffix, Role::Buffer, input, first);
        let mut tensors = gain_and_bias(input);
        tensors.extend([running("running_mean", 0.0), running("running_var", 1.0)]);
        tensors
    }

    fn forward(&self, pass: Forward) {
        match pass.weights {
            Weights::Training(..) => self.normalize_groups(pass),
            Weights::Frozen(_) => self.normalize_by_running_statistics(pass),
        }
    }

    fn backward(&self, pass: Backward) {
        let [gain] = pass.places();
        let Backward { x, dy, scratch, mode, .. } = pass;
        let mut dx = pass.dx.map(MatrixMut::into_data);
        let stride = gain.len();
        pass.gradients.vectors(&mut |team, values, sums, start| {
            if start == Start::Fresh {
                sums.fill(0.0);
            }
            for group in groups(x.shape().0, mode.stats) {
                let [x, dy] = [x, dy].map(|matrix| rows_of(matrix, &group));
                let (rows, cols) = x.shape();
                let dx =
                    dx.as_deref_mut().map(|dx| MatrixMut::new(&mut dx[group.start * stride..], rows, cols));
                self.group_gradient(team, Group { x, dy, dx }, &values[gain.clone()], scratch, sums);
            }
        });
    }

    /// Mean, variance, scale and two sums per feature.
    fn scratch(&self, input: Shape, _: usize) -> usize {
        5 * padded(input.features())
    }

    fn needs(&self) -> Needs {
        Needs { batch_statistics: true, fewest_samples: 2 }
    }
}

/// Samples that are normalised together, in the backward pass.
struct Group<'a> {
    x: Matrix<'a>,
    dy: Matrix<'a>,
    dx: Option<MatrixMut<'a>>,
}

impl BatchNorm {
    /// Normalises every group by its own moments and updates the running moments; a last group of one sample, whose
    /// variance is undefined, does not update them.
    fn normalize_groups(&self, pass: Forward) {
        let [gain, bias, running_mean, running_var] = pass.places();
        let Forward { team, weights, scratch, x, .. } = pass;
        let Weights::Training(values, mode) = weights else { return };
        let ((rows, cols), stride, y) = (x.shape(), gain.len(), pass.y.into_data());
        for (index, group) in groups(rows, mode.stats).enumerate() {
            let before = mode.first / mode.stats + index;
            let share = if mode.plain_means { 1.0 / (before + 1) as f64 } else { self.momentum };
            let x = rows_of(x, &group);
            let [mean, variance, scale, ..] = fifths(scratch, stride);
            column_moments(team, x, mean, variance);
            scales(variance, self.eps, scale);
            let y = MatrixMut::new(&mut y[group.start * stride..], group.len(), cols);
            let moments = Moments::PerColumn { mean, scale };
            normalize(team, x, moments, &values[gain.clone()], &values[bias.clone()], y);
            if group.len() > 1 {
                let unbiased = group.len() as f32 / (group.len() - 1) as f32;
                mix(&mut values[running_mean.clone()], mean, 1.0, share);
                mix(&mut values[running_var.clone()], variance, unbiased, share);
            }
        }
    }

    fn normalize_by_running_statistics(&self, pass: Forward) {
        let [gain, bias, mean, variance] = pass.places();
        let Forward { team, weights, scratch, x, y, .. } = pass;
        let (values, scale) = (weights.values(), &mut scratch[..mean.len()]);
        scales(&values[variance], self.eps, scale);
        let moments = Moments::PerColumn { mean: &values[mean], scale };
        normalize(team, x, moments, &values[gain], &values[bias], y);
    }

    /// Adds the gradients of γ and β over a group to `sums`, and writes dX of its samples.
    fn group_gradient(
        &self,
        team: &mut Team,
        group: Group,
        gain: &[f32],
        scratch: &mut [f32],
        sums: &mut [f32],
    ) {
        let Group { x, dy, dx } = group;
        let [mean, scale, variance, of_gain, of_bias] = fifths(scratch, gain.len());
        column_moments(team, x, mean, variance);
        scales(variance, self.eps, scale);
        let moments = Moments::PerColumn { mean, scale };
        gain_gradient(team, x, moments, dy, Start::Fresh, of_gain);
        column_sums(team, dy, Start::Fresh, of_bias);
        if let Some(dx) = dx {
            let sums = BatchGradients { gain: of_gain, bias: of_bias };
            batch_norm_gradient(team, x, moments, gain, sums, dy, dx);
        }
        let found = of_gain.iter().chain(&*of_bias);
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
}

/// Groups of `stats` rows for batch statistics; the last one has the remaining rows.
pub(super) fn groups(rows: usize, stats: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(stats).map(move |first| first..rows.min(first + stats))
}

/// Returns some rows of a matrix.
fn rows_of<'a>(matrix: Matrix<'a>, rows: &Range<usize>) -> Matrix<'a> {
    let cols = matrix.shape().1;
    Matrix::new(&matrix.data()[rows.start * padded(cols)..], rows.len(), cols)
}

/// running ← (1 − share) running + share factor found
fn mix(running: &mut [f32], found: &[f32], factor: f32, share: f64) {
    let share = share as f32;
    running
        .iter_mut()
        .zip(found)
        .for_each(|(running, found)| *running += share * (factor * found - *running));
}

/// Splits scratch memory into five parts of `len` numbers.
fn fifths(scratch: &mut [f32], len: usize) -> [&mut [f32]; 5] {
    let mut parts = scratch.chunks_exact_mut(len);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}
