//! The number of seeds that would probably decide an open comparison.

use super::comparison::{Comparison, Decision, decide};
use super::contrast::Contrast;
use super::design::Design;
use super::fisher::{self, Counts};
use super::racer::Racer;
use super::student;
use crate::record::Test;

/// Number of seeds advised where nothing is known of their spread.
pub(super) const ADVISED: usize = 6;
/// Number of seeds beyond which a comparison is taken for undecidable.
const MOST: usize = 1_000;
/// 80 % quantile of the normal distribution: the power that "probably" stands for.
const POWER: f64 = 0.841_621_233_572_914_2;

/// What an undecided comparison is tested against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// Half-width of a tie.
    pub(super) tie: f64,
    pub(super) design: Design,
    /// Factor by which its p-value is adjusted.
    pub(super) tests: usize,
}

/// Returns how many more seeds would decide the comparison with a probability of about 80 % if mean and spread stayed
/// as they are; `None` if more than 1,000, or if it is decided.
///
/// With N seeds the mean is t₁₋α/₂ + z₀.₈ standard errors from zero, or an interval lies within a tie. For misses and
/// signs, N is the first number with which the same shares or signs are significant.
pub(super) fn seeds_needed(a: &Racer, b: &Racer, comparison: &Comparison, bar: Bar) -> Option<usize> {
    let have = comparison.pairs;
    if have == 0
        || decide(comparison, comparison.p.map(|p| p * bar.tests as f64), bar.tie, bar.design.level())
            != Decision::Undecided
    {
        return None;
    }
    let (counts_a, counts_b) = (a.counts(), b.counts());
    let enough = |n: usize| match comparison.contrast {
        Some(contrast) if comparison.test == Some(Test::Signs) => signs_decide(contrast, n, bar),
        Some(contrast) => decides(contrast, n, bar),
        None => misses_decide(counts_a, counts_b, n, bar),
    };
    if have == 1 {
        return Some(ADVISED - 1);
    }
    // the same shares of misses stay the same, and nothing is known of a recipe without an ended trial
    let known = counts_a.total().min(counts_b.total()) > 0;
    if comparison.contrast.is_none() && (!known || counts_a.share() == counts_b.share()) {
        return None;
    }
    first(have + 1, enough).map(|n| n - have)
}

/// Returns the first number from `from` on that is enough, if all greater ones are as well; `None` beyond [`MOST`].
fn first(from: usize, enough: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut below, mut step) = (from.checked_sub(1)?, 1);
    while below + step < MOST && !enough(below + step) {
        below += step;
        step *= 2;
    }
    let mut found = (below + step).min(MOST);
    if found < from || !enough(found) {
        return None;
    }
    while found - below > 1 {
        let middle = below + (found - below) / 2;
        if enough(middle) { found = middle } else { below = middle }
    }
    Some(found)
}

fn decides(contrast: Contrast, n: usize, bar: Bar) -> bool {
    let error = contrast.error(n);
    let certainty = 1.0 - bar.design.error() / bar.tests as f64;
    let far = contrast.mean.abs() >= (student::quantile(certainty, n - 1) + POWER) * error;
    let close = contrast.mean.abs() + student::quantile(bar.design.level(), n - 1) * error <= bar.tie;
    far && contrast.mean != 0.0 || close
}

fn signs_decide(contrast: Contrast, n: usize, bar: Bar) -> bool {
    let p = 0.5_f64.powf(bar.design.independent(n) - 1.0);
    // intervals, which decide on a tie, are not adjusted
    let tests = if contrast.mean.abs() <= bar.tie { 1 } else { bar.tests };
    contrast.mean != 0.0 && p * tests as f64 <= bar.design.error()
}

fn misses_decide(a: Counts, b: Counts, n: usize, bar: Bar) -> bool {
    let independent = bar.design.independent(n) as usize;
    fisher::p_value(a.of_total(independent), b.of_total(independent)) * bar.tests as f64 <= bar.design.error()
}

#[cfg(test)]
mod tests {
    use super::super::comparison::{Scale, compare};
    use super::super::outcome::Outcome::{Beyond, Reached};
    use super::*;

    const BAR: Bar = Bar { tie: 0.048_790_164, design: Design::FIXED, tests: 1 };

    fn needed(a: &[f64], b: &[f64]) -> Option<usize> {
        let racer = |times: &[f64]| {
            let outcome = |time: &f64| if *time < 0.0 { Beyond(-time) } else { Reached(*time) };
            Racer::of((1..).zip(times.iter().map(outcome)))
        };
        let (a, b) = (racer(a), racer(b));
        seeds_needed(&a, &b, &compare(&a, &b, Scale::Ratio, Design::FIXED), BAR)
    }

    /// scipy 1.17.1: the log ratios have mean 0.2020 and standard deviation 0.1790; (t.ppf(.975, n - 1) + .8416) s / √n
    /// is 0.2167 for n = 7 and 0.1924... for n = 8.
    #[test]
    fn more_seeds_are_needed_the_more_the_ratios_vary() {
        assert_eq!(needed(&[1.0, 1.0, 1.0], &[1.1, 1.5, 1.11]), Some(5));
        assert_eq!(needed(&[1.0, 1.0, 1.0], &[2.0, 2.1, 1.9]), None, "it is decided");
        assert_eq!(needed(&[1.0], &[2.0]), Some(5), "one seed tells nothing: six are advised");
    }

    #[test]
    fn three_misses_of_three_need_a_fourth_seed() {
        assert_eq!(needed(&[1.0, 1.0, 1.0], &[-3.0, -3.0, -3.0]), Some(1));
        assert_eq!(needed(&[-3.0, -3.0], &[-3.0, -3.0]), None, "no number of seeds would decide");
    }

    #[test]
    fn no_number_of_seeds_tells_the_same_shares_of_misses_apart_and_no_table_is_computed_for_that() {
        let recipe = [1.0, -3.0, 1.2];
        for _ in 0..10_000 {
            assert_eq!(needed(&recipe, &recipe), None);
        }
    }

    /// By hand: with shares of 1 and 2/3, rounded, 13 of 13 against 9 of 13 has p = 0.096, 18 against 12 of 18 p = 0.019.
    #[test]
    fn more_misses_need_as_many_seeds_as_make_the_same_shares_significant() {
        let more = needed(&[1.0, 1.1, 1.2], &[1.0, -3.0, 1.2]).unwrap();
        let p = |n| {
            let shares = [(3, 0), (2, 1)].map(|(reached, missed)| Counts { reached, missed }.of_total(n));
            fisher::p_value(shares[0], shares[1])
        };
        assert!(p(3 + more) <= 0.05 && p(2 + more) > 0.05, "{more}");
    }

    /// 0.5⁵ = 0.031 is the first power below 5 %.
    #[test]
    fn signs_need_six_seeds() {
        let racer = |time: f64| Racer::of((1..=3).map(|seed| (seed, Reached(time))));
        let (a, b) = (racer(100.0), racer(200.0));
        let found = compare(&a, &b, Scale::Ratio, Design::FIXED);
        assert_eq!(seeds_needed(&a, &b, &found, BAR), Some(3));
        assert_eq!(seeds_needed(&a, &b, &found, Bar { tests: 3, ..BAR }), Some(4), "0.5⁶ · 3 = 0.047");
        let close = racer(101.0);
        let found = compare(&a, &close, Scale::Ratio, Design::FIXED);
        assert_eq!(seeds_needed(&a, &close, &found, Bar { tests: 3, ..BAR }), Some(3), "a tie");
    }
}
