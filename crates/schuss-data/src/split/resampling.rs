//! Splits that are drawn anew with every seed: at random, or as the folds of a cross-validation.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Way in which the samples that are held out depend on the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampling {
    /// Every split that is held out is drawn at random.
    Random,
    /// Every seed holds out another fold.
    Folds(Folds),
}

/// Folds of a repeated cross-validation: `5x2` are 5 folds, repeated twice with other folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folds {
    folds: u32,
    repeats: u32,
}

/// A fold and the repetition it belongs to, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fold {
    pub(crate) number: usize,
    pub(crate) repeat: u64,
}

/// Maximum number of folds over all repetitions.
const MOST: u32 = 10_000;

impl Folds {
    /// Number of folds of a repetition.
    pub fn folds(self) -> usize {
        self.folds as usize
    }

    /// Number of repetitions.
    pub fn repeats(self) -> usize {
        self.repeats as usize
    }

    /// Returns the seeds, one for each fold of each repetition.
    pub fn seeds(self) -> std::ops::RangeInclusive<u64> {
        1..=u64::from(self.folds) * u64::from(self.repeats)
    }

    /// Returns the fold that a seed holds out.
    pub(crate) fn of_seed(self, seed: u64) -> Fold {
        let (from_0, folds) = (seed.wrapping_sub(1), u64::from(self.folds));
        Fold { number: (from_0 % folds) as usize, repeat: from_0 / folds }
    }
}

impl FromStr for Folds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse =
            |why: &str| Error::usage(format!("`{text}` {why}")).advise("5, or 5x2 to repeat it twice");
        let (folds, repeats) = text.trim().split_once('x').unwrap_or((text.trim(), "1"));
        let [Ok(folds), Ok(repeats)] = [folds, repeats].map(str::parse::<u32>) else {
            return Err(refuse("is not a number of folds"));
        };
        match folds.checked_mul(repeats) {
            _ if folds < 2 => Err(refuse("has fewer than two folds")),
            Some(0) => Err(refuse("is repeated no times")),
            Some(all) if all <= MOST => Ok(Self { folds, repeats }),
            _ => Err(refuse("has more than 10,000 folds")),
        }
    }
}

impl fmt::Display for Folds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.repeats {
            1 => write!(f, "{}", self.folds),
            repeats => write!(f, "{}x{repeats}", self.folds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_has_a_fold_of_its_own() {
        let folds: Folds = "5x2".parse().unwrap();
        assert_eq!((folds.folds(), folds.repeats(), folds.seeds()), (5, 2, 1..=10));
        let of = |seed| folds.of_seed(seed);
        assert_eq!(of(1), Fold { number: 0, repeat: 0 });
        assert_eq!(of(5), Fold { number: 4, repeat: 0 });
        assert_eq!(of(6), Fold { number: 0, repeat: 1 });
    }

    #[test]
    fn folds_are_two_or_more_and_repeated_at_least_once() {
        for (text, canonical) in [("5", "5"), ("5x1", "5"), (" 10x10", "10x10")] {
            assert_eq!(text.parse::<Folds>().unwrap().to_string(), canonical);
        }
        for text in ["", "x", "1", "1x2", "0x2", "5x0", "5x", "-5", "5x2x2", "five", "100000", "65536x65536"]
        {
            assert_eq!(text.parse::<Folds>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
