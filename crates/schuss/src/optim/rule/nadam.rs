use super::adam::{corrections, moments};
use super::terms::{mean_square, penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::schedule::real::powf;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// NAdam: Adam with Nesterov momentum, which grows over the first updates.
///
/// ```text
/// g ← g + λ w
/// m ← m + (1 − β₁) (g − m)        v ← v + (1 − β₂) (g² − v)
/// μ ← β₁ (1 − 0.5 · 0.96^(t ψ))        μ′ ← β₁ (1 − 0.5 · 0.96^((t + 1) ψ))        p ← p μ
/// w ← w − η ((1 − μ) / (1 − p) g + μ′ / (1 − p μ′) m) / (√v / √(1 − β₂ᵗ) + ε)
/// ```
///
/// p, the product of all μ, is initially 1. With `decoupled_weight_decay`, w ← w − η λ w replaces the first line.
///
/// Dozat, "Incorporating Nesterov Momentum into Adam", ICLR 2016 workshop. Keys and defaults are `torch.optim.NAdam`'s;
/// the equation is computed with √(1 − β₂ᵗ) multiplied into η and ε. PyTorch keeps p in f32 even if the weights are
/// f64. Differs: Keras has η = 0.001 and ε = 1e-7; optax has a constant momentum, see `nadamw`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct NAdam {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment, and final momentum.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Weight decay λ: an L2 penalty, unless it is decoupled.
    pub weight_decay: f64,
    /// Growth rate ψ of the momentum.
    pub momentum_decay: f64,
    /// True to decouple weight decay from the moments, as in AdamW.
    pub decoupled_weight_decay: bool,
}

impl Default for NAdam {
    fn default() -> Self {
        Self {
            lr: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled_weight_decay: false,
        }
    }
}

impl Choice for NAdam {
    const NAME: &'static str = "nadam";

    fn check(&self) -> Result<()> {
        let Self { lr, weight_decay, momentum_decay, .. } = *self;
        non_negative(&[("lr", lr), ("weight_decay", weight_decay), ("momentum_decay", momentum_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl NAdam {
    /// Returns the momentum μ of update `t`.
    fn momentum_at(&self, t: u64) -> f64 {
        self.beta1 * (1.0 - 0.5 * powf(0.96, t as f64 * self.momentum_decay))
    }
}

impl Describe for NAdam {
    fn slots(&self) -> Vec<Slot> {
        moments(false)
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![("p", 1.0)]
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);

    fn begin(&self, t: u64, scalars: &mut [f64]) {
        scalars.iter_mut().for_each(|p| *p *= self.momentum_at(t));
    }
}

impl ByElement for NAdam {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let p = step.scalars.first().copied().unwrap_or(0.0); // 0: its limit
        let (momentum, next) = (self.momentum_at(step.t), self.momentum_at(step.t + 1));
        let decay = self.lr * self.weight_decay;
        let (penalty, decay) =
            if self.decoupled_weight_decay { (0.0, decay) } else { (self.weight_decay, 0.0) };
        let [_, correct2] = corrections(self.beta1, self.beta2, step.t);
        visitor.visit(&LookAhead {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            along_gradient: self.lr * (1.0 - momentum) / (1.0 - p) * correct2.sqrt(),
            along_moment: self.lr * next / (1.0 - p * next) * correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
            weight_decay: penalty,
            decay,
        })
    }
}

/// Adam's step along both the gradient and the first moment.
#[derive(Clone, Copy)]
pub(super) struct LookAhead {
    pub(super) new1: f64,
    pub(super) keep2: f64,
    /// Step along the gradient, times √(1 − β₂ᵗ).
    pub(super) along_gradient: f64,
    /// Step along the first moment, times √(1 − β₂ᵗ).
    pub(super) along_moment: f64,
    /// ε √(1 − β₂ᵗ)
    pub(super) eps: f64,
    /// λ of the L2 penalty
    pub(super) weight_decay: f64,
    /// η λ of decoupled weight decay
    pub(super) decay: f64,
}

impl LookAhead {
    /// Updates the moments. Returns the steps along the gradient and along the first moment.
    #[inline(always)]
    pub(super) fn steps<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> [L; 2] {
        let g = penalised(g, w, self.weight_decay);
        *m = toward(*m, g, self.new1);
        *v = mean_square(*v, g, self.keep2);
        let scale = L::splat(1.0) / (v.sqrt() + L::splat(self.eps));
        [L::splat(self.along_gradient) * g * scale, L::splat(self.along_moment) * *m * scale]
    }
}

/// Applies one step after the other, as PyTorch rounds them.
impl Elementwise<2> for LookAhead {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, slots: &mut [L; 2]) -> L {
        let [along_gradient, along_moment] = self.steps(g, w, slots);
        w - penalised(along_gradient, w, self.decay) - along_moment
    }
}
