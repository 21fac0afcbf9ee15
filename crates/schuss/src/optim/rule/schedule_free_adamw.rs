use super::adam::corrections;
use super::schedule_free_sgd::{Interpolated, Weighting, mean};
use super::terms::{mean_square, penalised};
use super::{ByElement, Describe, Shown, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal, positive};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Schedule-free AdamW: the mean of iterates that follow gradients scaled as in Adam, in place of its first moment.
///
/// ```text
/// ηₜ ← η min(t / k, 1)        h ← max(h, ηₜ)        q ← t^r h^a
/// s ← s + q        c ← q / s
/// v ← v + (1 − β₂) (g² − v)
/// d ← g / (√v / √(1 − β₂ᵗ) + ε) + λ w
/// w ← (1 − c) w + c z + ηₜ (β₁ (1 − c) − 1) d
/// z ← z − ηₜ d
/// ```
///
/// z are the iterates, which start at the initial weights. Gradients are taken at w (the paper's y); evaluation uses
/// the mean x of the iterates, with w = β₁ x + (1 − β₁) z. Without warm-up, ηₜ is η.
///
/// Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv 2405.15682). Keys and defaults are those of
/// `schedulefree.AdamWScheduleFree`. Differs: the paper's algorithm corrects ηₜ, not v.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleFreeAdamW {
    /// Learning rate η.
    pub lr: f64,
    /// Weight β₁ of the mean in the point at which gradients are taken.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Weight decay λ.
    pub weight_decay: f64,
    /// Updates k of the learning rate's linear warm-up.
    pub warmup_steps: f64,
    /// Exponent r of the update number in the weight of an iterate in the mean.
    pub r: f64,
    /// Exponent a of the largest learning rate so far in that weight.
    pub weight_lr_power: f64,
}

impl Default for ScheduleFreeAdamW {
    fn default() -> Self {
        Self {
            lr: 0.0025,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            warmup_steps: 0.0,
            r: 0.0,
            weight_lr_power: 2.0,
        }
    }
}

impl Choice for ScheduleFreeAdamW {
    const NAME: &'static str = "schedule-free-adamw";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        positive(&[("beta1", self.beta1)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])?;
        self.weighting().check()
    }
}

impl ScheduleFreeAdamW {
    fn weighting(&self) -> Weighting {
        let Self { lr, warmup_steps, r, weight_lr_power, .. } = *self;
        Weighting { lr, warmup_steps, r, weight_lr_power }
    }
}

impl Describe for ScheduleFreeAdamW {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::copied("z"), Slot::new("v")]
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        Weighting::SCALARS.to_vec()
    }

    knobs!(lr = lr, beta2 = beta2);

    fn shown(&self) -> Option<Shown> {
        Some(mean(0, self.beta1))
    }

    fn begin(&self, t: u64, scalars: &mut [f64]) {
        self.weighting().begin(t, scalars);
    }
}

impl ByElement for ScheduleFreeAdamW {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [_, correct2] = corrections(self.beta1, self.beta2, step.t);
        visitor.visit(&Scaled {
            interpolated: self.weighting().step(step, self.beta1),
            keep2: self.beta2,
            scale: correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
            weight_decay: self.weight_decay,
        })
    }
}

#[derive(Clone, Copy)]
struct Scaled {
    interpolated: Interpolated,
    keep2: f64,
    /// √(1 − β₂ᵗ)
    scale: f64,
    /// ε √(1 − β₂ᵗ)
    eps: f64,
    weight_decay: f64,
}

impl Elementwise<2> for Scaled {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [z, v]: &mut [L; 2]) -> L {
        *v = mean_square(*v, g, self.keep2);
        let d = L::splat(self.scale) * g / (v.sqrt() + L::splat(self.eps));
        self.interpolated.step(penalised(d, w, self.weight_decay), w, z)
    }
}
