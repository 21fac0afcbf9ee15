use super::adam::corrections;
use super::terms::{mean_square, penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::schedule::real::powf;
use crate::spec::{Choice, below_one, non_negative, normal};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Lane, Math};
use serde::{Deserialize, Serialize};

/// AdEMAMix: AdamW with a second, very slow first moment.
///
/// ```text
/// m ← m + (1 − β₁) (g − m)        s ← s + (1 − β₃) (g − s)        v ← v + (1 − β₂) (g² − v)
/// w ← w − η ((m / (1 − β₁ᵗ) + α s) / (√v / √(1 − β₂ᵗ) + ε) + λ w)
/// ```
///
/// During a warm-up of k updates, α grows in proportion to t, and β₃ grows from β₁ so that the half-life of s grows
/// linearly: 1 / ln β₃ goes in a straight line from 1 / ln β₁.
///
/// Pagliardini, Ablin and Grangier, "The AdEMAMix Optimizer: Better, Faster, Older", ICLR 2025 (arXiv 2409.03137). Keys
/// and defaults are `optax.contrib.ademamix`'s, which has none for lr; `warmup` is the paper's T for both α and β₃.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct AdEmaMix {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the fast first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// Decay rate β₃ of the slow first moment.
    pub beta3: f64,
    /// Weight α of the slow first moment.
    pub alpha: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Number k of warm-up updates; 0 means no warm-up.
    pub warmup: f64,
}

impl Default for AdEmaMix {
    fn default() -> Self {
        Self {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            beta3: 0.9999,
            alpha: 5.0,
            eps: 1e-8,
            weight_decay: 0.0,
            warmup: 0.0,
        }
    }
}

impl Choice for AdEmaMix {
    const NAME: &'static str = "ademamix";

    fn check(&self) -> Result<()> {
        let Self { lr, beta1, beta2, beta3, alpha, weight_decay, warmup, .. } = *self;
        non_negative(&[("lr", lr), ("alpha", alpha), ("weight_decay", weight_decay), ("warmup", warmup)])?;
        below_one(&[("beta1", beta1), ("beta2", beta2), ("beta3", beta3)])?;
        if warmup > 0.0 && !(0.0 < beta1 && beta1 <= beta3) {
            return Err(Error::usage("warmup needs 0 < beta1 <= beta3, since beta3 grows from beta1"));
        }
        normal(&[("eps", self.eps)])
    }
}

impl AdEmaMix {
    /// Returns α and β₃ of update `t`.
    fn slow(&self, t: u64) -> (f64, f64) {
        let p = t as f64 / self.warmup;
        if t as f64 >= self.warmup {
            return (self.alpha, self.beta3);
        }
        let [fast, slow] = [self.beta1, self.beta3].map(Math::ln);
        (self.alpha * p, powf(self.beta1, slow / ((1.0 - p) * slow + p * fast)))
    }
}

impl Describe for AdEmaMix {
    fn slots(&self) -> Vec<Slot> {
        ["m", "s", "v"].map(Slot::new).to_vec()
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for AdEmaMix {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        let (alpha, beta3) = self.slow(step.t);
        visitor.visit(&Mixed {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            new3: 1.0 - beta3,
            along_fast: self.lr / correct1 * correct2.sqrt(),
            along_slow: self.lr * alpha * correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
            decay: self.lr * self.weight_decay,
        })
    }
}

#[derive(Clone, Copy)]
struct Mixed {
    new1: f64,
    keep2: f64,
    new3: f64,
    /// Step along the fast moment, times √(1 − β₂ᵗ).
    along_fast: f64,
    /// Step along the slow moment, times √(1 − β₂ᵗ).
    along_slow: f64,
    /// ε √(1 − β₂ᵗ)
    eps: f64,
    /// η λ
    decay: f64,
}

impl Elementwise<3> for Mixed {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, s, v]: &mut [L; 3]) -> L {
        *m = toward(*m, g, self.new1);
        *s = toward(*s, g, self.new3);
        *v = mean_square(*v, g, self.keep2);
        let along = s.mul_add(L::splat(self.along_slow), L::splat(self.along_fast) * *m);
        w - penalised(along / (v.sqrt() + L::splat(self.eps)), w, self.decay)
    }
}
