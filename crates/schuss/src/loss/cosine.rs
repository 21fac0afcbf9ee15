use super::{RowLoss, Target};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
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
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        let (mut product, mut outputs, mut targets) = (0.0, EPS, EPS);
        for (index, &z) in z.iter().enumerate() {
            let (z, t) = (f64::from(z), target.at(index));
            product += z * t;
            outputs += z * z;
            targets += t * t;
        }
        let lengths = (outputs * targets).sqrt();
        let cosine = product / lengths;
        for (index, (&z, delta)) in z.iter().zip(delta).enumerate() {
            *delta = (cosine * f64::from(z) / outputs - target.at(index) / lengths) as f32;
        }
        1.0 - cosine
    }

    fn takes_rows(&self) -> bool {
        true
    }
}

const EPS: f64 = 1e-12;
