//! The outcome of a trial, as far as it is known.

use std::cmp::Ordering;

/// Outcome of a trial: its time to the target or its final value; lower is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Known exactly.
    Reached(f64),
    /// Censored: the trial ended without it, so it is more than this.
    Beyond(f64),
    /// Infinite: the trial diverged before.
    Never,
}

impl Outcome {
    /// Returns the number, if it is known.
    pub(super) fn reached(self) -> Option<f64> {
        if let Self::Reached(value) = self { Some(value) } else { None }
    }

    /// Returns the outcome if something took this time before.
    pub(super) fn after(self, time: f64) -> Self {
        match self {
            Self::Reached(value) => Self::Reached(value + time),
            Self::Beyond(value) => Self::Beyond(value + time),
            Self::Never => Self::Never,
        }
    }

    /// Returns the lowest value it can have.
    pub(super) fn least(self) -> f64 {
        match self {
            Self::Reached(value) | Self::Beyond(value) => value,
            Self::Never => f64::INFINITY,
        }
    }

    /// Returns the highest value it can have.
    pub(super) fn most(self) -> f64 {
        self.reached().unwrap_or(f64::INFINITY)
    }

    /// Returns the order of two outcomes; `None` if it is undetermined, such as that of a censored trial and one that
    /// reached the target later than that.
    pub(super) fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Reached(a), Self::Reached(b)) => a.partial_cmp(&b),
            (Self::Never, Self::Never) => Some(Ordering::Equal),
            (Self::Reached(a), _) if a <= other.least() => Some(Ordering::Less),
            (_, Self::Reached(b)) if b <= self.least() => Some(Ordering::Greater),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Beyond, Never, Reached};

    #[test]
    fn a_censored_trial_loses_to_an_earlier_hit_and_is_undetermined_against_a_later_one() {
        assert_eq!(Reached(2.0).order(Beyond(3.0)), Some(Ordering::Less));
        assert_eq!(Beyond(3.0).order(Reached(2.0)), Some(Ordering::Greater));
        assert_eq!(Reached(4.0).order(Beyond(3.0)), None);
        assert_eq!(Beyond(3.0).order(Beyond(3.0)), None);
    }

    #[test]
    fn a_diverged_trial_loses_to_every_hit_and_ties_with_another_diverged_one() {
        assert_eq!(Never.order(Reached(1e9)), Some(Ordering::Greater));
        assert_eq!(Never.order(Never), Some(Ordering::Equal));
        assert_eq!(Never.order(Beyond(3.0)), None);
        assert_eq!(Reached(2.0).order(Reached(2.0)), Some(Ordering::Equal));
    }
}
