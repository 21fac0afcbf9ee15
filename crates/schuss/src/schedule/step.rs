use super::curve::{Anneal, counts, non_negative};
use super::real::powi;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Step: a cut by the same factor every so many updates.
///
/// ```text
/// η(t) = η gamma^⌊t / step_size⌋
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.StepLR`'s: gamma 0.1; step_size must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Updates between two cuts.
    pub step_size: u64,
    /// What each cut leaves.
    pub gamma: f64,
}

impl Default for Step {
    fn default() -> Self {
        Self { step_size: 0, gamma: 0.1 }
    }
}

impl Anneal for Step {
    const NAME: &'static str = "step";

    fn check(&self) -> Result<()> {
        non_negative(&[("gamma", self.gamma)])?;
        counts(&[("step_size", Some(self.step_size))])
    }

    fn value(&self, t: u64, base: f64) -> f64 {
        base * powi(self.gamma, t / self.step_size)
    }
}

/// Multistep: a cut by the same factor at each of some updates.
///
/// ```text
/// η(t) = η gamma^(number of milestones ≤ t)
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.MultiStepLR`'s: gamma 0.1; milestones must be given, as in
/// `multistep:milestones=3000:4500`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Multistep {
    /// Updates, from 0, before which a cut is made.
    pub milestones: Vec<u64>,
    /// What each cut leaves.
    pub gamma: f64,
}

impl Default for Multistep {
    fn default() -> Self {
        Self { milestones: Vec::new(), gamma: 0.1 }
    }
}

impl Anneal for Multistep {
    const NAME: &'static str = "multistep";

    fn check(&self) -> Result<()> {
        if self.milestones.is_empty() {
            return Err(Error::usage("milestones must be given").advise("multistep:milestones=3000:4500"));
        }
        non_negative(&[("gamma", self.gamma)])
    }

    fn value(&self, t: u64, base: f64) -> f64 {
        let cuts = self.milestones.iter().filter(|&&milestone| milestone <= t).count();
        base * powi(self.gamma, cuts as u64)
    }
}
