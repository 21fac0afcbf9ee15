//! Hinge losses of each output separately, one-vs-rest: the class is +1, all others −1. For a hinge over classes see
//! `multi-margin`.

use super::{RowLoss, Target, mean_of_each};
use crate::Result;
use crate::spec::{Choice, finite};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Hinge, mean over samples and outputs.
///
/// ```text
/// h = max(0, 1 − t z)        ℓ = 1/n Σ h        ∂ℓ/∂z = −1/n t where h > 0
/// ```
///
/// t is +1 for the class, −1 for the others. `keras.losses.Hinge`; the one-vs-rest loss of scikit-learn's linear
/// classifiers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Hinge {}

impl Choice for Hinge {
    const NAME: &'static str = "hinge";
}

impl RowLoss for Hinge {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, |z, asked| {
            let t = sign_of(asked);
            let h = 1.0 - t * z;
            if h <= 0.0 { (0.0, 0.0) } else { (h, -t) }
        })
    }
}

/// Squared hinge, mean over samples and outputs.
///
/// ```text
/// h = max(0, 1 − t z)        ℓ = 1/n Σ h²        ∂ℓ/∂z = −2/n t h
/// ```
///
/// t is +1 for the class, −1 for the others. `keras.losses.SquaredHinge`; `sklearn.svm.LinearSVC`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SquaredHinge {}

impl Choice for SquaredHinge {
    const NAME: &'static str = "squared-hinge";
}

impl RowLoss for SquaredHinge {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, |z, asked| {
            let t = sign_of(asked);
            let h = 1.0 - t * z;
            if h <= 0.0 { (0.0, 0.0) } else { (h * h, -2.0 * t * h) }
        })
    }
}

/// Hinge embedding loss for outputs that are distances: small for the class, at least a margin for all others; mean
/// over samples and outputs.
///
/// ```text
/// ℓ = 1/n Σ z of the class, max(0, margin − z) of the others        ∂ℓ/∂z = 1/n, −1/n where z < margin
/// ```
///
/// A distance of the class below zero lowers the loss further. `torch.nn.HingeEmbeddingLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct HingeEmbedding {
    /// Distance at which the other classes are far enough.
    pub margin: f64,
}

impl Default for HingeEmbedding {
    fn default() -> Self {
        Self { margin: 1.0 }
    }
}

impl Choice for HingeEmbedding {
    const NAME: &'static str = "hinge-embedding";

    fn check(&self) -> Result<()> {
        finite(&[("margin", self.margin)])
    }
}

impl RowLoss for HingeEmbedding {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, |z, asked| match sign_of(asked) {
            1.0 => (z, 1.0),
            _ if z < self.margin => (self.margin - z, -1.0),
            _ => (0.0, 0.0),
        })
    }
}

/// Returns +1 for the class, −1 for the others.
fn sign_of(one_hot: f64) -> f64 {
    2.0 * one_hot - 1.0
}
