//! Holds samples out of a split: seeded, and stratified if there are classes.

use crate::random::{Draws, Key, Purpose};
use crate::{Error, Result, Split, Subset};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Seed of all hold-out draws: always the same, so that trials with different seeds are compared on the same samples.
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

/// Divides a split: returns the samples that stay, those held out for `purpose` (`share` of all, at least one, with the
/// same share of every class), and the held-out indices in ascending order.
///
/// # Errors
/// A data error if there are fewer than two samples, or if they cannot be read.
pub(crate) fn hold_out(split: Split, share: f64, purpose: Purpose) -> Result<(Split, Split, Vec<u64>)> {
    let strata = Strata::of(&split)?;
    let quotas = strata.quotas(share)?;
    let held = strata.draw(&split, quotas, purpose)?;
    match split {
        Split::Resident(samples) => {
            let mut samples = Arc::unwrap_or_clone(samples);
            let taken = samples.take_out(&held)?;
            Ok((samples.into(), taken.into(), held))
        }
        Split::Streamed(store) => {
            let [part, rest] = Subset::divide(&store, &held).map(|part| Split::Streamed(Arc::new(part)));
            Ok((rest, part, held))
        }
    }
}

/// Number of samples per class; a single stratum if samples have no class.
struct Strata(Vec<u64>);

/// Maximum number of classes with a stratum of their own; all further classes share one.
const MOST: usize = 1 << 20;

/// Returns the stratum of a sample.
fn stratum(class: Option<u32>) -> usize {
    class.map_or(0, |class| (class as usize).min(MOST))
}

impl Strata {
    fn of(split: &Split) -> Result<Self> {
        let mut counts = vec![];
        split.each_class(|_, class| {
            let stratum = stratum(class);
            if counts.len() <= stratum {
                counts.resize(stratum + 1, 0);
            }
            counts[stratum] += 1;
        })?;
        Ok(Self(counts))
    }

    /// Returns the number to hold out of each stratum: together `share` of all, apportioned by largest remainders, but
    /// never the last sample of a class unless there is no other.
    fn quotas(&self, share: f64) -> Result<Vec<u64>> {
        let total: u64 = self.0.iter().sum();
        if total < 2 {
            let noun = if total == 1 { "sample" } else { "samples" };
            return Err(Error::data(format!("{total} {noun} cannot be split in two"))
                .advise("add samples, or provide the splits yourself"));
        }
        let wanted = ((share * total as f64).round() as u64).clamp(1, total - 1);
        let exact = |count: u64| wanted as f64 * count as f64 / total as f64;
        let mut quotas: Vec<u64> =
            self.0.iter().map(|&count| (exact(count) as u64).min(count.saturating_sub(1))).collect();
        let remainder = |stratum: usize, quota: u64| exact(self.0[stratum]) - quota as f64;
        let mut order: Vec<usize> = (0..quotas.len()).collect();
        order.sort_by(|&a, &b| remainder(b, quotas[b]).total_cmp(&remainder(a, quotas[a])));
        let mut missing = wanted - quotas.iter().sum::<u64>();
        for spare in [1, 0] {
            for &stratum in &order {
                if missing > 0 && quotas[stratum] + spare < self.0[stratum] {
                    quotas[stratum] += 1;
                    missing -= 1;
                }
            }
        }
        Ok(quotas)
    }

    /// Draws the quota of each stratum, every subset equally likely (Knuth, The Art of Computer Programming, volume 2,
    /// algorithm 3.4.2 S); returns the indices in ascending order.
    fn draw(mut self, split: &Split, mut quotas: Vec<u64>, purpose: Purpose) -> Result<Vec<u64>> {
        let mut held = Vec::with_capacity(quotas.iter().sum::<u64>() as usize);
        let key = Key { seed: SEED, purpose, epoch: 0 };
        split.each_class(|index, class| {
            let stratum = stratum(class);
            let (left, wanted) = (&mut self.0[stratum], &mut quotas[stratum]);
            if below(*left, &mut key.draws(index)) < *wanted {
                *wanted -= 1;
                held.push(index);
            }
            *left -= 1;
        })?;
        Ok(held)
    }
}

/// Returns a uniform draw from `0..len`.
fn below(len: u64, draws: &mut Draws) -> u64 {
    let bits = u64::from(draws.bits()) << 32 | u64::from(draws.bits());
    ((u128::from(bits) * u128::from(len)) >> 64) as u64
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
        hold_out(samples.clone().into(), share, purpose).unwrap().2
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
        let (rest, part, indices) = hold_out(all.clone().into(), 0.2, Purpose::Test).unwrap();
        let (other_rest, other_part, other_indices) = hold_out(streamed, 0.2, Purpose::Test).unwrap();
        assert_eq!(indices, other_indices);
        for (resident, streamed) in [(&rest, &other_rest), (&part, &other_part)] {
            let every: Vec<u64> = (0..resident.len() as u64).collect();
            assert_eq!(resident.resident().unwrap(), &streamed.read(&every).unwrap());
        }
        let number = |split: &Split, index| match split.resident().unwrap().row(index) {
            crate::Row::Floats(row) => row[0] as usize,
            crate::Row::Bytes(_) => usize::MAX,
        };
        let mut seen: Vec<usize> = (0..rest.len()).map(|index| number(&rest, index)).collect();
        seen.extend((0..part.len()).map(|index| number(&part, index)));
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
            assert_eq!(hold_out(samples(few).into(), 0.2, Purpose::Test).unwrap_err().exit_code(), 3);
        }
    }
}
