//! Remarks on single recipes and trials.

use super::super::recipe::{Recipe, same};
use super::{Words, called, named, named_or_counted};
use crate::record::numbers::{count, plural};
use crate::record::{Measure, Status, Timing, TrialRecord};
use std::collections::BTreeSet;

impl Words<'_> {
    pub(super) fn remarks(&self) -> Vec<String> {
        let one =
            [self.nothing_learned(), self.diverged(), self.unfinished(), self.shared(), self.timed_apart()];
        self.same().into_iter().chain(one.into_iter().flatten()).collect()
    }

    /// Returns a sentence for each group of recipes that differ in nothing but their names.
    fn same(&self) -> Vec<String> {
        let sentence = |group: Vec<&Recipe>| {
            let names: Vec<String> = group.iter().map(|recipe| called(recipe.name)).collect();
            format!(
                "{} are the same recipe on {} samples: any difference between them is noise.",
                named(&names),
                count(self.summary.data.counts.train as u64)
            )
        };
        same(self.summary, self.recipes).into_iter().map(sentence).collect()
    }

    /// Returns a sentence on recipes that ended no better than chance.
    fn nothing_learned(&self) -> Option<String> {
        let names = self.recipes.iter().filter_map(|recipe| {
            let seeds = recipe.trials.len();
            match recipe.trials.iter().filter(|trial| trial.learned == Some(false)).count() {
                0 => None,
                all if all == seeds => Some(called(recipe.name)),
                some => Some(format!("{} ({some} of {seeds} seeds)", called(recipe.name))),
            }
        });
        let names: Vec<String> = names.collect();
        let did_not = "did not learn: no better than chance, or the loss exploded.";
        (!names.is_empty()).then(|| format!("{} {did_not}", named_or_counted(&names)))
    }

    fn trials(&self) -> Vec<&TrialRecord> {
        self.recipes.iter().flat_map(|recipe| recipe.trials.iter().copied()).collect()
    }

    fn diverged(&self) -> Option<String> {
        let all = self.trials().len();
        let mut trials = self.trials();
        trials.retain(|trial| trial.status == Status::Diverged);
        trials.sort_by_key(|trial| trial.diverged.as_ref().map_or(u64::MAX, |place| place.update));
        match trials.as_slice() {
            [] => None,
            _ if trials.len() == all && all > 1 => {
                Some(format!("Every one of the {} diverged: there is no result.", plural(all, "trial")))
            }
            [one] => Some(format!("{} diverged{}.", self.named_trial(one), place(one))),
            [first, ..] => Some(format!(
                "{} diverged, {} earliest{}.",
                plural(trials.len(), "trial"),
                self.named_trial(first),
                place(first)
            )),
        }
    }

    /// Returns the name of a trial, with its seed if its recipe has several: `adam with seed 3`.
    fn named_trial(&self, trial: &TrialRecord) -> String {
        let mut same = self.recipes.iter().filter(|recipe| recipe.config_id == trial.config_id);
        let has_several = same.any(|recipe| recipe.trials.len() > 1);
        let seed = if has_several { format!(" with seed {}", trial.seed) } else { String::new() };
        called(&trial.name) + &seed
    }

    fn unfinished(&self) -> Option<String> {
        let n = self.trials().into_iter().filter(|trial| is_cut(trial)).count();
        (n > 0).then(|| format!("{} did not run to the end of the budget.", plural(n, "trial")))
    }

    fn shared(&self) -> Option<String> {
        let is_shared = self.trials().iter().any(|trial| trial.timing == Timing::Shared);
        let updates = if self.verdict.by == Measure::Updates {
            " The target is timed in updates, and an update of one recipe may take longer than that of another."
        } else {
            ""
        };
        is_shared.then(|| format!("Trials shared the machine: their seconds cannot be compared.{updates}"))
    }

    /// Returns a sentence if trials with the same seed were timed in different ways: by parts of the run with other limits,
    /// or by several runs.
    fn timed_apart(&self) -> Option<String> {
        let trials = self.trials();
        let differs = |a: &TrialRecord| trials.iter().any(|b| a.seed == b.seed && a.timing != b.timing);
        let seeds: BTreeSet<u64> =
            trials.iter().filter(|trial| differs(trial)).map(|trial| trial.seed).collect();
        let why = if self.summary.study.merged {
            "they come from different runs"
        } else {
            "the run went on with other limits"
        };
        (self.verdict.by == Measure::TrainSeconds && !seeds.is_empty()).then(|| {
            format!(
                "The recipes were timed in different ways with {}, alone, by turns or by their updates, because {why}: the noise of the machine is not the same for both of a pair.",
                plural(seeds.len(), "seed")
            )
        })
    }
}

/// Returns true for a trial that was interrupted or failed.
pub(super) fn is_cut(trial: &TrialRecord) -> bool {
    matches!(trial.status, Status::Interrupted | Status::Failed)
}

/// Returns the update at which a trial diverged, and how far its learning rate was past the stability bound.
fn place(trial: &TrialRecord) -> String {
    let Some(place) = &trial.diverged else { return String::new() };
    let bound = place.stability.as_ref().map_or_else(String::new, |bound| format!(": {}", bound.words()));
    format!(" at update {}{bound}", count(place.update))
}
