use super::curve::Anneal;
use super::real::{between, half_cosine};
use crate::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// WSD: warm-up, stable phase, decay.
///
/// ```text
/// η(t) = η t / warmup_steps       t < warmup_steps
/// η(t) = η                        for stable_steps
/// η(t) = η (min_lr_ratio + (1 − min_lr_ratio) d(p))    p from 0 to 1 in decay_steps
/// d(p) = 1 − p (linear), (1 + cos πp) / 2 (cosine), 1 − √p (one-minus-sqrt)
/// ```
///
/// Hu et al., "MiniCPM", 2024, section 4 (arXiv 2404.06395); the last decay is that of Hägele et al., "Scaling Laws and
/// Compute-Optimal Training Beyond Fixed Training Durations", 2024 (arXiv 2405.18392). Lengths are in updates; values
/// below 1 are fractions of the trial. Defaults: warmup_steps 0, decay_steps 0.2, stable_steps the rest of the trial,
/// decay linear, min_lr_ratio 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Wsd {
    /// Length of the warm-up, in updates or as a fraction of the trial.
    pub warmup_steps: f64,
    /// Length of the stable phase, in updates or as a fraction of the trial.
    pub stable_steps: Option<f64>,
    /// Length of the decay, in updates or as a fraction of the trial.
    pub decay_steps: f64,
    /// Shape of the decay.
    pub decay: Decay,
    /// Final value, as a fraction of the optimizer's value.
    pub min_lr_ratio: f64,
}

/// Shape of the decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// A straight line.
    Linear,
    /// Half a cosine.
    Cosine,
    /// One minus the square root: fast at first, then slow.
    #[serde(alias = "sqrt")]
    OneMinusSqrt,
}

impl Default for Wsd {
    fn default() -> Self {
        Self {
            warmup_steps: 0.0,
            stable_steps: None,
            decay_steps: 0.2,
            decay: Decay::Linear,
            min_lr_ratio: 0.0,
        }
    }
}

impl Wsd {
    /// Iterates over the given lengths with their keys.
    fn lengths(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let stable = self.stable_steps.map(|steps| ("stable_steps", steps));
        [("warmup_steps", self.warmup_steps), ("decay_steps", self.decay_steps)].into_iter().chain(stable)
    }
}

impl Choice for Wsd {
    const NAME: &'static str = "wsd";

    fn check(&self) -> Result<()> {
        let lengths: Vec<_> = self.lengths().collect();
        non_negative(&lengths)?;
        non_negative(&[("min_lr_ratio", self.min_lr_ratio)])?;
        if let Some((key, length)) = lengths.iter().find(|(_, length)| *length > 1.0 && length.fract() != 0.0)
        {
            let wrong = format!("{key} must be a number of updates or a fraction below 1, not {length}");
            return Err(Error::usage(wrong));
        }
        let shares: f64 = lengths.iter().map(|(_, length)| length).filter(|length| **length < 1.0).sum();
        if shares > 1.0 + f64::EPSILON {
            return Err(Error::usage(
                "warmup_steps, stable_steps and decay_steps add up to more than the trial",
            ));
        }
        Ok(())
    }
}

impl Anneal for Wsd {
    fn value(&self, t: u64, base: f64) -> f64 {
        let t = t as f64;
        if t < self.warmup_steps {
            return base * t / self.warmup_steps;
        }
        let decaying = t - self.warmup_steps - self.stable_steps.unwrap_or(f64::INFINITY);
        let p = (decaying / self.decay_steps.max(1.0)).clamp(0.0, 1.0);
        let left = match self.decay {
            Decay::Linear => 1.0 - p,
            Decay::Cosine => half_cosine(p),
            Decay::OneMinusSqrt => 1.0 - p.sqrt(),
        };
        base * between(self.min_lr_ratio, 1.0, left)
    }

    fn length(&self) -> Option<u64> {
        let known = self.stable_steps.is_some() && self.lengths().all(|(_, length)| length.fract() == 0.0);
        known.then(|| self.lengths().map(|(_, length)| length).sum::<f64>() as u64)
    }

    fn resolve(&mut self, updates: u64) {
        let updates = updates as f64;
        let whole = |length: f64| if length < 1.0 { (length * updates).round() } else { length };
        (self.warmup_steps, self.decay_steps) = (whole(self.warmup_steps), whole(self.decay_steps));
        let rest = (updates - self.warmup_steps - self.decay_steps).max(0.0);
        self.stable_steps = Some(self.stable_steps.map_or(rest, whole));
    }
}
