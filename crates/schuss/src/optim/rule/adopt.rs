use super::adam::moments;
use super::terms::{mean_square, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// ADOPT: Adam whose gradient is scaled before it enters the momentum, by a second moment that does not include it yet.
/// The first update only initializes the second moment.
///
/// ```text
/// f ← min(t − 1, 1)        c ← √√(t − 1)
/// x ← min(max(g / max(√v, ε), −c), c)
/// m ← m + f (1 − β₁) (x − m)        v ← v + (1 − f β₂) (g² − v)
/// w ← w − η m
/// ```
///
/// Without `clip` c is infinite.
///
/// Taniguchi et al., "ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal Rate", NeurIPS 2024
/// (arXiv 2411.02853). Keys and defaults are `optax.contrib.adopt`'s, which has none for lr and calls clip
/// `use_clipping`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adopt {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the scaled gradient.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, lower bound of the denominator.
    pub eps: f64,
    /// True to clip the scaled gradient to ±c.
    pub clip: bool,
}

impl Default for Adopt {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.9999, eps: 1e-6, clip: true }
    }
}

impl Choice for Adopt {
    const NAME: &'static str = "adopt";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Adopt {
    fn slots(&self) -> Vec<Slot> {
        moments(false)
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for Adopt {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let first = step.t == 1;
        visitor.visit(&ScaledFirst {
            lr: self.lr,
            new1: if first { 0.0 } else { 1.0 - self.beta1 },
            keep2: if first { 0.0 } else { self.beta2 },
            eps: self.eps,
            most: if self.clip { ((step.t - 1) as f64).sqrt().sqrt() } else { f64::INFINITY },
        })
    }
}

#[derive(Clone, Copy)]
struct ScaledFirst {
    lr: f64,
    new1: f64,
    keep2: f64,
    eps: f64,
    /// c
    most: f64,
}

impl Elementwise<2> for ScaledFirst {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> L {
        let most = L::splat(self.most);
        let x = (g / v.sqrt().max(L::splat(self.eps))).max(-most).min(most);
        *m = toward(*m, x, self.new1);
        *v = mean_square(*v, g, self.keep2);
        m.mul_add(L::splat(-self.lr), w)
    }
}
