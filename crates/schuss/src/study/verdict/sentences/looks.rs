//! Looks at a race whose number of seeds is not fixed.

use super::{Words, called, named};
use crate::record::numbers::{list, plain, plural};
use crate::record::{Look, NextLook, Spending, Verdict};

impl Words<'_> {
    /// Returns how many seeds it took, or what is still to be run.
    pub(super) fn looks(&self) -> Option<String> {
        let Spending { looks, next, .. } = self.verdict.spending.as_ref()?;
        let most = self.summary.study.looks.last()?;
        let continues = "schuss resume continues the run";
        Some(match (looks.last(), next) {
            (None, Some(next)) => format!(
                "The first look, at {}, is not complete, so nothing is decided: {continues}.",
                plural(next.seeds, "seed")
            ),
            (None, None) => return self.lacking(),
            (Some(_), Some(next)) => format!(
                "{}; the next one, at {}, is not complete: {continues}.",
                looked(looks),
                plural(next.seeds, "seed")
            ),
            (Some(look), None) if look.leader.is_none() => {
                format!("{}; without a leader no seeds were added.", looked(looks))
            }
            (Some(look), None) if !self.verdict.sure && look.seeds == *most => {
                format!("{}; no seeds are added after that.", looked(looks))
            }
            (Some(_), None) => format!("{}.", looked(looks)),
        })
        .map(|looks| looks + &self.lacking().map_or_else(String::new, |lacking| format!(" {lacking}")))
    }

    /// Returns the recipes of merged runs that took part in no look, and what they lack.
    fn lacking(&self) -> Option<String> {
        let first = self.summary.study.looks.first().filter(|_| self.summary.study.merged)?;
        let looks = &self.verdict.spending.as_ref()?.looks;
        let took_part = |name: &String| looks.iter().any(|look| look.recipes.contains(name));
        let others = self.verdict.recipes.iter().filter(|recipe| !took_part(&recipe.name));
        let others: Vec<String> = others.map(|recipe| called(&recipe.name)).collect();
        let lack = if others.len() == 1 { "lacks" } else { "lack" };
        (!others.is_empty()).then(|| {
            format!(
                "{} {lack} some of seeds 1 to {first}, after which --seeds auto looks first, so no order is known there: \
                 a run with --seeds {first} has them.",
                named(&others)
            )
        })
    }

    /// Returns what p-values and intervals are adjusted for.
    pub(super) fn adjusted(&self) -> Option<String> {
        let n = self.verdict.recipes.len();
        let (pairs, looks) = (n * (n - 1) / 2, self.summary.study.looks.len());
        if self.verdict.pairs.iter().all(|pair| pair.p.is_none()) {
            return None;
        }
        match (pairs > 1, looks) {
            (true, 0) => Some(format!(
                "p-values are adjusted for all {pairs} pairs (Holm); intervals are not adjusted."
            )),
            (false, 0) => None,
            (true, _) => Some(format!(
                "p-values are adjusted for all {pairs} pairs (Holm) and {looks} looks; intervals for the looks alone."
            )),
            (false, _) => Some(format!("p-values and intervals are adjusted for {looks} looks.")),
        }
    }

    /// Returns what overlapping splits mean for the figures.
    pub(super) fn overlapping(&self) -> Option<String> {
        self.summary.data.resampled.as_ref().map(|_| {
            "Splits of different seeds share samples: comparisons allow for that (corrected resampled t test), and medians \
             have a range, no interval."
                .to_owned()
        })
    }
}

/// Returns the looks that were made, and the error that each may spend.
fn looked(looks: &[Look]) -> String {
    let seeds: Vec<String> = looks.iter().map(|look| look.seeds.to_string()).collect();
    let error = looks.first().map_or(0.0, |look| look.error);
    format!(
        "--seeds auto looked at the race after {} seeds, with {} % of the error each time",
        list(&seeds),
        plain(100.0 * error)
    )
}

impl Verdict {
    /// Returns true if the next look at the race needs the trial of a recipe with this seed; after a tuning, the next look
    /// at the recipes at their best, or at the same rate.
    pub(in crate::study) fn needs(&self, recipe: &str, seed: u64) -> bool {
        let is_in =
            |next: &NextLook| seed <= next.seeds as u64 && next.recipes.iter().any(|name| name == recipe);
        self.next_looks().any(is_in)
    }

    /// Returns the looks that would come next.
    pub(in crate::study) fn next_looks(&self) -> impl Iterator<Item = &NextLook> {
        let verdicts = std::iter::once(self).chain(self.same_rate.as_deref());
        verdicts.filter_map(|verdict| verdict.spending.as_ref()?.next.as_ref())
    }

    /// Returns what the last look at the race decided, and which recipes go on; `None` before the first look.
    pub(in crate::study) fn last_look(&self) -> Option<String> {
        let Spending { looks, next, .. } = self.spending.as_ref()?;
        let Look { seeds, leader, .. } = looks.last()?;
        let seeds = plural(*seeds, "seed");
        let Some(leader) = leader else { return Some(format!("{seeds}: no recipe leads")) };
        let lead = format!("{} leads", called(leader));
        Some(match next {
            None if self.sure => format!("{seeds}: decided, {lead}"),
            None => format!("{seeds}: not decided, {lead}"),
            Some(next) => {
                let others = next.recipes.iter().filter(|name| *name != leader).map(|name| called(name));
                let others = named(&others.collect::<Vec<_>>());
                format!("{seeds}: not yet decided, {lead}; it and {others} go on to {} seeds", next.seeds)
            }
        })
    }
}
