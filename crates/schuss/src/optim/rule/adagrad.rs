use super::terms::penalised;
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::recipe::spec::{Choice, non_negative, normal};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adagrad: a step per weight that shrinks with all its gradients so far.
///
/// ```text
/// g ← g + λ w
/// s ← s + g²
/// w ← w − η / (1 + (t − 1) γ) · g / (√s + ε)
/// ```
///
/// Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", JMLR 2011.
/// Keys and defaults are `torch.optim.Adagrad`'s. Differs: optax and Keras begin with s = 0.1 and have ε = 1e-7 under
/// the root; Burn has ε = 1e-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adagrad {
    /// Learning rate η.
    pub lr: f64,
    /// Decay γ of the learning rate.
    pub lr_decay: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// What s is at first.
    pub initial_accumulator_value: f64,
    /// ε, which keeps the quotient finite.
    pub eps: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Self { lr: 0.01, lr_decay: 0.0, weight_decay: 0.0, initial_accumulator_value: 0.0, eps: 1e-10 }
    }
}

impl Choice for Adagrad {
    const NAME: &'static str = "adagrad";

    fn check(&self) -> Result<()> {
        let Self { lr, lr_decay, weight_decay, initial_accumulator_value, eps } = *self;
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
        visitor.visit(&Accumulated { lr, weight_decay: self.weight_decay, eps: self.eps })
    }
}

#[derive(Clone, Copy)]
struct Accumulated {
    lr: f64,
    weight_decay: f64,
    eps: f64,
}

impl Elementwise<1> for Accumulated {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [s]: &mut [L; 1]) -> L {
        let g = penalised(g, w, self.weight_decay);
        *s = g.mul_add(g, *s);
        w - L::splat(self.lr) * g / (s.sqrt() + L::splat(self.eps))
    }
}
