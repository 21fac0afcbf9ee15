//! Comparison of two recipes, seed by seed.

use super::contrast::Contrast;
use super::design::Design;
use super::fisher::Counts;
use super::outcome::Outcome;
use super::racer::Racer;
use super::{fisher, sign_flip};
use crate::record::Test;
use std::cmp::Ordering;

/// Smallest number of pairs for which the sign-flip test can reach the 95 % level: 2 · 2⁻⁶ = 3.1 %.
pub(super) const FEWEST_FLIPS: usize = 6;

/// Scale on which two outcomes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Ratio of times, in seconds or updates.
    Ratio,
    /// Difference of final losses or accuracies.
    Difference,
}

impl Scale {
    /// Returns the difference of `b` and `a`: of logarithms for a ratio.
    fn difference(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Difference => b - a,
            Self::Ratio if a == b => 0.0,
            Self::Ratio => b.ln() - a.ln(),
        }
    }
}

/// Comparison of recipe `a` with recipe `b`. Positive differences say that `a` is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Comparison {
    pub(super) pairs: usize,
    pub(super) wins: usize,
    pub(super) losses: usize,
    pub(super) ties: usize,
    /// Mean difference, if both recipes have a number with every seed.
    pub(super) contrast: Option<Contrast>,
    /// p-value of the test that decides, not adjusted.
    pub(super) p: Option<f64>,
    /// Test of `p`.
    pub(super) test: Option<Test>,
    /// p-value of the exact sign-flip test.
    pub(super) sign_flip: Option<f64>,
    /// Share of trials of `a` that reached the target less that of `b`.
    pub(super) reached_more: f64,
}

/// Compares two recipes. The test is Student's t on the differences of the seeds that both recipes have if all of these
/// trials have a number, and Fisher's exact test on the counts of misses otherwise. Differences that are all the same have no
/// spread to divide by, which is no evidence that they have none: they are tested by their signs. Counts leave out trials
/// that were cut short, and without others there is no test. Of trials that overlap, counts are reduced to as many as are
/// independent.
pub(super) fn compare(a: &Racer, b: &Racer, scale: Scale, design: Design) -> Comparison {
    let pairs: Vec<(Outcome, Outcome)> =
        a.entries.iter().filter_map(|entry| Some((a.outcome(entry), b.at(entry.seed)?))).collect();
    let count = |order| pairs.iter().filter(|(a, b)| a.order(*b) == Some(order)).count();
    let numbers = pairs.iter().map(|(a, b)| Some(scale.difference(a.reached()?, b.reached()?)));
    let differences: Option<Vec<f64>> = numbers.collect();
    let shared = a.common_error().hypot(b.common_error());
    let contrast = differences.as_deref().and_then(|all| Contrast::of(all, design));
    let contrast = contrast.map(|contrast| Contrast { shared, ..contrast });
    let is_independent = design.overlap == 0.0;
    let flips = differences.filter(|differences| is_independent && differences.len() >= FEWEST_FLIPS);
    let sign_flip = flips.as_deref().and_then(sign_flip::p_value);
    let (counts_a, counts_b) = (a.counts(), b.counts());
    let independent = |counts: Counts| counts.of_total(design.independent(counts.total()) as usize);
    let misses = || fisher::p_value(independent(counts_a), independent(counts_b));
    let (test, p) = match contrast {
        None => {
            let is_known = !pairs.is_empty() && counts_a.total().min(counts_b.total()) > 0;
            (Test::Fisher, is_known.then(misses))
        }
        Some(contrast) if contrast.is_constant() => (Test::Signs, contrast.sign_p_value()),
        Some(contrast) => (Test::T, contrast.p_value()),
    };
    Comparison {
        pairs: pairs.len(),
        wins: count(Ordering::Less),
        losses: count(Ordering::Greater),
        ties: count(Ordering::Equal),
        contrast,
        p,
        test: p.map(|_| test),
        sign_flip,
        reached_more: counts_a.share() - counts_b.share(),
    }
}

impl Comparison {
    /// Returns a positive number if `a` is better, and a negative one if `b` is.
    pub(super) fn lead(&self) -> f64 {
        self.contrast.map_or(self.reached_more, |contrast| contrast.mean)
    }
}

/// Outcome of a comparison, for recipe `a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Better,
    Worse,
    Equal,
    Undecided,
}

/// Decides a comparison: `Equal` if the interval lies within ± `tie`, otherwise better or worse if the adjusted p-value
/// is at most 1 − `level`.
pub(super) fn decide(comparison: &Comparison, p: Option<f64>, tie: f64, level: f64) -> Decision {
    let interval = comparison.contrast.and_then(|contrast| contrast.interval(level));
    if interval.is_some_and(|ends| ends.iter().all(|end| end.abs() <= tie)) {
        return Decision::Equal;
    }
    let lead = comparison.lead();
    match p {
        Some(p) if p <= 1.0 - level + 1e-12 && lead > 0.0 => Decision::Better,
        Some(p) if p <= 1.0 - level + 1e-12 && lead < 0.0 => Decision::Worse,
        _ => Decision::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Beyond, Never, Reached};

    fn racer(outcomes: &[Outcome]) -> Racer {
        Racer::of((1..).zip(outcomes.iter().copied()))
    }

    fn decided(a: &[Outcome], b: &[Outcome], scale: Scale) -> (Comparison, Decision) {
        let found = compare(&racer(a), &racer(b), scale, Design::FIXED);
        (found, decide(&found, found.p, 1.05_f64.ln(), 0.95))
    }

    #[test]
    fn a_ratio_is_the_time_of_b_over_that_of_a() {
        let (found, decision) = decided(
            &[Reached(1.0), Reached(1.1), Reached(0.9)],
            &[Reached(2.0), Reached(2.3), Reached(1.7)],
            Scale::Ratio,
        );
        assert!((found.contrast.unwrap().mean.exp() - 1.9915).abs() < 1e-3);
        assert_eq!((found.wins, found.losses, found.ties, decision), (3, 0, 0, Decision::Better));
    }

    #[test]
    fn a_miss_is_no_number_and_its_count_decides() {
        let (found, decision) = decided(&[Reached(1.0); 5], &[Beyond(3.0); 5], Scale::Ratio);
        assert_eq!((found.wins, found.contrast, decision), (5, None, Decision::Better));
        assert!((found.p.unwrap() - 0.007_936_507_936_507_938).abs() < 1e-12);
        let (found, decision) = decided(&[Reached(4.0); 3], &[Never, Beyond(3.0), Beyond(3.0)], Scale::Ratio);
        assert_eq!((found.wins, found.losses, found.ties), (1, 0, 0));
        assert_eq!(decision, Decision::Undecided, "three seeds are too few for the test");
    }

    #[test]
    fn a_small_difference_that_is_certain_is_a_tie() {
        let (found, decision) =
            decided(&[Reached(1.0), Reached(2.0)], &[Reached(1.01), Reached(2.0204)], Scale::Ratio);
        assert!(found.p.unwrap() < 0.01);
        assert_eq!(decision, Decision::Equal);
    }

    #[test]
    fn the_same_ratio_with_every_seed_is_no_certainty_but_decided_by_signs() {
        let (five, undecided) = decided(&[Reached(600.0); 5], &[Reached(700.0); 5], Scale::Ratio);
        assert_eq!((five.p, undecided), (Some(0.0625), Decision::Undecided));
        let (six, decision) = decided(&[Reached(600.0); 6], &[Reached(700.0); 6], Scale::Ratio);
        assert_eq!((six.p, six.sign_flip, decision), (Some(0.03125), Some(0.03125), Decision::Better));
    }

    #[test]
    fn the_same_small_ratio_with_every_seed_is_a_tie_from_six_seeds_on() {
        let of = |n: usize| decided(&vec![Reached(1.0); n], &vec![Reached(1.01); n], Scale::Ratio).1;
        assert_eq!([2, 5, 6].map(of), [Decision::Undecided, Decision::Undecided, Decision::Equal]);
        let same = decided(&[Reached(1.0), Reached(2.0)], &[Reached(1.0), Reached(2.0)], Scale::Ratio).1;
        assert_eq!(same, Decision::Equal, "the same time with every seed");
    }

    #[test]
    fn recipes_that_share_no_seed_are_not_compared() {
        let b = Racer::of([(7, Reached(1.0))]);
        let found = compare(&racer(&[Reached(2.0)]), &b, Scale::Ratio, Design::FIXED);
        assert_eq!((found.pairs, found.p, found.contrast), (0, None, None));
    }

    #[test]
    fn a_target_met_before_the_first_update_has_no_ratio_unless_both_met_it_there() {
        let (same, _) = decided(&[Reached(0.0); 2], &[Reached(0.0); 2], Scale::Ratio);
        assert_eq!(same.contrast.unwrap().mean, 0.0);
        let (found, decision) = decided(&[Reached(0.0); 2], &[Reached(1.0); 2], Scale::Ratio);
        assert_eq!((found.contrast, found.wins, decision), (None, 2, Decision::Undecided));
    }

    #[test]
    fn misses_and_signs_of_overlapping_trials_count_for_as_many_as_are_independent() {
        let overlapping = Design { looks: 1, overlap: 0.25 };
        let (hits, misses) = (racer(&[Reached(1.0); 10]), racer(&[Beyond(3.0); 10]));
        let found = compare(&hits, &misses, Scale::Ratio, overlapping);
        assert!((found.p.unwrap() - 1.0 / 3.0).abs() < 1e-12, "two of each are independent");
        let (early, late) = (racer(&[Reached(600.0); 10]), racer(&[Reached(700.0); 10]));
        let found = compare(&early, &late, Scale::Ratio, overlapping);
        assert!(found.sign_flip.is_none() && found.p.unwrap() > 0.25, "{found:?}");
    }
}
