//! Outcomes of trials by the measure that ranks them.

use super::comparison::Scale;
use super::outcome::Outcome;
use super::racer::{Entry, Racer};
use super::recipe::Recipe;
use crate::record::{Measure, Status, Timing, TrialRecord};

impl Measure {
    /// Returns the measure that ranks these recipes: time if there is a target, else the final loss or, if recipes
    /// minimise different losses, the final accuracy.
    pub(super) fn of(recipes: &[Recipe]) -> Self {
        let mut trials = recipes.iter().flat_map(|recipe| &recipe.trials);
        let has_target = recipes.iter().any(|recipe| recipe.first().target.is_some());
        match (has_target, trials.any(|trial| trial.timing == Timing::Shared)) {
            (true, false) => Self::TrainSeconds,
            (true, true) => Self::Updates,
            (false, _) if recipes.iter().all(|recipe| recipe.choice("loss") == recipes[0].choice("loss")) => {
                Self::EvalLoss
            }
            (false, _) => Self::EvalAccuracy,
        }
    }

    pub(super) fn scale(self) -> Scale {
        match self {
            Self::TrainSeconds | Self::Updates => Scale::Ratio,
            Self::EvalLoss | Self::EvalAccuracy => Scale::Difference,
        }
    }

    /// Returns 1 if lower is better, and −1 if higher is: outcomes are multiplied by it.
    pub(in crate::study) fn sign(self) -> f64 {
        if self == Self::EvalAccuracy { -1.0 } else { 1.0 }
    }

    /// Returns the amount that a relative difference of final values refers to: the loss, or the share of errors.
    pub(super) fn badness(self, outcome: f64) -> f64 {
        if self == Self::EvalAccuracy { 1.0 + outcome } else { outcome.abs() }
    }

    /// Returns the outcome of a trial; `None` if it has none, because it was interrupted before its final value.
    pub(super) fn outcome(self, trial: &TrialRecord) -> Option<Outcome> {
        if self.is_time() { Some(self.time(trial)) } else { self.last(trial) }
    }

    /// Returns the outcomes of a recipe.
    pub(super) fn racer(self, recipe: &Recipe) -> Racer {
        let entry = |trial: &&TrialRecord| Some(self.entry(trial, self.outcome(trial)?));
        let entries = recipe.trials.iter().filter_map(entry).collect();
        let (tuning, tuning_error) = (self.tuning(recipe), self.tuning_error(recipe));
        Racer { entries, tuning, tuning_error, shared_error: None }
    }

    /// Returns the entry of a trial with this outcome.
    pub(super) fn entry(self, trial: &TrialRecord, outcome: Outcome) -> Entry {
        let is_cut = matches!(trial.status, Status::Interrupted | Status::Failed);
        Entry { seed: trial.seed, outcome, spent: self.spent(trial), is_cut }
    }

    /// Returns the time that tuning took, if it counts.
    pub(super) fn tuning(self, recipe: &Recipe) -> f64 {
        match self {
            Self::TrainSeconds => recipe.tuning.train_seconds,
            Self::Updates => recipe.tuning.updates as f64,
            Self::EvalLoss | Self::EvalAccuracy => 0.0,
        }
    }

    /// Returns the standard error of the time that tuning took, if it counts; numbers of updates have none.
    fn tuning_error(self, recipe: &Recipe) -> f64 {
        if self == Self::TrainSeconds { recipe.tuning_error } else { 0.0 }
    }

    /// Returns the time to the target: censored at the end of the trial, and infinite if it diverged before.
    fn time(self, trial: &TrialRecord) -> Outcome {
        let target = trial.target.as_ref();
        let reached = match self {
            Self::Updates => target.and_then(|target| target.updates).map(|updates| updates as f64),
            _ => target.and_then(|target| target.seconds),
        };
        match reached.filter(|time| time.is_finite()) {
            Some(time) => Outcome::Reached(time),
            None if trial.status == Status::Diverged => Outcome::Never,
            None => Outcome::Beyond(self.spent(trial)),
        }
    }

    /// Returns the time that a trial trained.
    pub(super) fn spent(self, trial: &TrialRecord) -> f64 {
        let spent = if self == Self::Updates { trial.updates as f64 } else { trial.train_seconds };
        if spent.is_finite() { spent } else { 0.0 }
    }

    /// Returns the value at the end of the budget.
    fn last(self, trial: &TrialRecord) -> Option<Outcome> {
        let row = trial.epochs.last();
        let value = match self {
            Self::EvalAccuracy => row.and_then(|row| row.eval_accuracy),
            _ => row.and_then(|row| row.eval_loss),
        };
        match trial.status {
            Status::Diverged => Some(Outcome::Never),
            Status::Finished | Status::Stopped => {
                value.filter(|value| value.is_finite()).map(|value| Outcome::Reached(self.sign() * value))
            }
            Status::Target | Status::Interrupted | Status::Failed => None,
        }
    }
}
