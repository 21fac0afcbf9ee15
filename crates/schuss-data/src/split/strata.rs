//! Samples of each class of a split, from which equal shares are drawn.

use crate::format::table::shown;
use crate::random::{Draws, Key};
use crate::{Error, Result, Split};

/// Number of samples per class; a single stratum if samples have no class.
pub(super) struct Strata(Vec<u64>);

/// Maximum number of classes with a stratum of their own; all further classes share one.
const MOST: usize = 1 << 20;

/// Returns the stratum of a sample.
fn stratum(class: Option<u32>) -> usize {
    class.map_or(0, |class| (class as usize).min(MOST))
}

impl Strata {
    pub(super) fn of(split: &Split) -> Result<Self> {
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
    pub(super) fn quotas(&self, share: f64) -> Result<Vec<u64>> {
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
    pub(super) fn draw(mut self, split: &Split, mut quotas: Vec<u64>, key: Key) -> Result<Vec<u64>> {
        let mut held = Vec::with_capacity(quotas.iter().sum::<u64>() as usize);
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

    /// Returns the number of samples of each fold, by stratum: equal ones, with those left over dealt out to one fold after
    /// the other, so that no two folds differ by more than one sample. Empty for a stratum without samples.
    pub(super) fn shares(&self, folds: usize, classes: &[String]) -> Result<Vec<Vec<u64>>> {
        let fewest = (0..).zip(&self.0).filter(|(_, count)| **count > 0).min_by_key(|(_, count)| **count);
        match fewest {
            Some((class, count)) if *count < folds as u64 => {
                return Err(too_few(folds, *count, classes.get(class)));
            }
            None => return Err(too_few(folds, 0, None)),
            Some(_) => {}
        }
        let mut next = 0;
        let shares = |count: &u64| {
            let left_over = (count % folds as u64) as usize;
            let mut shares = vec![count / folds as u64; if *count > 0 { folds } else { 0 }];
            (next..next + left_over).for_each(|fold| shares[fold % folds] += 1);
            next = (next + left_over) % folds;
            shares
        };
        Ok(self.0.iter().map(shares).collect())
    }

    /// Draws the fold of every sample, every division into such shares equally likely; returns the ascending indices of
    /// the samples in fold `number`.
    pub(super) fn draw_fold(
        mut self,
        split: &Split,
        mut shares: Vec<Vec<u64>>,
        number: usize,
        key: Key,
    ) -> Result<Vec<u64>> {
        let mut held = vec![];
        split.each_class(|index, class| {
            let stratum = stratum(class);
            let left = &mut self.0[stratum];
            let fold = nth(&mut shares[stratum], below(*left, &mut key.draws(index)));
            if fold == number {
                held.push(index);
            }
            *left -= 1;
        })?;
        Ok(held)
    }
}

/// Takes place `nth` of those that are left in all folds, and returns its fold.
fn nth(left: &mut [u64], mut nth: u64) -> usize {
    for (fold, left) in left.iter_mut().enumerate() {
        if nth < *left {
            *left -= 1;
            return fold;
        }
        nth -= *left;
    }
    left.len()
}

/// Returns the error for a class with fewer samples than folds; without a name, for all samples.
fn too_few(folds: usize, count: u64, class: Option<&String>) -> Error {
    let noun = if count == 1 { "sample" } else { "samples" };
    let error = match class.map(|class| shown(class)) {
        Some(class) => Error::data(format!(
            "{folds} folds need {folds} samples of every class, but `{class}` has {count}"
        )),
        None => Error::data(format!("{folds} folds need {folds} samples, but there are {count} {noun}")),
    };
    match count {
        0 | 1 => error.advise("--resample --validation 0.1, which draw splits at random"),
        _ => error
            .advise(format!("--folds {count}, or --resample --validation 0.1, which draw splits at random")),
    }
}

/// Returns a uniform draw from `0..len`.
fn below(len: u64, draws: &mut Draws) -> u64 {
    let bits = u64::from(draws.bits()) << 32 | u64::from(draws.bits());
    ((u128::from(bits) * u128::from(len)) >> 64) as u64
}
