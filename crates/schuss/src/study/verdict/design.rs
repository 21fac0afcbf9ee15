//! Design of a comparison: the number of looks at it, and how far trials depend on each other.

use crate::record::Summary;

/// Confidence level of a verdict, over all of its looks.
pub(in crate::study) const LEVEL: f64 = 0.95;

/// Dependences that tests and intervals allow for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Design {
    /// Looks at the race, which share the error equally; one if the number of seeds was fixed.
    pub(super) looks: usize,
    /// Samples that a trial is evaluated on over those that it is trained on, if every seed draws its own splits, which
    /// overlap; 0 if trials are independent.
    pub(super) overlap: f64,
}

impl Design {
    /// A fixed number of independent trials.
    #[cfg(test)]
    pub(super) const FIXED: Self = Self { looks: 1, overlap: 0.0 };

    /// Returns the design of a run.
    pub(super) fn of(summary: &Summary) -> Self {
        let counts = summary.data.counts;
        let evaluated = counts.validation.unwrap_or(counts.test) as f64;
        let overlap = summary.data.resampled.as_ref().map(|_| evaluated / counts.train.max(1) as f64);
        Self { looks: summary.study.looks.len().max(1), overlap: overlap.unwrap_or(0.0) }
    }

    /// Returns the error that one look may spend: the looks together spend 1 − [`LEVEL`], however they depend on each
    /// other (Bonferroni).
    pub(super) fn error(self) -> f64 {
        (1.0 - LEVEL) / self.looks as f64
    }

    /// Returns the level of the tests and intervals of one look.
    pub(super) fn level(self) -> f64 {
        if self.looks == 1 { LEVEL } else { 1.0 - self.error() }
    }

    /// Returns the error of the interval of a median; 0 where trials overlap, since it then has none.
    pub(super) fn median_error(self) -> f64 {
        if self.overlap == 0.0 { self.error() } else { 0.0 }
    }

    /// Returns the number of independent trials whose mean varies as much as that of `n` trials: 1 / (1/n + overlap).
    pub(super) fn independent(self, n: usize) -> f64 {
        if self.overlap == 0.0 { n as f64 } else { 1.0 / (1.0 / n as f64 + self.overlap) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_share_the_error_and_overlapping_trials_count_for_fewer() {
        let design = Design { looks: 5, overlap: 0.25 };
        assert!((design.error() - 0.01).abs() < 1e-15 && (design.level() - 0.99).abs() < 1e-15);
        assert!((design.independent(10) - 1.0 / 0.35).abs() < 1e-12);
        assert_eq!((Design::FIXED.level(), Design::FIXED.independent(7)), (0.95, 7.0));
    }
}
