//! The median of outcomes with an interval free of assumptions about their distribution.

use super::outcome::Outcome;

/// Ends of an interval; `high` is `None` if it lies beyond the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    pub(super) low: f64,
    pub(super) high: Option<f64>,
}

/// Returns the median, with outcomes that were not reached at infinity; `None` if it is infinite.
pub(super) fn median(outcomes: &[Outcome]) -> Option<f64> {
    middle(&sorted(outcomes, Outcome::most)).filter(|median| median.is_finite())
}

/// Returns the median of sorted numbers.
pub(in crate::study) fn middle(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    let (low, high) = (sorted.get(n.checked_sub(1)? / 2)?, sorted.get(n / 2)?);
    Some(if low == high { *low } else { (low + high) / 2.0 })
}

/// Returns the interval that contains the true median with a probability of at least 1 − `error`, or the range for fewer
/// than [`fewest`] trials; `None` without a finite lower end.
///
/// The k-th lowest of n values lies above the median with probability P(B < k), B binomial(n, 1/2); so does the k-th
/// highest below it. The ends are those of the largest k for which both together are at most `error`, whatever the
/// distribution (Thompson 1936; David and Nagaraja, Order Statistics, 7.1). A censored outcome counts at its lowest
/// possible value for the lower end and at infinity for the upper end, which can only widen the interval.
pub(super) fn interval(outcomes: &[Outcome], error: f64) -> Option<Ends> {
    let cut = ranks_to_leave_out(outcomes.len(), error);
    let low = *sorted(outcomes, Outcome::least).get(cut)?;
    let most = sorted(outcomes, Outcome::most);
    let high = most.get(most.len().checked_sub(1 + cut)?).copied().filter(|high| high.is_finite());
    low.is_finite().then_some(Ends { low, high })
}

fn sorted(outcomes: &[Outcome], value: fn(Outcome) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = outcomes.iter().map(|outcome| value(*outcome)).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Returns the smallest number of trials for which there is an interval; six for an error of 5 %: 2 · 2⁻⁶ = 3.1 %.
pub(in crate::study) fn fewest(error: f64) -> usize {
    if error > 0.0 { (2.0 / error).log2().ceil() as usize } else { usize::MAX }
}

/// Returns the number of values to leave out at each end: the largest k such that a fair coin shows at most k − 1 heads
/// in n throws with probability at most `error` / 2, less one for the value that is the end itself.
pub(in crate::study) fn ranks_to_leave_out(n: usize, error: f64) -> usize {
    let (mut probability, mut below, mut k) = (0.5_f64.powi(n.min(1_000) as i32), 0.0, 0);
    while below + probability <= error / 2.0 {
        below += probability;
        probability *= (n - k) as f64 / (k + 1) as f64;
        k += 1;
    }
    k.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Beyond, Never, Reached};

    const ERROR: f64 = 0.05;

    fn ends(low: f64, high: f64) -> Option<Ends> {
        Some(Ends { low, high: Some(high) })
    }

    /// scipy 1.17.1, `binom.ppf(.025, n, .5)`: the lower ranks from 1 are 1, 2, 2, 4, 6 for n = 6, 9, 10, 15, 20.
    #[test]
    fn the_ranks_are_those_of_the_binomial_distribution() {
        for (n, rank) in [(1, 1), (5, 1), (6, 1), (9, 2), (10, 2), (15, 4), (20, 6)] {
            assert_eq!(1 + ranks_to_leave_out(n, ERROR), rank, "{n}");
        }
    }

    #[test]
    fn an_interval_needs_six_trials_or_eight_at_one_of_five_looks() {
        assert_eq!([0.05, 0.01, 0.0].map(fewest), [6, 8, usize::MAX]);
        assert_eq!(ranks_to_leave_out(20, 0.0), 0);
    }

    #[test]
    fn ten_times_have_their_median_and_the_second_lowest_and_highest_as_ends() {
        let times: Vec<Outcome> = (1..=10).map(|time| Reached(f64::from(time))).collect();
        assert_eq!(median(&times), Some(5.5));
        assert_eq!(interval(&times, ERROR), ends(2.0, 9.0));
        assert_eq!(interval(&times[..5], ERROR), ends(1.0, 5.0));
    }

    #[test]
    fn a_censored_upper_rank_lies_beyond_the_budget() {
        let times = [Reached(1.0), Reached(2.0), Beyond(12.0)];
        assert_eq!(median(&times), Some(2.0));
        assert_eq!(interval(&times, ERROR), Some(Ends { low: 1.0, high: None }));
        assert_eq!(median(&[Reached(1.0), Beyond(12.0)]), None);
        assert_eq!(interval(&[Beyond(12.0), Beyond(11.0)], ERROR), Some(Ends { low: 11.0, high: None }));
        assert_eq!(interval(&[Never, Never], ERROR), None);
        assert_eq!((median(&[]), interval(&[], ERROR)), (None, None));
    }

    #[test]
    fn a_trial_stopped_early_lowers_the_lower_end_only() {
        let times = [Beyond(0.5), Reached(2.0), Reached(3.0)];
        assert_eq!(interval(&times, ERROR), Some(Ends { low: 0.5, high: None }));
    }
}
