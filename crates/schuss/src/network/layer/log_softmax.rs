//! Log-probabilities.

use super::layers;
use super::operation::{Backward, Forward, Operation};
use schuss_kernels::log_softmax::{log_softmax, log_softmax_gradient};

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
}
