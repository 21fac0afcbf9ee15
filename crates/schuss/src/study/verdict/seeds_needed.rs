//! The number of seeds that would probably decide an open comparison.

use super::comparison::{Comparison, Decision, decide};
use super::contrast::Contrast;
use super::design::Design;
use super::fisher::{self, Counts};
use super::racer::Racer;
use super::student;

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
/// With N seeds the mean is t₁₋α/₂ + z₀.₈ standard errors from zero, or an interval lies within a tie. For misses, N is
/// the first number with which the same shares are significant.
pub(super) fn seeds_needed(a: &Racer, b: &Racer, comparison: &Comparison, bar: Bar) -> Option<usize> {
    let have = comparison.pairs;
    if have == 0
        || decide(comparison, comparison.p.map(|p| p * bar.tests as f64), bar.tie, bar.design.level())
            != Decision::Undecided
    {
        return None;
    }
    let enough = |n: &usize| match comparison.contrast {
        Some(contrast) => decides(contrast, *n, bar),
        None => misses_decide(a.counts(), b.counts(), *n, bar),
    };
    if have == 1 {
        return Some(ADVISED - 1);
    }
    (have + 1..=MOST).find(enough).map(|n| n - have)
}

fn decides(contrast: Contrast, n: usize, bar: Bar) -> bool {
    let error = contrast.error(n);
    let certainty = 1.0 - bar.design.error() / bar.tests as f64;
    let far = contrast.mean.abs() >= (student::quantile(certainty, n - 1) + POWER) * error;
    let close = contrast.mean.abs() + student::quantile(bar.design.level(), n - 1) * error <= bar.tie;
    far && contrast.mean != 0.0 || close
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
}
