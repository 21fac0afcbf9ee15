use super::adam::corrections;
use super::terms::{mean_square, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// AdaBelief: Adam scaled by how far gradients are from their running mean, so that steady gradients make long steps.
///
/// ```text
/// m ← m + (1 − β₁) (g − m)        s ← s + (1 − β₂) ((g − m)² − s) + ε₀
/// w ← w − η / (1 − β₁ᵗ) · m / (√s / √(1 − β₂ᵗ) + ε)
/// ```
///
/// Zhuang et al., "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients", NeurIPS 2020
/// (arXiv 2010.07468). Keys and defaults are `optax.adabelief`'s, which has none for lr; the equation is computed with
/// √(1 − β₂ᵗ) multiplied into η and ε.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct AdaBelief {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the mean squared deviation from it.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// ε₀, added to the mean squared deviation at every update.
    pub eps_root: f64,
}

impl Default for AdaBelief {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-16, eps_root: 1e-16 }
    }
}

impl Choice for AdaBelief {
    const NAME: &'static str = "adabelief";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("eps_root", self.eps_root)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for AdaBelief {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m"), Slot::new("s")]
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for AdaBelief {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        visitor.visit(&Spread {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            step: self.lr / correct1 * correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
            eps_root: self.eps_root,
        })
    }
}

#[derive(Clone, Copy)]
struct Spread {
    new1: f64,
    keep2: f64,
    /// η √(1 − β₂ᵗ) / (1 − β₁ᵗ)
    step: f64,
    /// ε √(1 − β₂ᵗ)
    eps: f64,
    eps_root: f64,
}

impl Elementwise<2> for Spread {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, s]: &mut [L; 2]) -> L {
        *m = toward(*m, g, self.new1);
        *s = mean_square(*s, g - *m, self.keep2) + L::splat(self.eps_root);
        w - L::splat(self.step) * *m / (s.sqrt() + L::splat(self.eps))
    }
}
