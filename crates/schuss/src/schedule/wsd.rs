use super::curve::{Anneal, non_negative};
use super::real::between;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// WSD: warm up, stay, decay.
///
/// ```text
/// η(t) = η t / warmup                                      t < warmup
/// η(t) = η                                                 for stable updates
/// η(t) = η (end_factor + (1 − end_factor) (1 − f(p)))      p from 0 to 1 in decay updates; f(p) = p (linear), √p (sqrt)
/// ```
///
/// Hu et al., "MiniCPM", 2024, section 4 (arXiv 2404.06395); the decays are those of Hägele et al., "Scaling Laws and
/// Compute-Optimal Training Beyond Fixed Training Durations", 2024 (arXiv 2405.18392). `warmup`, `stable` and `decay` are
/// updates, or below 1 shares of the trial. Defaults: warmup 0, decay 0.2, stable the rest of the trial, decay_type
/// linear, end_factor 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wsd {
    /// Updates, or share of the trial, that go up.
    pub warmup: f64,
    /// Updates, or share, at the optimizer's value; what the others leave when left out.
    pub stable: Option<f64>,
    /// Updates, or share, that go down.
    pub decay: f64,
    /// Along what.
    pub decay_type: Decay,
    /// Share of the optimizer's value that is left at the end.
    pub end_factor: f64,
}

/// How the learning rate goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Along a straight line.
    Linear,
    /// As one minus the square root: fast, then slowly.
    Sqrt,
}

impl Default for Wsd {
    fn default() -> Self {
        Self { warmup: 0.0, stable: None, decay: 0.2, decay_type: Decay::Linear, end_factor: 0.0 }
    }
}

impl Wsd {
    fn lengths(&self) -> [(&'static str, f64); 3] {
        [("warmup", self.warmup), ("stable", self.stable.unwrap_or(0.0)), ("decay", self.decay)]
    }
}

impl Anneal for Wsd {
    const NAME: &'static str = "wsd";

    fn check(&self) -> Result<()> {
        let lengths = self.lengths();
        non_negative(&lengths)?;
        non_negative(&[("end_factor", self.end_factor)])?;
        if let Some((key, length)) = lengths.iter().find(|(_, length)| *length > 1.0 && length.fract() != 0.0)
        {
            return Err(Error::usage(format!(
                "{key} must be whole updates, or a share below 1, not {length}"
            )));
        }
        let shares: f64 = lengths.iter().map(|(_, length)| length).filter(|length| **length < 1.0).sum();
        if shares > 1.0 {
            return Err(Error::usage(
                "the shares of warmup, stable and decay must not be more than 1 together",
            ));
        }
        Ok(())
    }

    fn value(&self, t: u64, base: f64) -> f64 {
        let t = t as f64;
        if t < self.warmup {
            return base * t / self.warmup;
        }
        let decaying = t - self.warmup - self.stable.unwrap_or(f64::INFINITY);
        let p = (decaying / self.decay.max(1.0)).clamp(0.0, 1.0);
        let fallen = match self.decay_type {
            Decay::Linear => p,
            Decay::Sqrt => p.sqrt(),
        };
        base * between(1.0, self.end_factor, fallen)
    }

    fn length(&self) -> Option<u64> {
        let whole = self.stable.is_some() && self.lengths().iter().all(|(_, length)| length.fract() == 0.0);
        whole.then(|| self.lengths().iter().map(|(_, length)| *length as u64).sum())
    }

    fn resolve(&mut self, updates: u64) {
        let updates = updates as f64;
        let whole = |length: f64| if length < 1.0 { (length * updates).round() } else { length };
        (self.warmup, self.decay) = (whole(self.warmup), whole(self.decay));
        let rest = (updates - self.warmup - self.decay).max(0.0);
        self.stable = Some(self.stable.map_or(rest, whole));
    }
}
