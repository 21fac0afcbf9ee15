use super::{Point, Row, RowLoss, mean_of_each};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        mean_of_each(row, |z, t| Point { value: (z - t).abs(), slope: sign(z - t) })
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

/// Returns the sign of x: −1, 0 or 1; NaN of NaN.
pub(super) fn sign<L: Lane>(x: L) -> L {
    let one = L::splat(1.0);
    x.where_positive(one, (-x).where_positive(-one, x.abs()))
}
