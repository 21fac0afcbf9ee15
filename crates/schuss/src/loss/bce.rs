use super::{RowLoss, Target, mean_of_each};
use crate::recipe::spec::Choice;
use documented::{Documented, DocumentedFields};
use schuss_kernels::Math;
use serde::{Deserialize, Serialize};

/// Binary cross-entropy of every output, mean over samples and outputs.
///
/// ```text
/// of logits:          ℓ = 1/n Σ max(z, 0) − t z + ln(1 + e^−|z|)        ∂ℓ/∂z = 1/n (σ(z) − t)
/// of probabilities:   ℓ = −1/n Σ t ln z + (1 − t) ln(1 − z)             ∂ℓ/∂z = 1/n (z − t) / (z (1 − z))
/// ```
///
/// Classes are one-hot. No finite logit overflows. Of probabilities, logarithms are at least −100 and the divisor at
/// least 1e-12, so that 0 and 1 are fine; what lies outside has no loss (NaN), and the trial diverges.
/// `torch.nn.BCEWithLogitsLoss`, and `torch.nn.BCELoss` with `logits=false`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Bce {
    /// Whether the outputs are logits; else they are probabilities, behind a `sigmoid` layer.
    pub logits: bool,
}

impl Default for Bce {
    fn default() -> Self {
        Self { logits: true }
    }
}

impl Choice for Bce {
    const NAME: &'static str = "bce";
}

impl RowLoss for Bce {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, if self.logits { of_logit } else { of_probability })
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn last_layers(&self) -> &'static [&'static str] {
        if self.logits { &[] } else { &["sigmoid", "hard-sigmoid"] }
    }
}

/// Value and slope at a logit; ln(1 + e^−|z|) stays exact where the rest cancels.
fn of_logit(z: f64, t: f64) -> (f64, f64) {
    let certain = z.max(0.0) - t * z;
    (certain + Math::ln_1p(Math::exp(-z.abs())), Math::sigmoid(z) - t)
}

/// Value and slope at a probability.
fn of_probability(p: f64, t: f64) -> (f64, f64) {
    let value = -(t * bounded_ln(p) + (1.0 - t) * bounded_ln(1.0 - p));
    (value, (p - t) / (p * (1.0 - p)).max(1e-12))
}

/// ln x, at least −100; NaN below 0.
fn bounded_ln(x: f64) -> f64 {
    let y = Math::ln(x);
    if y < -100.0 { -100.0 } else { y }
}
