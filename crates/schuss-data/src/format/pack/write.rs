//! Writing a pack: one pass over the data in a shuffled order, with bounded memory.

use super::header::{Header, Labelled};
use super::{TRAILER, checksum};
use crate::stream::order::{Mix, Order};
use crate::stream::ring::{Ring, Window};
use crate::text::grouped;
use crate::{Access, Error, Labels, Result, Row, Samples, Shape, Store, Values};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Bytes of samples read at once.
const CHUNK: u64 = 4 << 20;
/// Chunks read ahead.
const DEPTH: usize = 2;
/// Maximum number of blocks mixed if samples come in blocks; more hardly mix better.
const BLOCKS: u64 = 64;

const SPLITS: [&str; 3] = ["training", "validation", "test"];

/// Contents of a pack.
pub struct Contents {
    /// Shape of a sample.
    pub shape: Shape,
    /// Names of the classes; empty unless samples have classes.
    pub classes: Vec<String>,
    /// Text by the writer.
    pub about: String,
    /// Training split; at least one sample.
    pub train: Arc<dyn Store>,
    /// Validation split.
    pub validation: Option<Arc<dyn Store>>,
    /// Test split.
    pub test: Option<Arc<dyn Store>>,
    /// Order in which the training split is written.
    pub order: Order,
    /// Seed of that order.
    pub seed: u64,
}

impl Contents {
    /// Returns the length of the pack in bytes.
    ///
    /// # Errors
    /// Data errors of a store, or data that no pack can hold.
    pub fn bytes(&self) -> Result<u64> {
        let header = self.header()?;
        let length = (header.encode()?.len() + TRAILER) as u64;
        header.records().and_then(|records| records.checked_add(length)).ok_or_else(too_much)
    }

    fn splits(&self) -> [Option<&Arc<dyn Store>>; 3] {
        [Some(&self.train), self.validation.as_ref(), self.test.as_ref()]
    }

    pub(super) fn header(&self) -> Result<Header> {
        let features = self.shape.features();
        let (floats, labelled) = kind(&*self.train, features)?;
        for store in self.splits().into_iter().flatten() {
            if kind(&**store, features)? != (floats, labelled) {
                return Err(Error::data("the splits differ in the kind of their values or labels"));
            }
        }
        let counts = self.splits().map(|store| store.map_or(0, |store| store.len()));
        let (classes, about) = (self.classes.clone(), self.about.clone());
        let header = Header { shape: self.shape, floats, labelled, counts, classes, about };
        header.check().map_err(|what| Error::data(format!("the data set {what}")))?;
        Ok(header)
    }
}

/// Returns a good order to write samples of `row` bytes in: fully shuffled if each can be read on its own;
/// otherwise with as many blocks mixed as `memory` bytes hold, at least one.
pub fn shuffling(access: Access, row: u64, memory: u64) -> Order {
    let Access::Blocks(size) = access else { return Order::Shuffled };
    let blocks = memory / size.saturating_mul(row).max(1);
    let number =
        |number: u64| NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
    Order::Blocks(Mix { blocks: number(blocks.min(BLOCKS)), size: number(size) })
}

/// Writes a pack, reading with `loaders` threads. The caller makes sure that the file appears as a whole or
/// not at all.
///
/// # Errors
/// Data errors of a store, samples that no pack can hold, or failures of `to`.
pub fn write(contents: &Contents, loaders: usize, to: &mut dyn Write) -> Result<()> {
    let header = contents.header()?;
    let encoded = header.encode()?;
    let stride = header.records().and(header.stride()).ok_or_else(too_much)?;
    let mut out = Out { to, header: &header, stride, hash: Xxh3::new(), number: 0, records: Vec::new() };
    out.hash.update(&encoded);
    out.send(&encoded)?;
    for (split, store) in contents.splits().into_iter().enumerate() {
        let order = if split == 0 { contents.order } else { Order::Sequential };
        if let Some(store) = store {
            let chunk = usize::try_from((CHUNK / stride).max(1)).unwrap_or(usize::MAX);
            let ring = Ring::new(
                Arc::clone(store),
                order,
                contents.seed,
                Window { chunk, groups: false, depth: DEPTH, loaders },
            )?;
            out.split(ring, SPLITS[split])?;
        }
    }
    let fingerprint = out.hash.digest128().to_le_bytes();
    out.send(&fingerprint)?;
    out.send(&xxh3_64(&fingerprint).to_le_bytes())
}

fn too_much() -> Error {
    Error::data("the data set holds more numbers than can be counted")
}

/// Returns true if values are floats, and the kind of label, of a store of samples of `features` numbers.
fn kind(store: &dyn Store, features: usize) -> Result<(bool, Labelled)> {
    let mut none = Samples::default();
    store.read(&[], &mut none)?;
    if none.features() != features {
        let what = format!("samples hold {} numbers, but their shape says {features}", none.features());
        return Err(Error::data(what));
    }
    let labelled = match none.labels() {
        Labels::Class(_) => Labelled::Class,
        Labels::Real { width, .. } => Labelled::Real(*width),
        Labels::Absent(_) => Labelled::Absent,
    };
    Ok((matches!(none.values(), Values::Floats(_)), labelled))
}

/// Pack being written.
struct Out<'a> {
    to: &'a mut dyn Write,
    header: &'a Header,
    stride: u64,
    hash: Xxh3,
    /// Number of the next record.
    number: u64,
    records: Vec<u8>,
}

impl Out<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.to.write_all(bytes).map_err(failure)
    }

    /// Writes all samples of a split in the order they come.
    fn split(&mut self, mut ring: Ring, name: &str) -> Result<()> {
        let mut first = 0;
        while first < ring.len() {
            self.records.clear();
            let batch = ring.rows(0, first, ring.chunk().min(ring.len() - first))?;
            let rows = batch.len();
            let add = |row| {
                let (samples, index) = batch.at(row);
                self.record(samples, index).err().map(|what| (row, what))
            };
            if let Some((row, what)) = (0..rows).find_map(add) {
                let sample = grouped(ring.index(0, first + row) as u64);
                return Err(Error::data(format!("sample {sample} of the {name} split holds {what}")));
            }
            self.to.write_all(&self.records).map_err(failure)?;
            first += rows;
        }
        Ok(())
    }

    /// Adds a record, or returns what is wrong with its sample.
    fn record(&mut self, samples: &Samples, index: usize) -> std::result::Result<(), &'static str> {
        let begin = self.records.len();
        match samples.row(index) {
            Row::Bytes(bytes) => self.records.extend(bytes),
            Row::Floats(floats) => put(floats, &mut self.records)?,
        }
        match samples.labels() {
            Labels::Class(classes) => {
                if classes[index] as usize >= self.header.classes.len() {
                    return Err("a class index out of range");
                }
                self.records.extend(classes[index].to_le_bytes());
            }
            Labels::Real { .. } => put(samples.reals(index), &mut self.records)?,
            Labels::Absent(_) => {}
        }
        let sum = checksum(&self.records[begin..], self.number).to_le_bytes();
        self.hash.update(&sum);
        self.records.extend(sum);
        self.number += 1;
        let whole = (self.records.len() - begin) as u64 == self.stride;
        if whole { Ok(()) } else { Err("a different number of values than other samples") }
    }
}

fn put(floats: &[f32], record: &mut Vec<u8>) -> std::result::Result<(), &'static str> {
    record.extend(floats.iter().flat_map(|float| float.to_le_bytes()));
    if floats.iter().all(|float| float.is_finite()) { Ok(()) } else { Err("a number that is not finite") }
}

fn failure(error: io::Error) -> Error {
    Error::failure(format!("the pack cannot be written: {}", crate::text::plain_io(&error)))
        .with_source(error)
        .advise("write to a place with more free space, or one that this user may write to")
}
