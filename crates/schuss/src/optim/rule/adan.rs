use super::adam::corrections;
use super::terms::{mean_square, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adan: Adam with Nesterov momentum, from running means of the gradient and of its change.
///
/// ```text
/// x ← min(t − 1, 1) (g − p)        p ← g
/// m ← m + (1 − β₁) (g − m)        d ← d + (1 − β₂) (x − d)
/// n ← n + (1 − β₃) ((g + β₂ x)² − n)
/// u ← m / (1 − β₁ᵗ) + β₂ d / (1 − β₂ᵗ)
/// w ← (w − η u / (√n / √(1 − β₃ᵗ) + ε)) / (1 + η λ)
/// ```
///
/// Xie et al., "Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models", TPAMI 2024
/// (arXiv 2208.06677), whose β are 1 minus these. Keys and defaults are those of the authors' `Adan`. Differs:
/// `optax.adan` has 1 − β₂ instead of β₂ in n and u, which is another method, subtracts η λ w and adds 1e-8 under the
/// root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adan {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the mean gradient.
    pub beta1: f64,
    /// Decay rate β₂ of the mean change of the gradient.
    pub beta2: f64,
    /// Decay rate β₃ of the second moment.
    pub beta3: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Weight decay λ, which divides the new weight by 1 + η λ.
    pub weight_decay: f64,
}

impl Default for Adan {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.98, beta2: 0.92, beta3: 0.99, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Choice for Adan {
    const NAME: &'static str = "adan";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2), ("beta3", self.beta3)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Adan {
    fn slots(&self) -> Vec<Slot> {
        ["m", "d", "n", "p"].map(Slot::new).to_vec()
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta3);
}

impl ByElement for Adan {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        let [correct3, _] = corrections(self.beta3, self.beta3, step.t);
        visitor.visit(&Changes {
            new1: 1.0 - self.beta1,
            new2: 1.0 - self.beta2,
            look_ahead: self.beta2,
            keep3: self.beta3,
            change: if step.t == 1 { 0.0 } else { 1.0 },
            along_mean: self.lr / correct1 * correct3.sqrt(),
            along_change: self.lr * self.beta2 / correct2 * correct3.sqrt(),
            eps: self.eps * correct3.sqrt(),
            shrink: 1.0 + self.lr * self.weight_decay,
        })
    }
}

#[derive(Clone, Copy)]
struct Changes {
    new1: f64,
    new2: f64,
    /// Weight β₂ of the change in the look-ahead.
    look_ahead: f64,
    keep3: f64,
    /// 0 at the first update, which has no previous gradient, then 1.
    change: f64,
    /// Step along the mean gradient, times √(1 − β₃ᵗ).
    along_mean: f64,
    /// Step along the mean change, times √(1 − β₃ᵗ).
    along_change: f64,
    /// ε √(1 − β₃ᵗ)
    eps: f64,
    /// 1 + η λ
    shrink: f64,
}

impl Elementwise<4> for Changes {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, d, n, p]: &mut [L; 4]) -> L {
        let x = L::splat(self.change) * (g - *p);
        *p = g;
        *m = toward(*m, g, self.new1);
        *d = toward(*d, x, self.new2);
        *n = mean_square(*n, x.mul_add(L::splat(self.look_ahead), g), self.keep3);
        let u = d.mul_add(L::splat(self.along_change), L::splat(self.along_mean) * *m);
        (w - u / (n.sqrt() + L::splat(self.eps))) / L::splat(self.shrink)
    }
}
