use super::{RowLoss, Target, mean_of_each};
use crate::spec::{Choice, finite, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Math;
use serde::{Deserialize, Serialize};

/// Focal loss: binary cross-entropy of every logit, with less weight on outputs that are already right; mean over
/// samples and outputs.
///
/// ```text
/// u = z of the class, −z of the others        a = α of the class, 1 − α of the others
/// ℓ = 1/n Σ a σ(−u)^γ ln(1 + e⁻ᵘ)
/// ∂ℓ/∂u = −1/n a σ(−u)^γ (γ σ(u) ln(1 + e⁻ᵘ) + σ(−u))
/// ```
///
/// A negative α gives all classes the same weight. No finite logit overflows. Lin et al., ICCV 2017 (arXiv 1708.02002);
/// `torchvision.ops.sigmoid_focal_loss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// Weight α of the class; the others have 1 − α.
    pub alpha: f64,
    /// Focusing parameter γ: the larger, the less weight on outputs that are already right.
    pub gamma: f64,
}

impl Default for Focal {
    fn default() -> Self {
        Self { alpha: 0.25, gamma: 2.0 }
    }
}

impl Choice for Focal {
    const NAME: &'static str = "focal";

    fn check(&self) -> Result<()> {
        finite(&[("alpha", self.alpha)])?;
        if self.alpha > 1.0 {
            return Err(Error::usage(format!("alpha must be at most 1, not {}", self.alpha)));
        }
        non_negative(&[("gamma", self.gamma)])
    }
}

impl RowLoss for Focal {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, |z, asked| {
            let sign = 2.0 * asked - 1.0;
            let (value, slope) = self.forgetting(sign * z);
            let weight = self.balance(asked);
            (weight * value, weight * sign * slope)
        })
    }
}

impl Focal {
    /// Returns the weight a.
    fn balance(&self, asked: f64) -> f64 {
        match self.alpha {
            alpha if alpha < 0.0 => 1.0,
            alpha => alpha * asked + (1.0 - alpha) * (1.0 - asked),
        }
    }

    /// Returns value and slope of σ(−u)^γ ln(1 + e⁻ᵘ); the power is e^(−γ ln(1 + eᵘ)).
    fn forgetting(&self, u: f64) -> (f64, f64) {
        let entropy: f64 = Math::softplus(-u);
        let power: f64 = Math::exp(-self.gamma * Math::softplus(u));
        let slope = -power * (self.gamma * Math::sigmoid(u) * entropy + Math::sigmoid(-u));
        (power * entropy, slope)
    }
}
