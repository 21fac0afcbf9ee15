use super::adam::corrections;
use super::terms::{penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::recipe::spec::{Choice, below_one, non_negative, normal};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adamax: Adam scaled by the largest recent gradient instead of the root of the mean square.
///
/// ```text
/// g ← g + λ w
/// m ← m + (1 − β₁) (g − m)        u ← max(β₂ u, |g| + ε)
/// w ← w − η / (1 − β₁ᵗ) · m / u
/// ```
///
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 2 (arXiv 1412.6980), which has no
/// ε. Keys and defaults are `torch.optim.Adamax`'s. Differs: Keras has η = 0.001 and adds ε = 1e-7 to u in the last line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adamax {
    /// Learning rate η.
    pub lr: f64,
    /// Memory β₁ of the first moment.
    pub beta1: f64,
    /// Memory β₂ of the largest gradient.
    pub beta2: f64,
    /// ε, which keeps the quotient finite.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Adamax {
    fn default() -> Self {
        Self { lr: 2e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Choice for Adamax {
    const NAME: &'static str = "adamax";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Adamax {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m"), Slot::new("u")]
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for Adamax {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, _] = corrections(self.beta1, self.beta2, step.t);
        visitor.visit(&LargestGradient {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            step: self.lr / correct1,
            eps: self.eps,
            weight_decay: self.weight_decay,
        })
    }
}

#[derive(Clone, Copy)]
struct LargestGradient {
    new1: f64,
    keep2: f64,
    /// η / (1 − β₁ᵗ)
    step: f64,
    eps: f64,
    weight_decay: f64,
}

impl Elementwise<2> for LargestGradient {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, u]: &mut [L; 2]) -> L {
        let g = penalised(g, w, self.weight_decay);
        *m = toward(*m, g, self.new1);
        *u = (L::splat(self.keep2) * *u).max(g.abs() + L::splat(self.eps));
        w - L::splat(self.step) * *m / *u
    }
}
