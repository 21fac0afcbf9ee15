use super::{Point, Row, RowLoss, Target, curvature_of_outputs, mean_of_each};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use serde::{Deserialize, Serialize};

/// Mean squared error over samples and outputs.
///
/// ```text
/// ℓ = 1/n Σ (z − t)²        ∂ℓ/∂z = 2/n (z − t)
/// ```
///
/// Classes are one-hot. `torch.nn.MSELoss`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Mse {}

impl Choice for Mse {
    const NAME: &'static str = "mse";
}

impl RowLoss for Mse {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        mean_of_each(row, |z, t| Point { value: (z - t) * (z - t), slope: R::Lane::splat(2.0) * (z - t) })
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
        curvature_of_outputs(z, target, direction, to, |_, _, _| 2.0);
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn power(&self) -> Option<i32> {
        Some(2)
    }
}
