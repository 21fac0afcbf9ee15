use super::terms::{penalised, root_with};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adagrad: steps per weight that shrink with the sum of its squared gradients so far.
///
/// ```text
/// g ← g + λ w
/// s ← s + g²
/// d ← √s + ε        eps_inside: d ← √(s + ε)
/// w ← w − η / (1 + (t − 1) γ) · g / d
/// ```
///
/// Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 2011.
/// Keys and defaults are `torch.optim.Adagrad`'s. Differs: optax and Keras start with s = 0.1 and have ε = 1e-7 and
/// `eps_inside`; Burn has ε = 1e-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adagrad {
    /// Learning rate η.
    pub lr: f64,
    /// Decay γ of the learning rate.
    pub lr_decay: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// Initial value of s.
    pub initial_accumulator_value: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// True to add ε under the square root.
    pub eps_inside: bool,
}

impl Default for Adagrad {
    fn default() -> Self {
        let (lr, eps) = (0.01, 1e-10);
        let (lr_decay, weight_decay, initial_accumulator_value) = (0.0, 0.0, 0.0);
        Self { lr, lr_decay, weight_decay, initial_accumulator_value, eps, eps_inside: false }
    }
}

impl Choice for Adagrad {
    const NAME: &'static str = "adagrad";

    fn check(&self) -> Result<()> {
        let Self { lr, lr_decay, weight_decay, initial_accumulator_value, eps, .. } = *self;
        non_negative(&[("lr", lr), ("lr_decay", lr_decay), ("weight_decay", weight_decay)])?;
        non_negative(&[("initial_accumulator_value", initial_accumulator_value)])?;
        normal(&[("eps", eps)])
    }
}

impl Describe for Adagrad {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::filled("s", self.initial_accumulator_value)]
    }

    knobs!(lr = lr);
}

impl ByElement for Adagrad {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let lr = self.lr / (1.0 + (step.t - 1) as f64 * self.lr_decay);
        let Self { weight_decay, eps, eps_inside, .. } = *self;
        visitor.visit(&Accumulated { lr, weight_decay, eps, eps_inside })
    }
}

#[derive(Clone, Copy)]
struct Accumulated {
    lr: f64,
    weight_decay: f64,
    eps: f64,
    eps_inside: bool,
}

impl Elementwise<1> for Accumulated {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [s]: &mut [L; 1]) -> L {
        let g = penalised(g, w, self.weight_decay);
        *s = g.mul_add(g, *s);
        w - L::splat(self.lr) * g / root_with(*s, self.eps, self.eps_inside)
    }
}
