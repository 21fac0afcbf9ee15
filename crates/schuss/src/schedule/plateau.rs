use super::Schedule;
use super::curve::Anneal;
use crate::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Plateau: cuts the value whenever the evaluation loss has not improved for more than `patience` epochs.
///
/// ```text
/// a loss is better if it is below best (1 − threshold)      threshold_mode=abs: below best − threshold
///                     mode=max: above best (1 + threshold)                      above best + threshold
/// η ← max(η factor, min_lr)   after patience + 1 epochs in a row that are not better, and then not for cooldown epochs
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.ReduceLROnPlateau`'s: mode min, factor 0.1, patience 10, threshold
/// 0.0001, threshold_mode rel, cooldown 0, min_lr 0, eps 1e-8 (smaller cuts are skipped). It observes the evaluation
/// loss at the end of every epoch, whatever its position in a chain; mode max is for a metric that should rise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Plateau {
    /// Desired direction of the metric.
    pub mode: Direction,
    /// Factor of each cut.
    pub factor: f64,
    /// Number of epochs in a row without improvement that are tolerated.
    pub patience: u64,
    /// Minimum improvement over the best loss.
    pub threshold: f64,
    /// Unit of the threshold.
    pub threshold_mode: ThresholdMode,
    /// Number of epochs after a cut that are ignored.
    pub cooldown: u64,
    /// Lower bound of the value.
    pub min_lr: f64,
    /// Minimum size of a cut; smaller ones are skipped.
    pub eps: f64,
}

/// Desired direction of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Lower is better, as for a loss.
    Min,
    /// Higher is better, as for accuracy.
    Max,
}

/// Unit of a plateau's threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdMode {
    /// Relative to the best loss.
    Rel,
    /// Absolute difference in loss.
    Abs,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            mode: Direction::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: ThresholdMode::Rel,
            cooldown: 0,
            min_lr: 0.0,
            eps: 1e-8,
        }
    }
}

impl Plateau {
    /// Returns true if `metric` improves on the best so far by more than the threshold.
    fn is_better(&self, metric: f64, best: Option<f64>) -> bool {
        let Some(best) = best else { return metric.is_finite() };
        let sign = match self.mode {
            Direction::Min => -1.0,
            Direction::Max => 1.0,
        };
        let bar = match self.threshold_mode {
            ThresholdMode::Rel => best * (1.0 + sign * self.threshold),
            ThresholdMode::Abs => best + sign * self.threshold,
        };
        sign * metric > sign * bar
    }
}

impl Choice for Plateau {
    const NAME: &'static str = "plateau";

    fn check(&self) -> Result<()> {
        non_negative(&[("threshold", self.threshold), ("min_lr", self.min_lr), ("eps", self.eps)])?;
        if !(0.0..1.0).contains(&self.factor) {
            let wrong = format!("factor must be at least 0 and below 1, not {}", self.factor);
            return Err(Error::usage(wrong));
        }
        Ok(())
    }
}

impl Anneal for Plateau {
    /// Takes a number of cuts instead of updates.
    fn value(&self, cuts: u64, base: f64) -> f64 {
        let mut value = base;
        for _ in 0..cuts {
            let lower = (value * self.factor).max(self.min_lr);
            if value - lower <= self.eps {
                break;
            }
            value = lower;
        }
        value
    }
}

/// State of the plateau schedules after the evaluations so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateaus {
    /// One per part of the schedule.
    watches: Vec<Watch>,
}

/// State of one plateau.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Watch {
    best: Option<f64>,
    /// Number of epochs in a row without improvement.
    bad: u64,
    /// Number of epochs still to be ignored.
    cooldown: u64,
    cuts: u64,
}

impl Plateaus {
    /// Observes the evaluation loss at the end of an epoch.
    pub fn observe(&mut self, schedule: &Schedule, eval_loss: f64) {
        self.watches.resize(schedule.parts.len(), Watch::default());
        for (watch, part) in self.watches.iter_mut().zip(&schedule.parts) {
            if let Some(plateau) = part.plateau() {
                watch.observe(plateau, eval_loss);
            }
        }
    }

    /// Returns the number of cuts so far in a part of the schedule.
    pub(super) fn cuts(&self, part: usize) -> u64 {
        self.watches.get(part).map_or(0, |watch| watch.cuts)
    }
}

impl Watch {
    /// Follows the order of operations of PyTorch's `step`.
    fn observe(&mut self, plateau: &Plateau, metric: f64) {
        if plateau.is_better(metric, self.best) {
            (self.best, self.bad) = (Some(metric), 0);
        } else {
            self.bad += 1;
        }
        if self.cooldown > 0 {
            (self.cooldown, self.bad) = (self.cooldown - 1, 0);
        }
        if self.bad > plateau.patience {
            (self.cuts, self.cooldown, self.bad) = (self.cuts + 1, plateau.cooldown, 0);
        }
    }
}
