use super::{Row, RowLoss};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use serde::{Deserialize, Serialize};

/// One minus the cosine of the angle between outputs and targets; only their direction matters.
///
/// ```text
/// c = z·t / √((z·z + ε) (t·t + ε)), ε = 1e-12
/// ℓ = 1 − c        ∂ℓ/∂z = c z / (z·z + ε) − t / √((z·z + ε) (t·t + ε))
/// ```
///
/// Classes are one-hot. The loss of a row of zeros is 1. `torch.nn.CosineEmbeddingLoss` with a target of 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {}

impl Choice for Cosine {
    const NAME: &'static str = "cosine";
}

impl RowLoss for Cosine {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let start = [0.0, EPS, EPS].map(R::Lane::splat);
        let [product, outputs, targets] = row.fold(start, |row, at, [product, outputs, targets]| {
            let (z, t) = (row.output(at), row.target(at));
            [product + z * t, outputs + z * z, targets + t * t]
        });
        let lengths = (outputs * targets).sqrt();
        let cosine = product / lengths;
        row.each(|row, at| row.set_slope(at, cosine * row.output(at) / outputs - row.target(at) / lengths));
        R::Lane::splat(1.0) - cosine
    }

    fn takes_rows(&self) -> bool {
        true
    }
}

const EPS: f64 = 1e-12;
