//! A penalty on the magnitude of activations.

use super::layers;
use super::operation::{Backward, Forward, Operation, pass_back};
use crate::spec;
use schuss_kernels::padded;

layers! {
    /// Passes on its input and adds weight Σ |x| (mean over samples) to the objective: a sparse code.
    ActivityL1 = "activity-l1" {
        /// Weight of the penalty.
        weight: f64 = 1e-4,
    } => |layer| spec::non_negative(&[("weight", layer.weight)]);
}

impl Operation for ActivityL1 {
    fn forward(&self, pass: Forward) {
        pass.pass_on();
    }

    /// dX ← dY + the penalty's derivative.
    fn backward(&self, pass: Backward) {
        let Some(dx) = pass.dx else { return };
        let ((rows, cols), dx) = (pass.x.shape(), pass_back(pass.dy, dx));
        let stride = padded(cols);
        for row in 0..rows {
            let dx = dx[row * stride..][..cols].iter_mut();
            dx.zip(pass.x.row(row)).filter(|(_, x)| **x != 0.0).for_each(|(dx, &x)| {
                *dx += self.weight as f32 * x.signum();
            });
        }
    }

    fn is_penalty(&self) -> bool {
        true
    }
}
