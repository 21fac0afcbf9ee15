use super::{RowLoss, Target, mean_of_each};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Mean absolute error over samples and outputs.
///
/// ```text
/// ℓ = 1/n Σ |z − t|        ∂ℓ/∂z = 1/n sign(z − t)
/// ```
///
/// Classes are one-hot. The slope at z = t is 0. `torch.nn.L1Loss`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct L1 {}

impl Choice for L1 {
    const NAME: &'static str = "l1";
}

impl RowLoss for L1 {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, |z, t| ((z - t).abs(), sign(z - t)))
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn power(&self) -> Option<i32> {
        Some(1)
    }
}

/// Returns the sign of x: −1, 0 or 1.
pub(super) fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}
