use super::adam::{Largest, Moments, corrections, epsilon, moments};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// AdamW: Adam with weight decay decoupled from the moments.
///
/// ```text
/// w ← w − η λ w
/// m ← m + (1 − β₁) (g − m)        v ← β₂ v + (1 − β₂) g²
/// u ← v        amsgrad: u ← max(u, v)
/// d ← √u / √(1 − β₂ᵗ) + ε        eps_hat: d ← (√u + ε) / √(1 − β₂ᵗ)
/// w ← w − η / (1 − β₁ᵗ) · m / d
/// ```
///
/// `amsgrad` uses the largest v so far; `eps_hat` adds ε before the bias correction of v.
///
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (arXiv 1711.05101). Keys and defaults are
/// `torch.optim.AdamW`'s. Differs: λ is 1e-4 in optax and Burn, 4e-3 in Keras, which has `eps_hat`
/// and ε = 1e-7; Burn has ε = 1e-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// True to use the largest v so far (AMSGrad).
    pub amsgrad: bool,
    /// True to add ε before the bias correction of v.
    pub eps_hat: bool,
}

impl Default for AdamW {
    fn default() -> Self {
        let (lr, eps) = (1e-3, 1e-8);
        Self { lr, beta1: 0.9, beta2: 0.999, eps, weight_decay: 0.01, amsgrad: false, eps_hat: false }
    }
}

impl Choice for AdamW {
    const NAME: &'static str = "adamw";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for AdamW {
    fn slots(&self) -> Vec<Slot> {
        moments(self.amsgrad)
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);

    fn keep(&self) -> f64 {
        1.0 - self.lr * self.weight_decay
    }
}

impl ByElement for AdamW {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        let moments = Moments {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            new2: 1.0 - self.beta2,
            step: self.lr / correct1 * correct2.sqrt(),
            eps: epsilon(self.eps, self.eps_hat, correct2),
            weight_decay: 0.0,
            keep: self.keep(),
        };
        if self.amsgrad { visitor.visit(&Largest(moments)) } else { visitor.visit(&moments) }
    }
}
