use super::adam::corrections;
use super::terms::{penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adamax: Adam scaled by the largest recent gradient instead of the root of the mean square.
///
/// ```text
/// g ← g + λ w
/// m ← m + (1 − β₁) (g − m)
/// u ← max(β₂ u, |g| + ε)        eps_outside: u ← max(β₂ u, |g|)
/// d ← u        eps_outside: d ← u + ε
/// w ← w − η / (1 − β₁ᵗ) · m / d
/// ```
///
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 2 (arXiv 1412.6980), which has no
/// ε. Keys and defaults are `torch.optim.Adamax`'s. Differs: Keras has η = 0.001, ε = 1e-7
/// and `eps_outside`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adamax {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the largest gradient.
    pub beta2: f64,
    /// ε, added to |g| for numerical stability.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// True to add ε to u in the denominator instead of to |g|.
    pub eps_outside: bool,
}

impl Default for Adamax {
    fn default() -> Self {
        let (lr, eps) = (2e-3, 1e-8);
        Self { lr, beta1: 0.9, beta2: 0.999, eps, weight_decay: 0.0, eps_outside: false }
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
        let (within, outside) = if self.eps_outside { (0.0, self.eps) } else { (self.eps, 0.0) };
        visitor.visit(&LargestGradient {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            step: self.lr / correct1,
            within,
            outside,
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
    /// ε if it is added to |g|, else 0
    within: f64,
    /// ε if it is added to u, else 0
    outside: f64,
    weight_decay: f64,
}

impl Elementwise<2> for LargestGradient {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, u]: &mut [L; 2]) -> L {
        let g = penalised(g, w, self.weight_decay);
        *m = toward(*m, g, self.new1);
        *u = (L::splat(self.keep2) * *u).max(g.abs() + L::splat(self.within));
        w - L::splat(self.step) * *m / (*u + L::splat(self.outside))
    }
}
