use super::{Point, Row, RowLoss, mean_of_each};
use crate::spec::{Choice, finite, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::{Lane, Math};
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        mean_of_each(row, |z, asked| {
            let sign = R::Lane::splat(2.0) * asked - R::Lane::splat(1.0);
            let Point { value, slope } = self.forgetting(sign * z);
            let weight = self.balance(asked);
            Point { value: weight * value, slope: weight * sign * slope }
        })
    }
}

impl Focal {
    /// Returns the weight a.
    fn balance<L: Math>(&self, asked: L) -> L {
        let one = L::splat(1.0);
        match self.alpha {
            alpha if alpha < 0.0 => one,
            alpha => L::splat(alpha) * asked + L::splat(1.0 - alpha) * (one - asked),
        }
    }

    /// Returns value and slope of σ(−u)^γ ln(1 + e⁻ᵘ); the power is e^(−γ ln(1 + eᵘ)).
    fn forgetting<L: Math>(&self, u: L) -> Point<L> {
        let gamma = L::splat(self.gamma);
        let entropy = (-u).softplus();
        let power = (-gamma * u.softplus()).exp();
        let slope = -power * (gamma * u.sigmoid() * entropy + (-u).sigmoid());
        Point { value: power * entropy, slope }
    }
}
