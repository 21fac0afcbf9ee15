//! Statistics over several seeds.

use super::verdict::recipe::recipes;
use super::verdict::{LEVEL, middle, ranks_to_leave_out};
use crate::record::{EpochRecord, Evaluation, Group, Spread, Status, TrialRecord};
use std::collections::BTreeMap;

impl Spread {
    /// Returns the median of `values` with an interval that contains the true median with a probability of at least 95 %,
    /// whatever their distribution, or with their range if there are fewer than six. `None` if `values` is empty.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let cut = ranks_to_leave_out(n, 1.0 - LEVEL);
        let (low, high) = (*values.get(cut)?, *values.get(n.checked_sub(1 + cut)?)?);
        Some(Self { median: middle(&values)?, low, high, n })
    }
}

/// Groups the trials by recipe, in order of first appearance.
pub(crate) fn groups(trials: &[TrialRecord], held_out: bool) -> Vec<Group> {
    recipes(trials).iter().map(|recipe| group(&recipe.trials, held_out)).collect()
}

/// Aggregates the trials of one recipe; `held_out` is true if the curves used a split other than the test split.
fn group(trials: &[&TrialRecord], held_out: bool) -> Group {
    let spread = |value: &dyn Fn(&TrialRecord) -> Option<f64>| {
        Spread::of(trials.iter().filter_map(|t| value(t)).collect())
    };
    let reached = trials.iter().filter_map(|trial| trial.target.as_ref()?.seconds);
    let reached: Vec<f64> = reached.collect();
    fn test(trial: &TrialRecord, held_out: bool) -> Option<&Evaluation> {
        trial.test.as_ref().filter(|_| held_out)
    }
    let all_reached = reached.len() == trials.len();
    Group {
        config_id: trials[0].config_id.clone(),
        name: trials[0].name.clone(),
        seeds: trials.iter().map(|trial| trial.seed).collect(),
        epoch_seconds: spread(&|trial| trial.epoch_seconds),
        target_seconds: if all_reached { Spread::of(reached) } else { None },
        train_loss: spread(&|trial| last(trial)?.train_loss),
        eval_loss: spread(&|trial| last(trial)?.eval_loss),
        eval_accuracy: spread(&|trial| last(trial)?.eval_accuracy),
        test_loss: spread(&|trial| Some(test(trial, held_out)?.loss)),
        test_accuracy: spread(&|trial| test(trial, held_out)?.accuracy),
        samples_per_second: spread(&|trial| trial.samples_per_second),
        metrics: metrics(trials),
    }
}

/// Returns the last epoch of a trial, unless it was interrupted before its end or failed.
fn last(trial: &TrialRecord) -> Option<&EpochRecord> {
    let is_cut = matches!(trial.status, Status::Interrupted | Status::Failed);
    trial.epochs.last().filter(|_| !is_cut)
}

/// Returns the spread of each further metric of the last epochs.
fn metrics(trials: &[&TrialRecord]) -> BTreeMap<String, Spread> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in trials.iter().filter_map(|trial| last(trial)).flat_map(|row| &row.metrics) {
        values.entry(name.clone()).or_default().extend(value.filter(|value| value.is_finite()));
    }
    values.into_iter().filter_map(|(name, values)| Some((name, Spread::of(values)?))).collect()
}

/// Returns the seconds of training in a typical epoch: the median over epochs that used all `train` samples.
pub(crate) fn epoch_seconds(epochs: &[EpochRecord], train: u64) -> Option<f64> {
    let full = |pair: &&[EpochRecord]| pair[1].samples.saturating_sub(pair[0].samples) == train;
    let seconds = epochs.windows(2).filter(full).map(|pair| pair[1].train_seconds);
    Spread::of(seconds.collect()).map(|spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::ended;
    use super::*;

    #[test]
    fn spread_is_the_range_below_six_seeds_and_the_binomial_interval_above() {
        let spread = |n: usize| Spread::of((1..=n).map(|x| x as f64).collect()).unwrap();
        assert_eq!((spread(1).low, spread(1).median, spread(1).high), (1.0, 1.0, 1.0));
        assert_eq!((spread(5).low, spread(5).median, spread(5).high), (1.0, 3.0, 5.0));
        // Tables of the sign test: n = 6 keeps ranks 1 to 6, n = 10 ranks 2 to 9, n = 20 ranks 6 to 15.
        assert_eq!((spread(6).low, spread(6).high), (1.0, 6.0));
        assert_eq!((spread(10).low, spread(10).median, spread(10).high), (2.0, 5.5, 9.0));
        assert_eq!((spread(20).low, spread(20).high), (6.0, 15.0));
        assert_eq!(Spread::of(vec![]), None);
    }

    #[test]
    fn a_group_leaves_out_what_interrupted_trials_had_come_to() {
        let whole = ended("adam", 1, 0.1);
        let mut cut = TrialRecord { status: Status::Interrupted, ..ended("adam", 2, 0.9) };
        cut.epochs[0].metrics.insert("ssim".into(), Some(0.2));
        let group = groups(&[whole, cut], false).remove(0);
        assert_eq!(group.eval_accuracy.map(|spread| (spread.median, spread.n)), Some((0.9, 1)));
        assert!(group.metrics.is_empty());
    }

    #[test]
    fn seconds_per_epoch_are_those_of_full_epochs() {
        let row = |epoch: u32, samples: u64, train_seconds: f64| EpochRecord {
            epoch,
            samples,
            train_seconds,
            ..EpochRecord::default()
        };
        let cut_short = [row(0, 0, 0.0), row(1, 20_000, 4.0), row(2, 40_000, 6.0), row(3, 42_000, 0.5)];
        assert_eq!(epoch_seconds(&cut_short, 20_000), Some(5.0));
        assert_eq!(epoch_seconds(&[row(0, 0, 0.0), row(1, 2_000, 0.4)], 20_000), None);
    }
}
