//! Hinge losses of each output separately, one-vs-rest: the class is +1, all others −1. For a hinge over classes see
//! `multi-margin`.

use super::{Point, Row, RowLoss, mean_of_each};
use crate::Result;
use crate::spec::{Choice, finite};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let [zero, one] = [0.0, 1.0].map(R::Lane::splat);
        mean_of_each(row, |z, asked| {
            let t = sign_of(asked);
            let h = one - t * z;
            Point { value: zero.max(h), slope: h.where_positive(-t, zero) }
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let [zero, one, twice] = [0.0, 1.0, -2.0].map(R::Lane::splat);
        mean_of_each(row, |z, asked| {
            let t = sign_of(asked);
            let h = one - t * z;
            Point { value: zero.max(h) * zero.max(h), slope: h.where_positive(twice * t * h, zero) }
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let [zero, one, margin] = [0.0, 1.0, self.margin].map(R::Lane::splat);
        mean_of_each(row, |z, asked| {
            let (t, room) = (sign_of(asked), margin - z);
            Point {
                value: t.where_positive(z, room.where_positive(room, zero)),
                slope: t.where_positive(one, room.where_positive(-one, zero)),
            }
        })
    }
}

/// Returns +1 for the class, −1 for the others.
fn sign_of<L: Lane>(one_hot: L) -> L {
    L::splat(2.0) * one_hot - L::splat(1.0)
}
