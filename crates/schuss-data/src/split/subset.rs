//! Subsets of the samples of a store.

use crate::stream::refill::push_label;
use crate::{Access, Labels, Result, Samples, Store};
use std::borrow::Cow;
use std::sync::Arc;

/// The listed samples of a store, or all others, in their order in the store.
pub struct Subset {
    store: Arc<dyn Store>,
    /// Ascending, without duplicates, none beyond the last sample.
    listed: Arc<[u64]>,
    others: bool,
}

impl Subset {
    /// Divides a store into the listed samples, whose indices must be ascending, and all others.
    pub(crate) fn divide(store: &Arc<dyn Store>, listed: &[u64]) -> [Self; 2] {
        let listed: Arc<[u64]> = listed.into();
        [false, true].map(|others| Self { store: Arc::clone(store), listed: Arc::clone(&listed), others })
    }

    /// Returns the index in the store of sample `index` of the subset.
    fn place(&self, index: u64) -> u64 {
        if !self.others {
            return usize::try_from(index)
                .ok()
                .and_then(|index| self.listed.get(index))
                .copied()
                .unwrap_or(u64::MAX);
        }
        // The listed samples before it are those with at most `index` others before them.
        let (mut low, mut high) = (0, self.listed.len());
        while low < high {
            let middle = low.midpoint(high);
            let before = self.listed[middle] - middle as u64;
            if before <= index { low = middle + 1 } else { high = middle }
        }
        index.saturating_add(low as u64)
    }
}

impl Store for Subset {
    fn len(&self) -> u64 {
        let listed = self.listed.len() as u64;
        if self.others { self.store.len() - listed } else { listed }
    }

    fn held(&self) -> usize {
        // the store is counted once, with the other samples
        if self.others { self.store.held() } else { size_of_val(&*self.listed) }
    }

    fn access(&self) -> Access {
        self.store.access()
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        let all = self.store.labels()?;
        let mut own = all.emptied();
        (0..self.len()).for_each(|index| push_label(&mut own, &all, self.place(index)));
        Some(Cow::Owned(own))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let places: Vec<u64> = indices.iter().map(|&index| self.place(index)).collect();
        self.store.read(&places, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Values};

    #[test]
    fn the_listed_samples_and_the_others_are_all_samples_once() {
        let values = Values::Bytes((0..20).collect());
        let store: Arc<dyn Store> = Arc::new(Samples::new(values, Labels::Absent(20), 1).unwrap());
        for listed in [&[][..], &[0], &[19], &[0, 1, 2, 7, 11, 18, 19], &(0..20).collect::<Vec<_>>()] {
            let [held, others] = Subset::divide(&store, listed);
            let mut seen = vec![];
            for part in [&held, &others] {
                let mut into = Samples::default();
                part.read(&(0..part.len()).collect::<Vec<_>>(), &mut into).unwrap();
                assert!(into.values().pixels().is_sorted());
                seen.extend_from_slice(into.values().pixels());
            }
            assert!(seen[..listed.len()].iter().map(|&byte| u64::from(byte)).eq(listed.iter().copied()));
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..20));
        }
    }
}
