//! Comparison of trials by what they train.

use crate::recipe::UpdateRule;
use crate::record::{Status, TrialRecord};
use crate::schedule::Schedule;

impl TrialRecord {
    /// Returns true if more epochs would continue the trial: it used up its epochs, and its schedule does not end with
    /// them.
    pub fn can_be_extended(&self) -> bool {
        let made_for_these = |schedule: Schedule| schedule.ends_with(self.budget.updates);
        self.status == Status::Finished
            && self.budget.max_updates.is_none()
            && !self.recipe.get("schedule").is_some_and(|schedule| schedule.parse().is_ok_and(made_for_these))
    }

    /// Returns true if `other` trains identically on `train` samples, whatever its name: `batch:100` is `epoch` on 48
    /// samples.
    pub fn is_same_recipe(&self, other: &Self, train: usize) -> bool {
        let samples =
            |trial: &Self| Some(trial.recipe.get("update")?.parse::<UpdateRule>().ok()?.samples(train));
        let rest = |trial: &Self| {
            let mut recipe = trial.recipe.clone();
            recipe.set("update", "");
            let target =
                trial.target.clone().map(|target| (target.metric, target.op, target.value.to_bits()));
            (trial.network.clone(), recipe, target, trial.budget)
        };
        samples(self) == samples(other) && rest(self) == rest(other)
    }
}
