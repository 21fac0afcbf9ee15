use super::terms::{mean_square, penalised};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adadelta: steps per weight, scaled by the size of its recent steps over that of its recent gradients.
///
/// ```text
/// g ← g + λ w
/// v ← v + (1 − ρ) (g² − v)
/// x ← √(d + ε) / √(v + ε) · g
/// d ← d + (1 − ρ) (x² − d)
/// w ← w − η x
/// ```
///
/// Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012 (arXiv 1212.5701), which has no η. Keys and defaults are
/// `torch.optim.Adadelta`'s. Differs: Keras has η = 0.001, ρ = 0.95, ε = 1e-7.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adadelta {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate ρ of both mean squares.
    pub rho: f64,
    /// ε, added under both roots; without it, no weight would ever move.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self { lr: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl Choice for Adadelta {
    const NAME: &'static str = "adadelta";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("rho", self.rho)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Adadelta {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("v"), Slot::new("d")]
    }

    knobs!(lr = lr, beta2 = rho);
}

impl ByElement for Adadelta {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl Elementwise<2> for Adadelta {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v, d]: &mut [L; 2]) -> L {
        let (g, eps) = (penalised(g, w, self.weight_decay), L::splat(self.eps));
        *v = mean_square(*v, g, self.rho);
        let x = (*d + eps).sqrt() / (*v + eps).sqrt() * g;
        *d = mean_square(*d, x, self.rho);
        x.mul_add(L::splat(-self.lr), w)
    }
}
