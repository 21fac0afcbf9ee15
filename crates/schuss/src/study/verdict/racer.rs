//! The trials of one recipe.

use super::fisher::Counts;
use super::outcome::Outcome;

/// Outcome of a recipe with a seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) seed: u64,
    pub(super) outcome: Outcome,
    /// Time that the trial took, if it missed.
    pub(super) spent: f64,
    /// True if the trial was interrupted or failed, so that it is unknown what it would have reached.
    pub(super) is_cut: bool,
}

/// Outcomes of one recipe over its seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Racer {
    pub(super) entries: Vec<Entry>,
    /// Relative standard error of the seconds per update that all times share, if they are calibrated.
    pub(super) shared_error: Option<f64>,
    /// Time of its tuning, which counts once, before its trials.
    pub(super) tuning: f64,
    /// Standard error of that time.
    pub(super) tuning_error: f64,
}

impl Racer {
    /// Returns a recipe with these outcomes by seed; a trial that diverged took no time.
    #[cfg(test)]
    pub(super) fn of(outcomes: impl IntoIterator<Item = (u64, Outcome)>) -> Self {
        let spent = |outcome: Outcome| if outcome == Outcome::Never { 0.0 } else { outcome.least() };
        let entry = |(seed, outcome)| Entry { seed, outcome, spent: spent(outcome), is_cut: false };
        Self { entries: outcomes.into_iter().map(entry).collect(), ..Self::default() }
    }

    /// Returns the outcome with a seed.
    pub(super) fn at(&self, seed: u64) -> Option<Outcome> {
        self.entries.iter().find(|entry| entry.seed == seed).map(|entry| self.outcome(entry))
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.entries.iter().map(|entry| self.outcome(entry)).collect()
    }

    /// Returns the outcome of an entry, with the time of the tuning.
    pub(super) fn outcome(&self, entry: &Entry) -> Outcome {
        entry.outcome.after(self.tuning)
    }

    /// Returns the relative standard error that all times have in common, which no number of seeds lowers: that of
    /// calibrated seconds per update, and that of the tuning as part of the time.
    pub(super) fn common_error(&self) -> f64 {
        let times: Vec<f64> = self.outcomes().into_iter().filter_map(Outcome::reached).collect();
        let shares = times.iter().filter(|time| **time > 0.0).map(|time| self.tuning_error / time);
        let of_tuning = shares.sum::<f64>() / times.len().max(1) as f64;
        of_tuning.hypot(self.shared_error.unwrap_or(0.0))
    }

    /// Returns the outcome with a seed, if the trial was not cut short before it.
    pub(super) fn known_at(&self, seed: u64) -> Option<Outcome> {
        self.known().find(|entry| entry.seed == seed).map(|entry| self.outcome(entry))
    }

    /// Returns the entries of trials that reached the target or ran to their end.
    pub(super) fn known(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.is_cut || entry.outcome.reached().is_some())
    }

    /// Returns how many trials reached the target and how many ended without it; trials that were cut short count in
    /// neither.
    pub(super) fn counts(&self) -> Counts {
        let reached = self.known().filter(|entry| entry.outcome.reached().is_some()).count();
        Counts { reached, missed: self.known().count() - reached }
    }

    /// Returns the expected time to the target with restarts: the times of the hits plus all time of the misses, over the
    /// number of hits. A search takes as long on average which begins anew with another seed whenever a trial misses (the
    /// expected running time of COCO: Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff 2021). `None` without a hit.
    pub(super) fn expected(&self) -> Option<f64> {
        let time = |entry: &Entry| entry.outcome.reached().unwrap_or(entry.spent);
        let hits = self.counts().reached;
        (hits > 0).then(|| self.tuning + self.entries.iter().map(time).sum::<f64>() / hits as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Beyond, Never, Reached};

    #[test]
    fn the_expected_time_charges_the_misses_to_the_hits() {
        let racer = |outcomes: &[Outcome]| Racer::of((1..).zip(outcomes.iter().copied()));
        assert_eq!(racer(&[Reached(2.0), Reached(4.0), Beyond(12.0)]).expected(), Some(9.0));
        assert_eq!(racer(&[Reached(2.0), Reached(4.0)]).expected(), Some(3.0));
        assert_eq!(racer(&[Beyond(12.0), Never]).expected(), None);
        let mut diverged = racer(&[Reached(2.0), Never]);
        diverged.entries[1].spent = 5.0;
        assert_eq!(diverged.expected(), Some(7.0), "seconds until it diverged count as well");
        let tuned = Racer { tuning: 10.0, ..racer(&[Reached(2.0), Reached(4.0), Beyond(12.0)]) };
        assert_eq!(tuned.expected(), Some(19.0), "a tuning is not repeated with a restart");
        assert_eq!(tuned.outcomes(), [Reached(12.0), Reached(14.0), Beyond(22.0)]);
    }
}
