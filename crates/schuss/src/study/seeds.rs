//! Seeds of a study: listed, or as many as it takes to decide.

use crate::{Cause, Error, Place, Result};
use schuss_data::{Dataset, Folds, Resampling};
use serde::{Serialize, Serializer};
use std::str::FromStr;

/// Numbers of seeds after which a study with as many seeds as it takes looks at which recipes are not yet decided.
pub(super) const LOOKS: [usize; 5] = [3, 5, 8, 12, 20];

/// Maximum number of seeds that are given by their number.
const MOST: u64 = 10_000;

/// Seeds of a study: each recipe runs once per seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// These, all different.
    Listed(Vec<u64>),
    /// 1, 2, 3 and so on: three for every recipe, then more for those that are not yet decided, 20 at most.
    Auto,
}

impl Seeds {
    /// Returns the seeds of a study on `data`: those that are asked for, else one per fold, else seed 1.
    ///
    /// # Errors
    /// Usage errors: seeds other than those of the folds, none, or a duplicate one.
    pub(super) fn on(data: &Dataset, asked: Option<&Self>) -> Result<Self> {
        let of_folds = folds(data).map(|folds| Self::Listed(folds.seeds().collect()));
        match (asked, of_folds) {
            (Some(asked), Some(own)) if *asked != own => {
                Err(Error::usage("with folds there is one seed per fold, so others cannot be asked for")
                    .because(Cause::Conflict)
                    .at(Place::flag("seeds"))
                    .advise(
                        "leave it out, or repeat the folds: --folds 5x2; or --resample instead of --folds",
                    ))
            }
            (Some(asked), _) => {
                if let Self::Listed(seeds) = asked {
                    check_seeds(seeds)?;
                }
                Ok(asked.clone())
            }
            (None, Some(own)) => Ok(own),
            (None, None) => Ok(Self::Listed(vec![1])),
        }
    }

    /// Returns the seeds that may run, and the numbers of them after which the race is looked at.
    pub(super) fn resolved(&self) -> (Vec<u64>, Vec<usize>) {
        match self {
            Self::Listed(seeds) => (seeds.clone(), vec![]),
            Self::Auto => ((1..=LOOKS[LOOKS.len() - 1] as u64).collect(), LOOKS.to_vec()),
        }
    }

    /// Returns true if a recipe may have several trials.
    pub fn is_several(&self) -> bool {
        !matches!(self, Self::Listed(seeds) if seeds.len() < 2)
    }
}

/// Returns the folds of a data set, if its seeds hold out folds.
pub(super) fn folds(data: &Dataset) -> Option<Folds> {
    match data.resampled.as_ref()?.how {
        Resampling::Folds(folds) => Some(folds),
        Resampling::Random => None,
    }
}

/// Refuses to tune on samples that other seeds hold out.
pub(super) fn refuse_resampled(data: &Dataset) -> Result<()> {
    if data.resampled.is_none() {
        return Ok(());
    }
    Err(Error::usage("tuning would choose by samples that other seeds hold out from training")
        .because(Cause::Conflict)
        .advise("tune first, without --resample and --folds, then compare what was chosen"))
}

/// Checks that there are seeds, all different.
pub(super) fn check_seeds(seeds: &[u64]) -> Result<()> {
    if seeds.is_empty() {
        return Err(Error::usage("a study needs at least one seed"));
    }
    match (1..seeds.len()).find(|&i| seeds[..i].contains(&seeds[i])) {
        Some(twice) => Err(Error::usage(format!(
            "duplicate seed {}; repeating the same trial does not measure spread",
            seeds[twice]
        ))),
        None => Ok(()),
    }
}

/// A number of seeds, from 1, or `auto`.
impl FromStr for Seeds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let number = text.parse::<u64>().ok().filter(|number| (1..=MOST).contains(number));
        match number {
            Some(number) => Ok(Self::Listed((1..=number).collect())),
            None if text.eq_ignore_ascii_case("auto") => Ok(Self::Auto),
            None => {
                Err(Error::usage(format!("`{text}` is neither auto nor a number of seeds from 1 to 10,000"))
                    .advise("5 for seeds 1 to 5, or auto"))
            }
        }
    }
}

impl Serialize for Seeds {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Listed(seeds) => seeds.serialize(serializer),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_number_of_them_or_auto() {
        assert_eq!("5".parse(), Ok(Seeds::Listed(vec![1, 2, 3, 4, 5])));
        assert_eq!(" Auto".parse(), Ok(Seeds::Auto));
        for text in ["", "0", "-1", "1,2", "many", "10001"] {
            assert_eq!(text.parse::<Seeds>().unwrap_err().exit_code(), 2, "{text}");
        }
        assert!(Seeds::Auto.is_several() && !Seeds::Listed(vec![7]).is_several());
    }

    #[test]
    fn with_folds_there_is_one_seed_per_fold() {
        let mut data = schuss_data::load("digits:train=100,test=10,size=8").unwrap();
        assert_eq!(Seeds::on(&data, None), Ok(Seeds::Listed(vec![1])));
        let mut workload = super::super::Workload::of("digits:train=100,test=10,size=8");
        workload.choices.set(crate::recipe::ChoiceKey::Folds, "3x2").unwrap();
        data = workload.load(None, None).unwrap();
        let six = Seeds::Listed(vec![1, 2, 3, 4, 5, 6]);
        assert_eq!(Seeds::on(&data, None), Ok(six.clone()));
        assert_eq!(Seeds::on(&data, Some(&six)), Ok(six));
        assert_eq!(Seeds::on(&data, Some(&Seeds::Auto)).unwrap_err().exit_code(), 2);
    }
}
