use super::Schedule;
use super::curve::Anneal;
use crate::recipe::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Plateau: a cut whenever the evaluation loss has not fallen for more than `patience` epochs.
///
/// ```text
/// a loss is better if it is below best (1 − threshold)      threshold_mode=abs: below best − threshold
///                     mode=max: above best (1 + threshold)                      above best + threshold
/// η ← max(η factor, min_lr)   after patience + 1 epochs in a row that are not better, and then not for cooldown epochs
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.ReduceLROnPlateau`'s: mode min, factor 0.1, patience 10, threshold
/// 0.0001, threshold_mode rel, cooldown 0, min_lr 0, eps 1e-8 (a smaller cut is none). It is shown the evaluation loss at
/// each epoch's end, wherever in a chain it stands; mode max is for a metric that should rise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Plateau {
    /// Where the metric should go.
    pub mode: Direction,
    /// What each cut leaves.
    pub factor: f64,
    /// So many epochs in a row may be no better.
    pub patience: u64,
    /// How much lower than the best a loss must be to be better.
    pub threshold: f64,
    /// What that is measured in.
    pub threshold_mode: ThresholdMode,
    /// After a cut, epochs that do not count.
    pub cooldown: u64,
    /// Lowest value.
    pub min_lr: f64,
    /// A cut by no more than this is not made.
    pub eps: f64,
}

/// Where a metric should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Down: a loss.
    Min,
    /// Up: an accuracy.
    Max,
}

/// What a plateau's threshold is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdMode {
    /// Shares of the best loss.
    Rel,
    /// The loss itself.
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
    /// Whether `metric` is better than the best so far by more than the threshold.
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
    /// Counts cuts in place of updates.
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

/// The evaluations so far, as far as plateau schedules look at them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateaus {
    /// One for each part of the schedule.
    watches: Vec<Watch>,
}

/// What one plateau has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Watch {
    best: Option<f64>,
    /// Epochs in a row that were no better.
    bad: u64,
    /// Epochs that will not count.
    cooldown: u64,
    cuts: u64,
}

impl Plateaus {
    /// Looks at the evaluation loss at an epoch's end.
    pub fn observe(&mut self, schedule: &Schedule, eval_loss: f64) {
        self.watches.resize(schedule.parts.len(), Watch::default());
        for (watch, part) in self.watches.iter_mut().zip(&schedule.parts) {
            if let Some(plateau) = part.plateau() {
                watch.observe(plateau, eval_loss);
            }
        }
    }

    /// Cuts so far in a part of the schedule.
    pub(super) fn cuts(&self, part: usize) -> u64 {
        self.watches.get(part).map_or(0, |watch| watch.cuts)
    }
}

impl Watch {
    /// In the order of torch's `step`.
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
