//! A penalty on the mean activity of units.

use super::batch_norm::groups;
use super::layers;
use super::operation::{Backward, Forward, Needs, Operation, pass_back};
use crate::spec::{self, below_one, positive};
use schuss_kernels::padded;

layers! {
    /// Passes on its input, which lies in 0..1, and adds weight Σ KL(ρ ‖ mean x) to the objective, with the mean over a
    /// group of samples. Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    ActivityKl = "activity-kl" {
        /// Target mean activity ρ of every unit.
        rho: f64 = 0.05,
        /// Weight of the penalty.
        weight: f64 = 1.0,
    } => |layer| {
        spec::non_negative(&[("weight", layer.weight)])?;
        positive(&[("rho", layer.rho)])?;
        below_one(&[("rho", layer.rho)])
    };
}

impl Operation for ActivityKl {
    fn forward(&self, pass: Forward) {
        pass.pass_on();
    }

    /// dX ← dY + the penalty's derivative.
    fn backward(&self, pass: Backward) {
        let Some(dx) = pass.dx else { return };
        let ((rows, cols), dx) = (pass.x.shape(), pass_back(pass.dy, dx));
        let stride = padded(cols);
        for group in groups(rows, pass.mode.stats) {
            for col in 0..cols {
                let slope = self.slope(group.clone().map(|row| pass.x.row(row)[col]));
                group.clone().for_each(|row| dx[row * stride + col] += slope);
            }
        }
    }

    fn needs(&self) -> Needs {
        Needs { batch_statistics: true, fewest_samples: 1 }
    }

    fn is_penalty(&self) -> bool {
        true
    }
}

impl ActivityKl {
    /// Returns the derivative of weight KL(ρ ‖ mean) for a unit with these activities, times their number, since sums
    /// over samples are divided by it.
    fn slope(&self, activities: impl ExactSizeIterator<Item = f32>) -> f32 {
        let Self { rho, weight } = *self;
        let count = activities.len() as f64;
        let mean = (activities.map(f64::from).sum::<f64>() / count).clamp(1e-6, 1.0 - 1e-6);
        (weight * ((1.0 - rho) / (1.0 - mean) - rho / mean)) as f32
    }
}
