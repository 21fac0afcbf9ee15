use super::terms::penalised;
use super::{ByElement, Describe, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, non_negative};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// signSGD: steps of constant size, against the sign of the gradient.
///
/// ```text
/// w ← w − η (sign(g) + λ w)
/// ```
///
/// Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems", ICML 2018 (arXiv 1802.04434),
/// algorithm 1. As `optax.sign_sgd`, which has no decay and no default for lr.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SignSgd {
    /// Learning rate η.
    pub lr: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
}

impl Default for SignSgd {
    fn default() -> Self {
        Self { lr: 1e-3, weight_decay: 0.0 }
    }
}

impl Choice for SignSgd {
    const NAME: &'static str = "signsgd";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])
    }
}

impl Describe for SignSgd {
    knobs!(lr = lr);
}

impl ByElement for SignSgd {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl SignSgd {
    /// Returns the new weight, moved against the sign of `d`.
    #[inline(always)]
    pub(super) fn against<L: Lane>(&self, d: L, w: L) -> L {
        penalised(d.sign(), w, self.weight_decay).mul_add(L::splat(-self.lr), w)
    }
}

impl Elementwise<0> for SignSgd {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, _: &mut [L; 0]) -> L {
        self.against(g, w)
    }
}
