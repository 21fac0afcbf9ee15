use super::terms::{penalised, toward};
use super::{ByElement, Describe, Shown, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::schedule::real::powf;
use crate::spec::{Choice, below_one, non_negative, positive};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Schedule-free SGD: the mean of all iterates of gradient descent, with gradients taken near that mean. It needs no
/// schedule, so the number of updates need not be known in advance.
///
/// ```text
/// ηₜ ← η min(t / k, 1)        h ← max(h, ηₜ)        q ← t^r h^a
/// s ← s + q        c ← q / s
/// g ← g + λ w
/// w ← (1 − c) w + c z + ηₜ (μ (1 − c) − 1) g
/// z ← z − ηₜ g
/// ```
///
/// z are the iterates, which start at the initial weights. Gradients are taken at w (the paper's y); evaluation uses
/// the mean x of the iterates, with w = μ x + (1 − μ) z. Without warm-up, ηₜ is η.
///
/// Defazio et al., "The Road Less Scheduled", NeurIPS 2024 (arXiv 2405.15682). Keys and defaults are those of
/// `schedulefree.SGDScheduleFree`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleFreeSgd {
    /// Learning rate η.
    pub lr: f64,
    /// Weight μ (the paper's β) of the mean in the point at which gradients are taken.
    pub momentum: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// Updates k of the learning rate's linear warm-up.
    pub warmup_steps: f64,
    /// Exponent r of the update number in the weight of an iterate in the mean.
    pub r: f64,
    /// Exponent a of the largest learning rate so far in that weight.
    pub weight_lr_power: f64,
}

impl Default for ScheduleFreeSgd {
    fn default() -> Self {
        Self { lr: 1.0, momentum: 0.9, weight_decay: 0.0, warmup_steps: 0.0, r: 0.0, weight_lr_power: 2.0 }
    }
}

impl Choice for ScheduleFreeSgd {
    const NAME: &'static str = "schedule-free-sgd";

    fn check(&self) -> Result<()> {
        let Self { lr, momentum, weight_decay, .. } = *self;
        non_negative(&[("lr", lr), ("weight_decay", weight_decay)])?;
        positive(&[("momentum", momentum)])?;
        below_one(&[("momentum", momentum)])?;
        self.weighting().check()
    }
}

impl ScheduleFreeSgd {
    fn weighting(&self) -> Weighting {
        let Self { lr, warmup_steps, r, weight_lr_power, .. } = *self;
        Weighting { lr, warmup_steps, r, weight_lr_power }
    }
}

impl Describe for ScheduleFreeSgd {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::copied("z")]
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        Weighting::SCALARS.to_vec()
    }

    knobs!(lr = lr);

    fn shown(&self) -> Option<Shown> {
        Some(mean(0, self.momentum))
    }

    fn begin(&self, t: u64, scalars: &mut [f64]) {
        self.weighting().begin(t, scalars);
    }
}

impl ByElement for ScheduleFreeSgd {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let interpolated = self.weighting().step(step, self.momentum);
        visitor.visit(&Descent { interpolated, weight_decay: self.weight_decay })
    }
}

/// Returns x in terms of w and slot `z`.
pub(super) fn mean(z: usize, momentum: f64) -> Shown {
    Shown { slot: z, share: 1.0 - 1.0 / momentum }
}

/// Learning rates of the updates, and weights of the iterates in their mean.
pub(super) struct Weighting {
    pub(super) lr: f64,
    pub(super) warmup_steps: f64,
    pub(super) r: f64,
    pub(super) weight_lr_power: f64,
}

impl Weighting {
    /// The largest learning rate so far and the sum of weights.
    pub(super) const SCALARS: [(&str, f64); 2] = [("h", 0.0), ("s", 0.0)];

    pub(super) fn check(&self) -> Result<()> {
        let Self { warmup_steps, r, weight_lr_power, .. } = *self;
        non_negative(&[("warmup_steps", warmup_steps), ("r", r), ("weight_lr_power", weight_lr_power)])
    }

    /// ηₜ
    fn lr_at(&self, t: u64) -> f64 {
        if t as f64 >= self.warmup_steps { self.lr } else { self.lr * (t as f64 / self.warmup_steps) }
    }

    /// q
    fn weight(&self, t: u64, largest_lr: f64) -> f64 {
        powf(t as f64, self.r) * powf(largest_lr, self.weight_lr_power)
    }

    pub(super) fn begin(&self, t: u64, scalars: &mut [f64]) {
        if let [h, s] = scalars {
            *h = h.max(self.lr_at(t));
            *s += self.weight(t, *h);
        }
    }

    /// Returns the step that `begin` has prepared.
    pub(super) fn step(&self, step: &Step, momentum: f64) -> Interpolated {
        let share = match *step.scalars {
            [h, s] if s > 0.0 => self.weight(step.t, h) / s,
            _ => 0.0,
        };
        let lr = self.lr_at(step.t);
        Interpolated { lr, share, along: lr * (momentum * (1.0 - share) - 1.0) }
    }
}

/// A step of z, and the resulting w.
#[derive(Clone, Copy)]
pub(super) struct Interpolated {
    /// ηₜ
    lr: f64,
    /// c
    share: f64,
    /// ηₜ (μ (1 − c) − 1)
    along: f64,
}

impl Interpolated {
    #[inline(always)]
    pub(super) fn step<L: Lane>(&self, d: L, w: L, z: &mut L) -> L {
        let w = d.mul_add(L::splat(self.along), toward(w, *z, self.share));
        *z = d.mul_add(L::splat(-self.lr), *z);
        w
    }
}

#[derive(Clone, Copy)]
struct Descent {
    interpolated: Interpolated,
    weight_decay: f64,
}

impl Elementwise<1> for Descent {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [z]: &mut [L; 1]) -> L {
        self.interpolated.step(penalised(g, w, self.weight_decay), w, z)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Reference;

    #[test]
    fn what_is_shown_is_the_weighted_mean_of_all_iterates() {
        let rule = ScheduleFreeSgd { lr: 0.3, warmup_steps: 4.0, r: 1.0, ..Default::default() };
        let Shown { slot, share } = rule.shown().unwrap();
        let (mut w, mut weighted, mut weights) = ([0.7], 0.0, 0.0);
        let mut descent = Reference::new(rule.clone().into(), &w);
        for t in 1..=10 {
            descent.step(&[w[0] - 0.1 * t as f64], &mut w);
            let (z, weight) =
                (descent.slots()[slot][0], rule.weighting().weight(t, rule.weighting().lr_at(t)));
            weighted += weight * z;
            weights += weight;
            let shown = w[0] + share * (z - w[0]);
            assert!((shown - weighted / weights).abs() < 1e-14, "update {t}");
        }
    }
}
