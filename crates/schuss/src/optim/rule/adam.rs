use super::{ByElement, Describe, Slot, Step, Visitor};
use crate::recipe::spec::{Choice, below_one, non_negative};
use crate::{Error, Result};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adam: a step per weight, scaled by how large and how noisy its gradients have been.
///
/// ```text
/// g ← g + λ w
/// m ← m + (1 − β₁) (g − m)        v ← β₂ v + (1 − β₂) g²
/// w ← w − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
/// ```
///
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1 (arXiv 1412.6980).
/// Keys and defaults are `torch.optim.Adam`'s; the equation is computed with √(1 − β₂ᵗ) multiplied into η and ε, which
/// saves a division per weight. Differs: Keras adds ε before the
/// correction of v and takes 1e-7; Burn takes 1e-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Learning rate η.
    pub lr: f64,
    /// Memory β₁ of the first moment.
    pub beta1: f64,
    /// Memory β₂ of the second moment.
    pub beta2: f64,
    /// ε, which keeps the quotient finite; above 0, since weights whose gradients are all 0 would become 0/0.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Adam {
    /// Corrections of both moments after update `t`: (1 − β₁ᵗ, 1 − β₂ᵗ).
    pub fn corrections(&self, t: u64) -> [f64; 2] {
        let t = i32::try_from(t).unwrap_or(i32::MAX); // the powers have long vanished there
        [1.0 - self.beta1.powi(t), 1.0 - self.beta2.powi(t)]
    }
}

impl Choice for Adam {
    const NAME: &'static str = "adam";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        if self.eps.is_nan() || self.eps < f64::from(f32::MIN_POSITIVE) || self.eps.is_infinite() {
            return Err(Error::usage(format!("eps must be positive, not {}", self.eps)));
        }
        Ok(())
    }
}

impl Describe for Adam {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m"), Slot::new("v")]
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        Some(&mut self.beta1)
    }

    fn beta2(&mut self) -> Option<&mut f64> {
        Some(&mut self.beta2)
    }
}

impl ByElement for Adam {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = self.corrections(step.t);
        visitor.visit(&Moments {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            new2: 1.0 - self.beta2,
            step: self.lr / correct1 * correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
            weight_decay: self.weight_decay,
        })
    }
}

/// Everything that is the same for all weights of an update.
#[derive(Clone, Copy)]
struct Moments {
    new1: f64,
    keep2: f64,
    new2: f64,
    /// η √(1 − β₂ᵗ) / (1 − β₁ᵗ)
    step: f64,
    /// ε √(1 − β₂ᵗ)
    eps: f64,
    weight_decay: f64,
}

impl Elementwise<2> for Moments {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> L {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        *m = (g - *m).mul_add(L::splat(self.new1), *m);
        *v = L::splat(self.keep2).mul_add(*v, L::splat(self.new2) * g * g);
        w - L::splat(self.step) * *m / (v.sqrt() + L::splat(self.eps))
    }
}
