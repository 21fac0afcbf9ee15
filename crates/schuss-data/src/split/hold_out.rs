//! Holds samples out of a split: seeded, and stratified if there are classes.

use super::resampling::{Fold, Folds};
use super::strata::Strata;
use crate::random::{Key, Purpose};
use crate::{Result, Split, Subset};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Seed of hold-out draws, unless splits are drawn anew with every seed of a trial: always the same, so that trials with
/// different seeds are compared on the same samples.
pub(crate) const SEED: u64 = 1;

/// Record of the splits of a data set that were held out by schuss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Seed of the draws.
    pub seed: u64,
    /// Names of the splits.
    pub drawn: Vec<String>,
    /// 128-bit XXH3 over the held-out indices, as 32 hex digits.
    pub hash: String,
}

/// A split divided in two.
#[derive(Debug)]
pub(crate) struct Divided {
    pub(crate) rest: Split,
    pub(crate) held: Split,
    /// Indices of the held-out samples, ascending.
    pub(crate) indices: Vec<u64>,
}

impl Divided {
    /// Holds out the samples at these ascending indices.
    fn at(split: Split, indices: Vec<u64>) -> Result<Self> {
        let (rest, held) = match split {
            Split::Resident(samples) => {
                let mut samples = Arc::unwrap_or_clone(samples);
                let taken = samples.take_out(&indices)?;
                (samples.into(), taken.into())
            }
            Split::Streamed(store) => {
                let [held, rest] =
                    Subset::divide(&store, &indices).map(|part| Split::Streamed(Arc::new(part)));
                (rest, held)
            }
        };
        Ok(Self { rest, held, indices })
    }
}

/// Holds out `share` of all samples, at least one, with the same share of every class.
///
/// # Errors
/// A data error if there are fewer than two samples, or if they cannot be read.
pub(crate) fn hold_out(split: Split, share: f64, seed: u64, purpose: Purpose) -> Result<Divided> {
    let strata = Strata::of(&split)?;
    let quotas = strata.quotas(share)?;
    let held = strata.draw(&split, quotas, Key { seed, purpose, epoch: 0 })?;
    Divided::at(split, held)
}

/// Holds out a fold: of every class an equal part, as far as its number of samples can be divided. The folds of a
/// repetition hold out every sample once.
///
/// # Errors
/// A data error if a class has fewer samples than there are folds, or if they cannot be read.
pub(crate) fn hold_out_fold(split: Split, folds: Folds, fold: Fold, classes: &[String]) -> Result<Divided> {
    let strata = Strata::of(&split)?;
    let shares = strata.shares(folds.folds(), classes)?;
    let key = Key { seed: fold.repeat, purpose: Purpose::Folds, epoch: 0 };
    let held = strata.draw_fold(&split, shares, fold.number, key)?;
    Divided::at(split, held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Samples, Values};

    fn samples(classes: &[u32]) -> Samples {
        let values = Values::Floats((0..classes.len()).map(|i| i as f32).collect());
        Samples::new(values, Labels::Class(classes.to_vec()), 1).unwrap()
    }

    fn held(samples: &Samples, share: f64, purpose: Purpose) -> Vec<u64> {
        hold_out(samples.clone().into(), share, SEED, purpose).unwrap().indices
    }

    /// 800, 150, 49 and 1 samples of four classes, mixed.
    fn uneven() -> Samples {
        let class = |i: u32| match i * 7 % 1_000 {
            0..800 => 0,
            800..950 => 1,
            950..999 => 2,
            _ => 3,
        };
        samples(&(0..1_000).map(class).collect::<Vec<_>>())
    }

    #[test]
    fn every_class_gives_its_share_and_keeps_its_last_sample() {
        let all = uneven();
        let held = held(&all, 0.1, Purpose::Validation);
        let count =
            |class: u32| held.iter().filter(|&&index| all.class(index as usize) == Some(class)).count();
        assert_eq!((held.len(), [0, 1, 2, 3].map(count)), (100, [80, 15, 5, 0]));
        assert!(held.is_sorted() && held.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn resident_and_streamed_splits_are_divided_alike_and_no_sample_is_lost() {
        let all = uneven();
        let streamed = Split::Streamed(Arc::new(all.clone()));
        let own = hold_out(all.clone().into(), 0.2, SEED, Purpose::Test).unwrap();
        let other = hold_out(streamed, 0.2, SEED, Purpose::Test).unwrap();
        assert_eq!(own.indices, other.indices);
        let (rest, part) = (&own.rest, &own.held);
        for (resident, streamed) in [(rest, &other.rest), (part, &other.held)] {
            let every: Vec<u64> = (0..resident.len() as u64).collect();
            assert_eq!(resident.resident().unwrap(), &streamed.read(&every).unwrap());
        }
        let number = |split: &Split, index| match split.resident().unwrap().row(index) {
            crate::Row::Floats(row) => row[0] as usize,
            crate::Row::Bytes(_) => usize::MAX,
        };
        let mut seen: Vec<usize> = (0..rest.len()).map(|index| number(rest, index)).collect();
        seen.extend((0..part.len()).map(|index| number(part, index)));
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1_000));
    }

    #[test]
    fn other_purposes_hold_out_others_and_every_sample_has_its_chance() {
        let all = samples(&[0; 200]);
        assert_ne!(held(&all, 0.1, Purpose::Validation), held(&all, 0.1, Purpose::Test));
        let held = held(&samples(&[0; 20_000]), 0.25, Purpose::Test);
        let early = held.iter().filter(|&&index| index < 10_000).count();
        assert!(held.len() == 5_000 && (2_300..2_700).contains(&early), "{early}");
    }

    #[test]
    fn the_fewest_samples_are_divided_and_one_is_refused() {
        for (classes, share) in [(&[0, 0][..], 0.2), (&[0, 1], 0.2), (&[0, 1, 2], 0.9)] {
            let count = held(&samples(classes), share, Purpose::Test).len();
            assert!(count >= 1 && count < classes.len(), "{count} of {classes:?}");
        }
        for few in [&[][..], &[4]] {
            assert_eq!(hold_out(samples(few).into(), 0.2, SEED, Purpose::Test).unwrap_err().exit_code(), 3);
        }
    }

    fn fold(samples: &Samples, folds: &str, seed: u64) -> Divided {
        let folds: Folds = folds.parse().unwrap();
        hold_out_fold(samples.clone().into(), folds, folds.of_seed(seed), &[]).unwrap()
    }

    #[test]
    fn the_folds_of_a_repetition_hold_out_every_sample_once_and_equal_parts_of_every_class() {
        let class = |i: u32| if i % 97 < 60 { 0 } else { 1 + i % 3 };
        let all = samples(&(0..571).map(class).collect::<Vec<_>>());
        let count = |indices: &[u64], class: u32| {
            indices.iter().filter(|&&index| all.class(index as usize) == Some(class)).count()
        };
        for seeds in [1..=5, 6..=10] {
            let folds: Vec<Divided> = seeds.map(|seed| fold(&all, "5x2", seed)).collect();
            let mut held: Vec<u64> = folds.iter().flat_map(|fold| fold.indices.clone()).collect();
            held.sort_unstable();
            assert!(held.into_iter().eq(0..571));
            for fold in &folds {
                assert_eq!(fold.rest.len() + fold.held.len(), 571);
                assert!((114..=115).contains(&fold.held.len()), "{}", fold.held.len());
                for class in 0..4 {
                    let fifth = count(&(0..571).collect::<Vec<_>>(), class) / 5;
                    assert!((fifth..=fifth + 1).contains(&count(&fold.indices, class)));
                }
            }
        }
        assert_ne!(fold(&all, "5x2", 1).indices, fold(&all, "5x2", 6).indices);
        assert_eq!(fold(&all, "5x2", 3).indices, fold(&all, "5", 3).indices);
    }

    #[test]
    fn held_out_samples_of_a_fold_are_never_in_its_training_resident_or_streamed() {
        let all = samples(&(0..40).map(|i| i % 2).collect::<Vec<_>>());
        let streamed = Split::Streamed(Arc::new(all.clone()));
        let folds: Folds = "4".parse().unwrap();
        for seed in folds.seeds() {
            let own = fold(&all, "4", seed);
            let other = hold_out_fold(streamed.clone(), folds, folds.of_seed(seed), &[]).unwrap();
            assert_eq!(own.indices, other.indices);
            let every: Vec<u64> = (0..30).collect();
            let rest = own.rest.resident().unwrap();
            assert_eq!(rest, &other.rest.read(&every).unwrap());
            let others: Vec<u64> = (0..40).filter(|index| !own.indices.contains(index)).collect();
            assert_eq!(rest, &all.select(&others).unwrap());
        }
    }

    #[test]
    fn more_folds_than_samples_of_a_class_are_a_data_error_that_names_it() {
        let all = samples(&[0, 0, 0, 2, 2, 0, 0]);
        let names = ["ant", "bee", "cat"].map(String::from);
        let refused = |folds: &str| {
            let folds: Folds = folds.parse().unwrap();
            hold_out_fold(all.clone().into(), folds, folds.of_seed(1), &names).unwrap_err()
        };
        assert!(refused("3").what.contains("`cat` has 2"), "{}", refused("3"));
        assert_eq!(refused("3").exit_code(), 3);
        assert!(refused("3").advice.unwrap().contains("--folds 2"));
    }
}
