use super::signsgd::SignSgd;
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Signum: steps of constant size, against the sign of the mean gradient.
///
/// ```text
/// m ← μ m + (1 − μ) g
/// w ← w − η (sign(m) + λ w)
/// ```
///
/// Bernstein et al., "signSGD: Compressed Optimisation for Non-Convex Problems", ICML 2018 (arXiv 1802.04434),
/// algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Signum {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ, the decay rate of the mean gradient.
    pub momentum: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
}

impl Default for Signum {
    fn default() -> Self {
        Self { lr: 1e-3, momentum: 0.9, weight_decay: 0.0 }
    }
}

impl Choice for Signum {
    const NAME: &'static str = "signum";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("momentum", self.momentum)])
    }
}

impl Describe for Signum {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m")]
    }

    knobs!(lr = lr, momentum = momentum);
}

impl ByElement for Signum {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl Elementwise<1> for Signum {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m]: &mut [L; 1]) -> L {
        *m = m.mul_add(L::splat(self.momentum), L::splat(1.0 - self.momentum) * g);
        let Self { lr, weight_decay, .. } = *self;
        SignSgd { lr, weight_decay }.against(*m, w)
    }
}
