use super::signsgd::SignSgd;
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Lion: steps of constant size along the sign of a momentum that weights new gradients more than its buffer does.
///
/// ```text
/// c ← β₁ m + (1 − β₁) g
/// m ← β₂ m + (1 − β₂) g
/// w ← w − η (sign(c) + λ w)
/// ```
///
/// Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023 (arXiv 2302.06675), whose authors advise
/// a third to a tenth of AdamW's η, and a λ larger by the same factor. Keys as in `optax.lion`, which has no default
/// for lr and λ = 1e-3; lr 1e-4 and λ = 0 are the authors'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// Learning rate η.
    pub lr: f64,
    /// Weight β₁ of the momentum buffer in the direction.
    pub beta1: f64,
    /// Decay rate β₂ of the momentum buffer.
    pub beta2: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Self {
        Self { lr: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl Choice for Lion {
    const NAME: &'static str = "lion";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])
    }
}

impl Describe for Lion {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m")]
    }

    knobs!(lr = lr, momentum = beta1);
}

impl ByElement for Lion {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl Elementwise<1> for Lion {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m]: &mut [L; 1]) -> L {
        let mix = |keep: f64| m.mul_add(L::splat(keep), L::splat(1.0 - keep) * g);
        let (c, next) = (mix(self.beta1), mix(self.beta2));
        *m = next;
        let Self { lr, weight_decay, .. } = *self;
        SignSgd { lr, weight_decay }.against(c, w)
    }
}
