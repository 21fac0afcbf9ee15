use super::adam::{corrections, moments};
use super::nadam::LookAhead;
use super::terms::penalised;
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// NAdamW: Adam with Nesterov momentum and decoupled weight decay.
///
/// ```text
/// m ← m + (1 − β₁) (g − m)        v ← v + (1 − β₂) (g² − v)
/// u ← (1 − β₁) / (1 − β₁ᵗ) g + β₁ / (1 − β₁^(t + 1)) m
/// w ← w − η (u / (√v / √(1 − β₂ᵗ) + ε) + λ w)
/// ```
///
/// Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop, without his growing momentum; decay as in
/// Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019 (arXiv 1711.05101). Keys and defaults are
/// `optax.nadamw`'s, which has none for lr; the equation is computed with √(1 − β₂ᵗ) multiplied into η and ε.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct NAdamW {
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
}

impl Default for NAdamW {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 1e-4 }
    }
}

impl Choice for NAdamW {
    const NAME: &'static str = "nadamw";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for NAdamW {
    fn slots(&self) -> Vec<Slot> {
        moments(false)
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for NAdamW {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        let [next_correct1, _] = corrections(self.beta1, self.beta2, step.t + 1);
        visitor.visit(&AtOnce(LookAhead {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            along_gradient: self.lr * (1.0 - self.beta1) / correct1 * correct2.sqrt(),
            along_moment: self.lr * self.beta1 / next_correct1 * correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
            weight_decay: 0.0,
            decay: self.lr * self.weight_decay,
        }))
    }
}

/// Applies both steps at once, as optax rounds them.
#[derive(Clone, Copy)]
struct AtOnce(LookAhead);

impl Elementwise<2> for AtOnce {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, slots: &mut [L; 2]) -> L {
        let [along_gradient, along_moment] = self.0.steps(g, w, slots);
        w - penalised(along_gradient + along_moment, w, self.0.decay)
    }
}
