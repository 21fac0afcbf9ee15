//! The mean of paired differences with its interval and test.

use super::design::Design;
use super::student;

/// Mean and standard deviation of paired differences: of log times, or of final values.
///
/// Trials whose splits overlap are not independent: the variance of their mean is taken as s² (1/n + n_test / n_train)
/// instead of s² / n, as if there were fewer: the corrected resampled t test (Nadeau and Bengio, Inference for the Generalization Error, Machine
/// Learning 52, 2003; for repeated folds, Bouckaert and Frank 2004).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Contrast {
    pub(super) n: usize,
    pub(super) mean: f64,
    /// Standard deviation, with n − 1 in the denominator; 0 for one pair.
    pub(super) deviation: f64,
    /// Standard error that all differences share, which no number of pairs lowers.
    pub(super) shared: f64,
    /// Tells how many of the trials are independent.
    pub(super) design: Design,
}

impl Contrast {
    /// Returns the contrast of some differences; `None` if there are none, or some are not finite.
    pub(super) fn of(differences: &[f64], design: Design) -> Option<Self> {
        let n = differences.len();
        if n == 0 || differences.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let mean = differences.iter().sum::<f64>() / n as f64;
        let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
        let deviation = (squares / (n - 1).max(1) as f64).sqrt();
        // differences that are equal up to rounding do not vary
        let varies = deviation > 1e-12 * differences.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
        Some(Self { n, mean, deviation: if varies { deviation } else { 0.0 }, shared: 0.0, design })
    }

    /// Returns true if there are several differences, all the same.
    pub(super) fn is_constant(self) -> bool {
        self.n > 1 && self.deviation == 0.0
    }

    /// Returns mean ∓ t √(s² / n + shared²), the interval of Student's t at this level; `None` for one pair, and for
    /// differences that are all the same but too few: from the lowest to the highest of n is an interval at the level
    /// 1 − 2¹⁻ⁿ, whatever their distribution. If all are zero, it is zero.
    pub(super) fn interval(self, level: f64) -> Option<[f64; 2]> {
        if self.is_constant() && self.mean != 0.0 && self.fewest_signs() > 1.0 - level + 1e-12 {
            return None;
        }
        let half = student::quantile(level, self.n.checked_sub(1).filter(|n| *n > 0)?) * self.error(self.n);
        Some([self.mean - half, self.mean + half])
    }

    /// Returns the two-sided p-value of Student's paired t test; `None` for one pair, and where nothing varies.
    pub(super) fn p_value(self) -> Option<f64> {
        let freedom = self.n.checked_sub(1).filter(|n| *n > 0)?;
        let error = self.error(self.n);
        (error > 0.0).then(|| student::two_sided(self.mean / error, freedom))
    }

    /// Returns the two-sided p-value of the signs of differences that are all the same: 2¹⁻ⁿ, or 1 if they are zero. An
    /// error that all of them share may make it larger.
    pub(super) fn sign_p_value(self) -> Option<f64> {
        let signs = if self.mean == 0.0 { 1.0 } else { self.fewest_signs() };
        Some(self.p_value().map_or(signs, |p| p.max(signs)))
    }

    /// Returns the smallest p-value that as many signs can have.
    fn fewest_signs(self) -> f64 {
        0.5_f64.powf(self.design.independent(self.n) - 1.0)
    }

    /// Returns the standard error of the mean of `n` such differences.
    pub(super) fn error(self, n: usize) -> f64 {
        (self.deviation / self.design.independent(n).sqrt()).hypot(self.shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `ttest_1samp(log([1.31, 1.22, 1.45, 1.09, 1.27]), 0)` and its `confidence_interval(.95)`.
    #[test]
    fn interval_and_p_value_of_log_ratios_are_those_of_scipy() {
        let logs = [1.31_f64, 1.22, 1.45, 1.09, 1.27].map(f64::ln);
        let contrast = Contrast::of(&logs, Design::FIXED).unwrap();
        let [low, high] = contrast.interval(0.95).unwrap();
        let found = [contrast.p_value().unwrap(), contrast.mean.exp(), low.exp(), high.exp()];
        let expected = [
            0.007_445_174_596_697_284,
            1.262_542_102_114_005_7,
            1.109_484_839_730_897_2,
            1.436_714_142_031_067_8,
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn an_error_that_all_pairs_share_widens_the_interval_however_many_they_are() {
        let logs: Vec<f64> = (0..100).map(|pair| 0.1 + 0.001 * f64::from(pair % 2)).collect();
        let contrast = Contrast { shared: 0.05, ..Contrast::of(&logs, Design::FIXED).unwrap() };
        let [low, high] = contrast.interval(0.95).unwrap();
        assert!(((high - low) / 2.0 - student::quantile(0.95, 99) * 0.05).abs() < 1e-4);
        assert!((contrast.p_value().unwrap() - student::two_sided(2.01, 99)).abs() < 1e-3);
    }

    #[test]
    fn one_pair_has_no_interval_and_equal_differences_are_no_evidence_beyond_their_signs() {
        let one = Contrast::of(&[0.3], Design::FIXED).unwrap();
        assert_eq!((one.interval(0.95), one.p_value()), (None, None));
        let same = Contrast::of(&[0.1 + 0.2, 0.3, 0.3], Design::FIXED).unwrap();
        assert_eq!((same.deviation, same.p_value(), same.sign_p_value()), (0.0, None, Some(0.25)));
        assert_eq!(same.interval(0.95), None);
        let [five, six] = [5, 6].map(|n| Contrast::of(&vec![0.3; n], Design::FIXED).unwrap());
        assert_eq!((five.sign_p_value(), five.interval(0.95)), (Some(0.0625), None));
        assert_eq!((six.sign_p_value(), six.interval(0.95)), (Some(0.03125), Some([0.3, 0.3])));
        assert_eq!(six.interval(0.99), None, "a look of --seeds auto needs eight");
        let zero = Contrast::of(&[0.0, 0.0], Design::FIXED).unwrap();
        assert_eq!((zero.sign_p_value(), zero.interval(0.95)), (Some(1.0), Some([0.0, 0.0])));
        let shared = Contrast { shared: 0.2, ..six };
        assert_eq!(shared.sign_p_value(), shared.p_value(), "an error of all pairs counts");
        assert_eq!(Contrast::of(&[1.0, f64::INFINITY], Design::FIXED), None);
        assert_eq!(Contrast::of(&[], Design::FIXED), None);
    }

    /// By hand, with t₀.₉₇₅,₉ = 2.262157 of scipy 1.17.1: √(1/10 + 1/4) = 0.591608.
    #[test]
    fn overlapping_trials_widen_the_interval_by_the_factor_of_nadeau_and_bengio() {
        let differences: Vec<f64> = (0..10).map(|i| 0.1 + 0.02 * f64::from(i % 2)).collect();
        let [own, corrected] = [0.0, 0.25]
            .map(|overlap| Contrast::of(&differences, Design { overlap, ..Design::FIXED }).unwrap());
        let [low, high] = corrected.interval(0.95).unwrap();
        assert!((corrected.deviation - 0.010_540_925_533_894_598).abs() < 1e-15);
        assert!(
            ((high - low) / 2.0 - 2.262_157_162_798_205 * 0.591_607_978_309_961_6 * corrected.deviation)
                .abs()
                < 1e-12
        );
        assert_eq!((own.mean, own.deviation), (corrected.mean, corrected.deviation));
        assert!(corrected.p_value() > own.p_value());
    }
}
