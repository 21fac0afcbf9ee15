use super::terms::{penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Math;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// MADGRAD: dual averaging, from the initial weights along the sum of all gradients, scaled per weight by a cube root.
///
/// ```text
/// a ← (η + ε) √t        g ← g + λ w
/// v ← v + a g²        s ← s + a g
/// z ← x − s / (∛v + ε)
/// w ← μ w + (1 − μ) z
/// ```
///
/// x are the initial weights. If η is 0, so is a.
///
/// Defazio and Jelassi, "Adaptivity without Compromise: A Momentumized, Adaptive, Dual Averaged Gradient Method for
/// Stochastic Optimization", JMLR 2022 (arXiv 2101.11075). Keys and defaults are `madgrad.MADGRAD`'s, which
/// reconstructs x instead of storing it if μ is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Madgrad {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// ε, added to the denominator for numerical stability, and to η.
    pub eps: f64,
}

impl Default for Madgrad {
    fn default() -> Self {
        Self { lr: 0.01, momentum: 0.9, weight_decay: 0.0, eps: 1e-6 }
    }
}

impl Choice for Madgrad {
    const NAME: &'static str = "madgrad";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("momentum", self.momentum)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Madgrad {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("v"), Slot::new("s"), Slot::copied("x")]
    }

    knobs!(lr = lr, momentum = momentum);
}

impl ByElement for Madgrad {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let lr = if self.lr == 0.0 { 0.0 } else { self.lr + self.eps };
        visitor.visit(&DualAverage {
            weight: lr * (step.t as f64).sqrt(),
            share: 1.0 - self.momentum,
            eps: self.eps,
            weight_decay: self.weight_decay,
        })
    }
}

#[derive(Clone, Copy)]
struct DualAverage {
    /// a
    weight: f64,
    /// 1 − μ
    share: f64,
    eps: f64,
    weight_decay: f64,
}

impl Elementwise<3> for DualAverage {
    #[inline(always)]
    fn apply<L: Math>(&self, g: L, w: L, [v, s, x]: &mut [L; 3]) -> L {
        let (g, weight) = (penalised(g, w, self.weight_decay), L::splat(self.weight));
        *v = (weight * g).mul_add(g, *v);
        *s = g.mul_add(weight, *s);
        let z = *x - *s / (v.cbrt() + L::splat(self.eps));
        toward(w, z, self.share)
    }
}
