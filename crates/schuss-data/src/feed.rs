//! Samples in the order of an epoch, some at a time: the same for those in memory and for those that are streamed.

use crate::order::{EpochOrder, Order};
use crate::{Normalisation, Result, Row, Samples, Split, Store};

/// The samples of a split in the order of an epoch.
pub struct Feed<'a> {
    source: Source<'a>,
    normalisation: &'a Normalisation,
    len: usize,
    order: EpochOrder,
    epoch: u32,
}

enum Source<'a> {
    Resident(&'a Samples),
    Streamed(Streamed<'a>),
}

/// Samples that are read when they are asked for.
struct Streamed<'a> {
    store: &'a dyn Store,
    indices: Vec<u64>,
    samples: Samples,
}

impl<'a> Feed<'a> {
    /// The samples of `split` as they stand there.
    pub fn new(split: &'a Split, normalisation: &'a Normalisation) -> Self {
        let source = match split {
            Split::Resident(samples) => Source::Resident(samples),
            Split::Streamed(store) => {
                Source::Streamed(Streamed { store: &**store, indices: vec![], samples: Samples::default() })
            }
        };
        let len = split.len();
        Self { source, normalisation, len, order: EpochOrder::new(Order::Sequential, len, 0, 0), epoch: 0 }
    }

    /// Goes on in the order of `epoch` (from 0).
    pub fn begin(&mut self, order: Order, seed: u64, epoch: u32) {
        self.order = EpochOrder::new(order, self.len, seed, epoch);
        self.epoch = epoch;
    }

    /// Samples per epoch.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The epoch, from 0.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The `rows` samples from position `first` on.
    ///
    /// # Errors
    /// A data error if one cannot be read.
    pub fn rows(&mut self, first: usize, rows: usize) -> Result<Batch<'_>> {
        let (samples, order) = match &mut self.source {
            Source::Resident(samples) => (*samples, Some((&self.order, first))),
            Source::Streamed(streamed) => {
                streamed.indices.clear();
                let positions = first..first + rows;
                streamed.indices.extend(positions.map(|position| self.order.index(position) as u64));
                streamed.store.read(&streamed.indices, &mut streamed.samples)?;
                (&streamed.samples, None)
            }
        };
        Ok(Batch { samples, order, rows, normalisation: self.normalisation })
    }
}

/// Some samples that follow each other.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    samples: &'a Samples,
    /// Where the samples stand: at the positions of an order from one on, else one after the other.
    order: Option<(&'a EpochOrder, usize)>,
    rows: usize,
    normalisation: &'a Normalisation,
}

impl<'a> Batch<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    fn index(&self, row: usize) -> usize {
        self.order.map_or(row, |(order, first)| order.index(first + row))
    }

    /// The stored numbers of sample `row`.
    pub fn row(&self, row: usize) -> Row<'a> {
        self.samples.row(self.index(row))
    }

    /// The class of sample `row`, if it has one.
    pub fn class(&self, row: usize) -> Option<u32> {
        self.samples.class(self.index(row))
    }

    /// The numbers that are to be told of sample `row`.
    pub fn reals(&self, row: usize) -> &'a [f32] {
        self.samples.reals(self.index(row))
    }

    /// Numbers per sample.
    pub fn features(&self) -> usize {
        self.samples.features()
    }

    /// Writes the normalised numbers of sample `row` to the front of `to`.
    pub fn write(&self, row: usize, to: &mut [f32]) {
        self.normalisation.write(self.row(row), to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Values};
    use std::sync::Arc;

    #[test]
    fn every_order_brings_streamed_samples_as_it_brings_resident_ones() {
        let values = Values::Floats((0..300).map(|i| i as f32).collect());
        let labels = Labels::Real { values: (0..100).map(|i| -(i as f32)).collect(), width: 1 };
        let samples = Samples::new(values, labels, 3).unwrap();
        let splits = [Split::from(samples.clone()), Split::Streamed(Arc::new(samples))];
        for order in [Order::Shuffled, Order::Sequential, Order::Replacement] {
            let [resident, streamed] = splits.each_ref().map(|split| {
                let mut feed = Feed::new(split, &Normalisation::None);
                feed.begin(order, 3, 5);
                let mut seen = vec![];
                for (first, rows) in [(0, 40), (40, 60), (7, 1)] {
                    let batch = feed.rows(first, rows).unwrap();
                    let mut row = [0.0; 3];
                    for at in 0..batch.len() {
                        batch.write(at, &mut row);
                        assert_eq!(batch.reals(at), [-row[0] / 3.0]);
                        seen.push(row);
                    }
                }
                seen
            });
            assert_eq!(resident, streamed, "{order}");
        }
    }
}
