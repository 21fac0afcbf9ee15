use super::curve::{Anneal, counts};
use super::real::powi;
use crate::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Step: multiplies the value by a factor every `step_size` updates.
///
/// ```text
/// η(t) = η gamma^⌊t / step_size⌋
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.StepLR`'s: gamma 0.1; step_size must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Number of updates between two cuts.
    pub step_size: u64,
    /// Factor of each cut.
    pub gamma: f64,
}

impl Default for Step {
    fn default() -> Self {
        Self { step_size: 0, gamma: 0.1 }
    }
}

impl Choice for Step {
    const NAME: &'static str = "step";

    fn check(&self) -> Result<()> {
        non_negative(&[("gamma", self.gamma)])?;
        counts(&[("step_size", Some(self.step_size))])
    }
}

impl Anneal for Step {
    fn value(&self, t: u64, base: f64) -> f64 {
        base * powi(self.gamma, t / self.step_size.max(1))
    }
}

/// Multistep: multiplies the value by the same factor at each milestone.
///
/// ```text
/// η(t) = η gamma^(number of milestones ≤ t)
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.MultiStepLR`'s: gamma 0.1; milestones must be given, as in
/// `multistep:milestones=3000:4500`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Multistep {
    /// Updates, counted from 0, before which a cut is made.
    pub milestones: Vec<u64>,
    /// Factor of each cut.
    pub gamma: f64,
}

impl Default for Multistep {
    fn default() -> Self {
        Self { milestones: Vec::new(), gamma: 0.1 }
    }
}

impl Choice for Multistep {
    const NAME: &'static str = "multistep";

    fn check(&self) -> Result<()> {
        if self.milestones.is_empty() {
            return Err(Error::usage("milestones must be given").advise("multistep:milestones=3000:4500"));
        }
        non_negative(&[("gamma", self.gamma)])
    }
}

impl Anneal for Multistep {
    fn value(&self, t: u64, base: f64) -> f64 {
        let cuts = self.milestones.iter().filter(|&&milestone| milestone <= t).count();
        base * powi(self.gamma, cuts as u64)
    }
}

/// Piecewise constant: multiplies the value by a separate factor at each boundary.
///
/// ```text
/// η(t) = η · product of the scales whose boundaries ≤ t
/// ```
///
/// As `optax.piecewise_constant_schedule`; both lists must be given, as in
/// `piecewise:boundaries=3000:4500,scales=0.1:0.5`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Piecewise {
    /// Updates, counted from 0, before which the value changes.
    pub boundaries: Vec<u64>,
    /// Factor at each boundary.
    pub scales: Vec<f64>,
}

impl Choice for Piecewise {
    const NAME: &'static str = "piecewise";

    fn check(&self) -> Result<()> {
        let scales: Vec<_> = self.scales.iter().map(|&scale| ("scales", scale)).collect();
        non_negative(&scales)?;
        if self.boundaries.is_empty() || self.boundaries.len() != self.scales.len() {
            return Err(Error::usage("boundaries and scales must be lists of the same length")
                .advise("piecewise:boundaries=3000:4500,scales=0.1:0.5"));
        }
        Ok(())
    }
}

impl Anneal for Piecewise {
    fn value(&self, t: u64, base: f64) -> f64 {
        let passed = self.boundaries.iter().zip(&self.scales).filter(|(boundary, _)| **boundary <= t);
        passed.fold(base, |value, (_, scale)| value * scale)
    }
}
