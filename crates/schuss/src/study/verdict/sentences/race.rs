//! Times to the target.

use super::super::evaluations::met_at_once;
use super::remarks::is_cut;
use super::{Words, amount, called, named, pair_interval, spread};
use crate::record::numbers::{plural, significant};
use crate::record::{Measure, PairVerdict, RecipeVerdict, Status};

impl Words<'_> {
    /// Returns who reached the target first, and who followed.
    pub(super) fn race(&self) -> Vec<String> {
        let Some(target) = &self.verdict.target else { return vec![] };
        let target = target.words(&self.summary.data.eval_split);
        let ranked = self.verdict.ranked();
        let Some(first) = ranked.first().filter(|first| first.reached > 0) else {
            return self.nobody(&target).into_iter().collect();
        };
        if ranked.iter().all(|recipe| recipe.reached == recipe.trials && recipe.expected == Some(0.0)) {
            return vec![format!(
                "Every trial met {target} before its first update, so there is no race: the target is too easy."
            )];
        }
        let lead = match ranked.get(1) {
            None => format!("{} reached {target} {}.", called(&first.name), self.reached(first)),
            Some(second) => format!(
                "{} reached {target} first, {}{}.",
                called(&first.name),
                self.reached(first),
                self.ahead(first, second)
            ),
        };
        let others: Vec<String> = ranked[1..].iter().map(|recipe| self.follower(recipe)).collect();
        let then = (!others.is_empty()).then(|| format!("Then {}.", named(&others)));
        [Some(lead), then, self.at_once(&target)].into_iter().flatten().collect()
    }

    fn nobody(&self, target: &str) -> Option<String> {
        let trials: Vec<_> = self.recipes.iter().flat_map(|recipe| &recipe.trials).collect();
        if trials.iter().all(|trial| trial.status == Status::Diverged) {
            return None;
        }
        let when = match trials.iter().filter(|trial| is_cut(trial)).count() {
            0 => "within its budget",
            all if all == trials.len() => "before it was interrupted",
            _ => "within its budget, or before it was interrupted",
        };
        Some(match trials.len() {
            1 => format!("{} did not reach {target} {when}.", called(&trials[0].name)),
            n => format!("None of the {} reached {target} {when}.", plural(n, "trial")),
        })
    }

    /// Returns when a recipe reached the target: `after 12.3 s of training (median; range 11 to 14 s; 5 of 5 seeds)`.
    fn reached(&self, recipe: &RecipeVerdict) -> String {
        let by = self.verdict.by;
        let of_training = if by == Measure::TrainSeconds { " of training" } else { "" };
        let spread = spread(recipe, by);
        match recipe.median {
            Some(time) if recipe.trials == 1 => format!("after {}{of_training}", amount(by, time)),
            Some(time) => format!(
                "after {}{of_training} (median; {}{})",
                amount(by, time),
                spread.map_or_else(String::new, |spread| spread + "; "),
                seeds(recipe)
            ),
            None => format!("but only with {}", seeds(recipe)),
        }
    }

    /// Returns how many times as fast a recipe is as the next.
    fn ahead(&self, first: &RecipeVerdict, second: &RecipeVerdict) -> String {
        // a ratio of few of the seeds may contradict the order
        let seeds = |pair: &PairVerdict| pair.wins + pair.losses + pair.ties;
        let pair = self.verdict.pair(&first.name, &second.name);
        let pair = pair.filter(|pair| seeds(pair) == first.trials.min(second.trials));
        let ratio = |pair: PairVerdict| {
            let times = |ratio| significant(ratio, 3);
            if let Some(slower) = pair.ratio.filter(|ratio| *ratio < 1.0) {
                // the leader has the lower median, the other one the lower mean
                let (other, times) = (called(&second.name), times(1.0 / slower));
                return Some(format!(", although {other} is {times} times as fast on average, seed by seed"));
            }
            let interval = pair_interval(&pair, times);
            Some(format!(": {} times as fast as {}{interval}", times(pair.ratio?), called(&second.name)))
        };
        pair.and_then(ratio).unwrap_or_default()
    }

    fn follower(&self, recipe: &RecipeVerdict) -> String {
        let by = self.verdict.by;
        let time = recipe.median.map(|median| amount(by, median)).or_else(|| spread(recipe, by));
        let seeds = (recipe.reached < recipe.trials).then(|| match recipe.reached {
            0 => "not reached".to_owned(),
            _ => format!("reached with {}", seeds(recipe)),
        });
        let notes: Vec<String> = time.into_iter().chain(seeds).collect();
        format!("{} ({})", called(&recipe.name), notes.join(", "))
    }

    fn at_once(&self, target: &str) -> Option<String> {
        (!self.is_alone() && met_at_once(self.recipes)).then(|| {
            format!(
                "Every trial met {target} at its first evaluation: the target is too easy, or evaluations are too far \
                 apart, to tell recipes apart (--eval-every)."
            )
        })
    }

    /// Returns how the recipes stand at the end of the budget, and whether that order is another one.
    pub(super) fn after_the_race(&self) -> Vec<String> {
        if self.is_alone() {
            return self.alone_at_the_end().into_iter().collect();
        }
        let Some(end) = self.verdict.quality.first() else {
            let goes_on =
                "Trials end at the target, so what they end with is not ranked (--beyond-target trains on).";
            let reached = self.verdict.recipes.iter().any(|recipe| recipe.reached > 0);
            return reached.then(|| goes_on.to_owned()).into_iter().collect();
        };
        let orders = self.verdict.orders_disagree.map(|disagree| {
            let which = if disagree { "is another one than" } else { "agrees with" };
            format!("The order at the end of the budget {which} the order at the target.")
        });
        self.end(end).into_iter().chain(orders).collect()
    }
}

/// Formats the number of trials that reached the target.
fn seeds(recipe: &RecipeVerdict) -> String {
    format!("{} of {}", recipe.reached, plural(recipe.trials, "seed"))
}
