//! Log-probabilities.

use super::bend::{Bend, Tangent};
use super::layers;
use super::operation::{Backward, Forward, Operation};
use schuss_kernels::Math;
use schuss_kernels::log_softmax::{log_softmax, log_softmax_gradient};
use schuss_kernels::padded;

layers! {
    /// y = x − ln Σ exp x over the features of a sample, `torch.nn.LogSoftmax`.
    LogSoftmax = "log-softmax" {}
}

impl Operation for LogSoftmax {
    fn forward(&self, pass: Forward) {
        log_softmax(pass.team, pass.x, pass.y);
    }

    fn backward(&self, pass: Backward) {
        let Some(dx) = pass.dx else { return };
        let (team, _) = pass.gradients.compute();
        log_softmax_gradient(team, pass.y, pass.dy, dx);
    }

    fn has_curvature(&self) -> bool {
        true
    }

    /// ẏ = ẋ − Σ p ẋ with p = exp y
    fn tangent(&self, pass: Tangent) {
        let Some(x_rate) = pass.x_rate else { return };
        let ((rows, cols), to) = (pass.y.shape(), pass.y_rate.into_data());
        for row in 0..rows {
            let (y, x_rate) = (&pass.y.row(row)[..cols], &x_rate.row(row)[..cols]);
            let mean: f64 = y.iter().zip(x_rate).map(|(y, rate)| probability(*y) * f64::from(*rate)).sum();
            let to = to[row * padded(cols)..][..cols].iter_mut();
            to.zip(x_rate).for_each(|(to, rate)| *to = (f64::from(*rate) - mean) as f32);
        }
    }

    /// ḋx = ḋy − p (ẏ Σ dy + Σ ḋy)
    fn bend(&self, pass: Bend) {
        let Some(to) = pass.dx_rate else { return };
        let ((rows, cols), to) = (pass.y.shape(), to.into_data());
        let sum = |row: &[f32]| row.iter().map(|x| f64::from(*x)).sum::<f64>();
        for row in 0..rows {
            let [y, y_rate, dy_rate] =
                [pass.y, pass.y_rate, pass.dy_rate].map(|matrix| &matrix.row(row)[..cols]);
            let (all, all_rate) = (sum(&pass.dy.row(row)[..cols]), sum(dy_rate));
            let (to, pad) = to[row * padded(cols)..][..padded(cols)].split_at_mut(cols);
            pad.fill(0.0);
            for (((to, y), y_rate), dy_rate) in to.iter_mut().zip(y).zip(y_rate).zip(dy_rate) {
                let change = probability(*y) * (f64::from(*y_rate) * all + all_rate);
                *to = (f64::from(*dy_rate) - change) as f32;
            }
        }
    }
}

fn probability(logarithm: f32) -> f64 {
    Math::exp(f64::from(logarithm))
}
