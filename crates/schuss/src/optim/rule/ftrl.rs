use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, non_negative, positive};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// FTRL-Proximal: the weights that would have been best for all gradients so far; an L1 penalty makes some exactly 0.
///
/// ```text
/// z ← z + g + 2 λ₃ w − (√(n + g²) − √n) / η · w
/// n ← n + g²
/// w ← (min(max(z, −λ₁), λ₁) − z) / (√n / η + β / η + 2 λ₂)
/// ```
///
/// The initial weights are discarded at the first update: w follows from z alone.
///
/// McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013, algorithm 1. Keys and defaults are
/// `keras.optimizers.Ftrl`'s with its `learning_rate_power` −0.5 (there `l1_regularization_strength` and so on).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Ftrl {
    /// Learning rate η.
    pub lr: f64,
    /// Initial value of n.
    pub initial_accumulator_value: f64,
    /// L1 penalty λ₁.
    pub l1: f64,
    /// L2 penalty λ₂, on the new weight.
    pub l2: f64,
    /// L2 penalty λ₃, added to the gradient as 2 λ₃ w.
    pub l2_shrinkage: f64,
    /// β, added to √n.
    pub beta: f64,
}

impl Default for Ftrl {
    fn default() -> Self {
        Self { lr: 1e-3, initial_accumulator_value: 0.1, l1: 0.0, l2: 0.0, l2_shrinkage: 0.0, beta: 0.0 }
    }
}

impl Choice for Ftrl {
    const NAME: &'static str = "ftrl";

    fn check(&self) -> Result<()> {
        let Self { lr, initial_accumulator_value, l1, l2, l2_shrinkage, beta } = *self;
        positive(&[("lr", lr)])?;
        non_negative(&[("initial_accumulator_value", initial_accumulator_value), ("l1", l1), ("l2", l2)])?;
        non_negative(&[("l2_shrinkage", l2_shrinkage), ("beta", beta)])
    }
}

impl Describe for Ftrl {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("z"), Slot::filled("n", self.initial_accumulator_value)]
    }

    knobs!(lr = lr);
}

/// Lower bound of the learning rate for schedules that decay to 0, since the equation divides by it.
const LEAST_LR: f64 = 1e-12;

impl ByElement for Ftrl {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        let lr = self.lr.max(LEAST_LR);
        visitor.visit(&Leader {
            lr,
            l1: self.l1,
            curvature: self.beta / lr + 2.0 * self.l2,
            shrinkage: 2.0 * self.l2_shrinkage,
        })
    }
}

#[derive(Clone, Copy)]
struct Leader {
    lr: f64,
    l1: f64,
    /// β / η + 2 λ₂
    curvature: f64,
    /// 2 λ₃
    shrinkage: f64,
}

impl Elementwise<2> for Leader {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [z, n]: &mut [L; 2]) -> L {
        let (lr, l1) = (L::splat(self.lr), L::splat(self.l1));
        let sum = *n + g * g;
        let pull = w.mul_add(L::splat(self.shrinkage), g);
        *z = *z + (pull - (sum.sqrt() - n.sqrt()) / lr * w);
        *n = sum;
        let least = L::splat(f64::from(f32::MIN_POSITIVE)); // without gradients so far, 0/0 must give 0
        let curvature = (n.sqrt() / lr + L::splat(self.curvature)).max(least);
        (z.max(-l1).min(l1) - *z) / curvature
    }
}
