//! Penalties on what a layer says: sparse codes.

use super::layer::{ActivityKl, ActivityL1};
use super::stage::groups;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::padded;

/// A penalty, added to what is minimised but not to any loss that is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Activity {
    /// weight Σ |x|, mean over samples.
    L1(ActivityL1),
    /// weight Σ KL(ρ ‖ mean x), the mean taken over a group.
    Kl(ActivityKl),
}

impl Activity {
    /// Dˣ ← Dʸ + the penalty's slope, for rows in groups of `stats`.
    pub(crate) fn backward(self, x: Matrix, dy: Matrix, dx: MatrixMut, stats: usize) {
        let ((rows, cols), stride, dx) = (x.shape(), padded(x.shape().1), dx.into_data());
        dx[..rows * stride].copy_from_slice(&dy.data()[..rows * stride]);
        match self {
            Self::L1(penalty) => {
                for row in 0..rows {
                    let dx = dx[row * stride..][..cols].iter_mut();
                    dx.zip(x.row(row)).filter(|(_, x)| **x != 0.0).for_each(|(dx, &x)| {
                        *dx += penalty.weight as f32 * x.signum();
                    });
                }
            }
            Self::Kl(penalty) => {
                for group in groups(rows, stats) {
                    for col in 0..cols {
                        let slope = kl_slope(penalty, group.clone().map(|row| x.row(row)[col]));
                        group.clone().for_each(|row| dx[row * stride + col] += slope);
                    }
                }
            }
        }
    }
}

/// Slope of weight KL(ρ ‖ mean) at a unit with these activities, times their number: sums over samples are divided by it.
fn kl_slope(penalty: ActivityKl, activities: impl ExactSizeIterator<Item = f32>) -> f32 {
    let ActivityKl { rho, weight } = penalty;
    let count = activities.len() as f64;
    let mean = (activities.map(f64::from).sum::<f64>() / count).clamp(1e-6, 1.0 - 1e-6);
    (weight * ((1.0 - rho) / (1.0 - mean) - rho / mean)) as f32
}
