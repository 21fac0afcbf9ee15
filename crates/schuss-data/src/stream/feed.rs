//! Batches of samples in the order of an epoch, the same for resident and streamed splits.

use crate::stream::order::{EpochOrder, Order};
use crate::stream::ring::{self, Demand, Window};
use crate::{Normalisation, Result, Ring, Row, Samples, Split, Store};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Feed of a split's samples in the order of a trial.
pub struct Feed {
    source: SampleSource,
    normalisation: Arc<Normalisation>,
    len: usize,
    features: usize,
    order: Order,
    seed: u64,
    epoch: u32,
}

enum SampleSource {
    Resident(Resident),
    Streamed(Ring),
}

/// Samples in memory, with the order of the current epoch.
struct Resident {
    samples: Arc<Samples>,
    order: EpochOrder,
    /// Of the batch that was requested last.
    indices: Vec<usize>,
}

impl Feed {
    /// Creates a feed of `split` in the order given by `order` and `seed`, starting at epoch 0. At most
    /// `rows` samples are requested at once; streamed splits are read ahead within `memory` bytes.
    ///
    /// # Errors
    /// A usage error if the memory is too small, a failure if reader threads cannot be started, a data error if the
    /// split cannot be read.
    pub fn new(
        split: &Split,
        normalisation: &Normalisation,
        order: Order,
        seed: u64,
        rows: usize,
        memory: u64,
    ) -> Result<Self> {
        let len = split.len();
        let source = match split {
            Split::Resident(samples) => SampleSource::Resident(Resident {
                samples: Arc::clone(samples),
                order: EpochOrder::new(order, len, seed, 0),
                indices: Vec::with_capacity(rows.min(len)),
            }),
            Split::Streamed(store) => {
                let window = window(&**store, order, rows, memory)?;
                SampleSource::Streamed(Ring::new(Arc::clone(store), order, seed, window)?)
            }
        };
        let features = split.read(&[])?.features();
        let normalisation = Arc::new(normalisation.clone());
        Ok(Self { source, normalisation, len, features, order, seed, epoch: 0 })
    }

    /// Returns a feed of the same samples in the same order for another trial: streamed samples are read once for both,
    /// and the faster feed waits for the slower.
    pub fn beside(&self) -> Self {
        let source = match &self.source {
            SampleSource::Resident(Resident { samples, indices, .. }) => SampleSource::Resident(Resident {
                samples: Arc::clone(samples),
                order: EpochOrder::new(self.order, self.len, self.seed, 0),
                indices: Vec::with_capacity(indices.capacity()),
            }),
            SampleSource::Streamed(ring) => SampleSource::Streamed(ring.beside()),
        };
        Self { source, normalisation: Arc::clone(&self.normalisation), epoch: 0, ..*self }
    }

    /// Stops requesting samples for now; feeds created by [`Self::beside`] need not wait for it.
    pub fn leave(&mut self) {
        if let SampleSource::Streamed(ring) = &mut self.source {
            ring.leave();
        }
    }

    /// Stops reading ahead until the next request, so that no loader thread runs; samples already read are kept.
    pub fn rest(&self) {
        if let SampleSource::Streamed(ring) = &self.source {
            ring.rest();
        }
    }

    /// Switches to the order of `epoch` (from 0).
    pub fn begin(&mut self, epoch: u32) {
        self.epoch = epoch;
        if let SampleSource::Resident(resident) = &mut self.source {
            resident.order = EpochOrder::new(self.order, self.len, self.seed, epoch);
        }
    }

    /// Returns the number of samples per epoch.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the current epoch, from 0.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns the `rows` samples from position `first` on.
    ///
    /// # Errors
    /// A data error if a sample cannot be read.
    pub fn rows(&mut self, first: usize, rows: usize) -> Result<Batch<'_>> {
        let place = match &mut self.source {
            SampleSource::Resident(Resident { samples, order, indices }) => {
                order.write_indices(first..first + rows, indices);
                BatchSamples::Resident { samples, indices }
            }
            SampleSource::Streamed(ring) => BatchSamples::Streamed(ring.rows(self.epoch, first, rows)?),
        };
        Ok(Batch { place, rows, features: self.features, normalisation: &self.normalisation })
    }

    /// Returns the total time that requests have waited for samples.
    pub fn waited(&self) -> Duration {
        match &self.source {
            SampleSource::Resident(..) => Duration::ZERO,
            SampleSource::Streamed(ring) => ring.waited(),
        }
    }
}

/// Number of reader threads, however few cores there are: they mostly wait for the disk, which is fastest with several
/// requests in flight.
const LOADERS: usize = 8;

/// Returns how far to read ahead, within `memory` bytes, of requests for up to `rows` samples at once.
fn window(store: &dyn Store, order: Order, rows: usize, memory: u64) -> Result<Window> {
    let mut first = Samples::default();
    let (len, none): (u64, &[u64]) = (store.len(), &[]);
    store.read(if len > 0 { &[0] } else { none }, &mut first)?;
    let demand = Demand { order, access: store.access(), len, row: first.bytes() as u64, rows };
    Window::fit(&demand, LOADERS, memory)
}

/// A batch of consecutive samples of an epoch.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    place: BatchSamples<'a>,
    rows: usize,
    features: usize,
    normalisation: &'a Normalisation,
}

/// Source of the samples of a batch.
#[derive(Clone, Copy)]
enum BatchSamples<'a> {
    Resident {
        samples: &'a Samples,
        /// Of the samples of the batch.
        indices: &'a [usize],
    },
    Streamed(ring::Batch<'a>),
}

impl<'a> Batch<'a> {
    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the samples that contain sample `row`, and its index among them.
    fn at(&self, row: usize) -> (&'a Samples, usize) {
        match &self.place {
            BatchSamples::Resident { samples, indices } => (samples, indices[row]),
            BatchSamples::Streamed(batch) => batch.at(row),
        }
    }

    /// Returns the stored features of sample `row`.
    pub fn row(&self, row: usize) -> Row<'a> {
        let (samples, index) = self.at(row);
        samples.row(index)
    }

    /// Returns the class of sample `row`, if it has one.
    pub fn class(&self, row: usize) -> Option<u32> {
        let (samples, index) = self.at(row);
        samples.class(index)
    }

    /// Returns the real-valued targets of sample `row`.
    pub fn reals(&self, row: usize) -> &'a [f32] {
        let (samples, index) = self.at(row);
        samples.reals(index)
    }

    /// Returns the index of sample `row` in its split, if the split is in memory.
    pub fn index(&self, row: usize) -> Option<usize> {
        match &self.place {
            BatchSamples::Resident { indices, .. } => Some(indices[row]),
            BatchSamples::Streamed(_) => None,
        }
    }

    /// Returns the samples at `rows`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn part(&self, rows: Range<usize>) -> Self {
        let place = match self.place {
            BatchSamples::Resident { samples, indices } => {
                BatchSamples::Resident { samples, indices: &indices[rows.clone()] }
            }
            BatchSamples::Streamed(batch) => BatchSamples::Streamed(batch.part(rows.clone())),
        };
        Self { place, rows: rows.len(), ..*self }
    }

    /// Returns the number of features per sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Writes the normalised features of sample `row` to the start of `to`.
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
                let mut feed = Feed::new(split, &Normalisation::None, order, 3, 60, 1 << 20).unwrap();
                feed.begin(5);
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
