//! Reading a pack: its header once, then any samples; neighbours are read together.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::header::{FORMAT, Header, LONGEST, Labelled, MAGIC, START};
use super::{CHECKSUM, TRAILER, checksum};
use crate::file::OpenFile;
use crate::text::{bytes, grouped};
use crate::{Access, Cause, Error, Labels, Result, Samples, Shape, Store, Values};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes read at once, unless a record is longer.
const RUN: u64 = 1 << 20;
/// Gap between two records that is read rather than skipped, in bytes: a page.
const GAP: u64 = 4_096;
/// Samples looked up together: those of a group of 64 blocks of the default size.
const SLAB: usize = 1 << 16;
const ADVICE: &str = "make it again with `schuss data pack`";

/// Opened pack: its header and splits.
#[derive(Clone)]
pub struct Pack {
    file: Arc<Records>,
    fingerprint: u128,
}

/// Split of a pack.
#[derive(Clone)]
pub struct PackedSplit {
    file: Arc<Records>,
    /// Number of its first record in the file.
    first: u64,
    len: u64,
}

/// Open file of records.
struct Records {
    file: OpenFile,
    header: Header,
    /// Offset of the first record.
    begin: u64,
    stride: u64,
    features: usize,
    /// Buffers that no thread uses at present.
    idle: Mutex<Vec<Buffers>>,
}

/// Buffers a thread needs to read.
#[derive(Default)]
struct Buffers {
    /// Record numbers and the rows they go to, sorted by number.
    wanted: Vec<(u64, usize)>,
    bytes: Vec<u8>,
}

impl Pack {
    /// Opens a pack and reads its header; samples are read later.
    ///
    /// # Errors
    /// A data error that names the file, if it is missing, unreadable, not a pack, or has a damaged header or
    /// wrong length.
    pub fn open(path: &Path) -> Result<Self> {
        Self::read(OpenFile::open(path)?)
    }

    /// Reads the header of a pack; samples are read later.
    ///
    /// # Errors
    /// A data error that names the file.
    pub(crate) fn read(file: OpenFile) -> Result<Self> {
        let length = file.length();
        let blame = |what: &dyn fmt::Display| blame(&file, what);
        let read = |offset, size| read_at(&file, offset, size).map_err(|error| blame(&error));
        let start = read(0, length.min(START as u64))?;
        let begin = header_length(&start, length).map_err(|what| blame(&what))?;
        let header = Header::parse(&read(0, begin)?).map_err(|what| blame(&what))?;
        let records = header.records().unwrap_or(u64::MAX);
        let promised = records.saturating_add(begin).saturating_add(TRAILER as u64);
        if promised != length {
            let (length, promised) = (grouped(length), grouped(promised));
            return Err(blame(&format!("is {length} bytes long, but its header promises {promised}")));
        }
        let trailer = read(begin.saturating_add(records), TRAILER as u64)?;
        let fingerprint = parse_trailer(&trailer)
            .ok_or_else(|| blame(&"is damaged: its fingerprint does not match its checksum"))?;
        let stride = header.stride().unwrap_or(u64::MAX);
        let features = header.shape.features();
        let idle = Mutex::default();
        let file = Arc::new(Records { file, header, begin, stride, features, idle });
        Ok(Self { file, fingerprint })
    }

    /// Returns the shape of a sample.
    pub fn shape(&self) -> Shape {
        self.file.header.shape
    }

    /// Returns the names of the classes; empty unless samples have classes.
    pub fn classes(&self) -> &[String] {
        &self.file.header.classes
    }

    /// Returns the text left by the writer.
    pub fn about(&self) -> &str {
        &self.file.header.about
    }

    /// Returns the kind of label.
    pub fn labelled(&self) -> Labelled {
        self.file.header.labelled
    }

    /// Returns the bytes of a sample in memory, label included.
    pub fn row_bytes(&self) -> u64 {
        self.file.stride.saturating_sub(CHECKSUM as u64)
    }

    /// Returns the 128-bit XXH3 hash over header and records, as 32 hex digits.
    pub fn fingerprint(&self) -> String {
        format!("{:032x}", self.fingerprint)
    }

    /// Returns the training split.
    pub fn train(&self) -> PackedSplit {
        self.part(0, self.file.header.counts[0])
    }

    /// Returns the validation split, if there is one.
    pub fn validation(&self) -> Option<PackedSplit> {
        let [train, validation, _] = self.file.header.counts;
        (validation > 0).then(|| self.part(train, validation))
    }

    /// Returns the test split, if there is one.
    pub fn test(&self) -> Option<PackedSplit> {
        let [train, validation, test] = self.file.header.counts;
        (test > 0).then(|| self.part(train.saturating_add(validation), test))
    }

    fn part(&self, first: u64, len: u64) -> PackedSplit {
        PackedSplit { file: Arc::clone(&self.file), first, len }
    }
}

/// Returns the length of the header that begins with `start`, in a file of `length` bytes.
fn header_length(start: &[u8], length: u64) -> std::result::Result<u64, String> {
    if !start.starts_with(&MAGIC) {
        return Err("is not a schuss pack: wrong magic bytes".into());
    }
    let number = |at: usize| {
        let bytes = start.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map(|bytes| u32::from_le_bytes(*bytes)).ok_or("ends within its header")
    };
    let (format, header) = (number(8)?, number(12)?);
    if format != FORMAT {
        return Err(format!("is a pack of format {format}; this version of schuss reads format {FORMAT}"));
    }
    if header > LONGEST || u64::from(header) > length {
        return Err("ends within its header".into());
    }
    Ok(header.into())
}

fn parse_trailer(trailer: &[u8]) -> Option<u128> {
    let (fingerprint, sum) = trailer.split_last_chunk()?;
    let sound = xxh3_64(fingerprint) == u64::from_le_bytes(*sum);
    fingerprint.first_chunk().filter(|_| sound).map(|bytes| u128::from_le_bytes(*bytes))
}

/// Reads bytes that are known to exist.
fn read_at(file: &OpenFile, offset: u64, size: u64) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = vec![0; usize::try_from(size).map_err(|error| error.to_string())?];
    file.read_exact_at(&mut bytes, offset)
        .map_err(|error| format!("cannot be read: {}", crate::text::plain_io(&error)))?;
    Ok(bytes)
}

fn blame(file: &OpenFile, what: &dyn fmt::Display) -> Error {
    Error::data(format!("{} {what}", file.name())).because(Cause::Damaged).at(file.place()).advise(ADVICE)
}

impl Store for PackedSplit {
    fn len(&self) -> u64 {
        self.len
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let mut buffers = self.file.idle().pop().unwrap_or_default();
        let mut rows = self.file.rows(indices.len(), std::mem::take(into))?;
        let mut slabs = (0..).step_by(SLAB).zip(indices.chunks(SLAB));
        let outcome = slabs.try_for_each(|(first_row, slab)| {
            self.list(slab, first_row, &mut buffers.wanted)?;
            self.file.read(&mut buffers, &mut rows)
        });
        self.file.idle().push(buffers);
        outcome?;
        *into = Samples::new(rows.values, rows.labels, self.file.features)?;
        Ok(())
    }
}

impl PackedSplit {
    /// Lists the wanted records and their rows, counted from `first_row` on, in file order.
    fn list(&self, indices: &[u64], first_row: usize, wanted: &mut Vec<(u64, usize)>) -> Result<()> {
        wanted.clear();
        for (row, &index) in (first_row..).zip(indices) {
            if index >= self.len {
                return Err(Error::data(format!("sample {index} is out of range for {} samples", self.len))
                    .at(self.file.file.path().display()));
            }
            wanted.push((self.first.saturating_add(index), row));
        }
        wanted.sort_unstable();
        Ok(())
    }
}

/// Destination of the samples read.
struct Rows {
    values: Values,
    labels: Labels,
}

impl Records {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Buffers>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blame(&self, what: &dyn fmt::Display) -> Error {
        blame(&self.file, what)
    }

    /// Returns room for `rows` samples, reusing memory if possible.
    fn rows(&self, rows: usize, old: Samples) -> Result<Rows> {
        let (values, labels) = old.into_parts();
        let features = self.features;
        let values = match self.header.floats {
            false => Values::Bytes(self.sized(values.into_bytes(), rows, features)?),
            true => Values::Floats(self.sized(values.into_floats(), rows, features)?),
        };
        let labels = match self.header.labelled {
            Labelled::Class => Labels::Class(self.sized(labels.into_classes(), rows, 1)?),
            Labelled::Real(width) => {
                Labels::Real { values: self.sized(labels.into_reals(), rows, width)?, width }
            }
            Labelled::Absent => Labels::Absent(rows),
        };
        Ok(Rows { values, labels })
    }

    /// Resizes a buffer to `rows` times `width` numbers; their values do not matter.
    fn sized<T: Copy + Default>(&self, mut memory: Vec<T>, rows: usize, width: usize) -> Result<Vec<T>> {
        let length = rows.saturating_mul(width);
        if memory.try_reserve_exact(length.saturating_sub(memory.len())).is_err() {
            let needed = (length as u64).saturating_mul(size_of::<T>() as u64);
            let what = format!("{rows} samples at once need {} of memory", bytes(needed));
            return Err(Error::failure(what)
                .because(Cause::TooLarge { needed, available: None })
                .at(self.file.path().display())
                .advise("a machine with more memory"));
        }
        memory.resize(length, T::default());
        Ok(memory)
    }

    /// Reads the records listed in `buffers` into `rows`.
    fn read(&self, buffers: &mut Buffers, rows: &mut Rows) -> Result<()> {
        let mut wanted = &buffers.wanted[..];
        while let Some((&(first, _), _)) = wanted.split_first() {
            let (run, rest) = wanted.split_at_checked(self.run(first, wanted)).unwrap_or((wanted, &[]));
            let last = run.last().map_or(first, |(number, _)| *number);
            self.fetch(first, last, &mut buffers.bytes)?;
            for &(number, row) in run {
                self.put(number, number.saturating_sub(first), &buffers.bytes, row, rows)?;
            }
            wanted = rest;
        }
        Ok(())
    }

    /// Returns the number of wanted records, from `first` on, that are read at once.
    fn run(&self, first: u64, wanted: &[(u64, usize)]) -> usize {
        let mut before = first;
        let near = |(number, _): &&(u64, usize)| {
            let skipped = number.saturating_sub(before).saturating_sub(1).saturating_mul(self.stride);
            let whole = number.saturating_sub(first).saturating_add(1).saturating_mul(self.stride);
            before = *number;
            *number == first || (skipped <= GAP && whole <= RUN)
        };
        wanted.iter().take_while(near).count()
    }

    /// Reads the records `first..=last` into `bytes`.
    fn fetch(&self, first: u64, last: u64, bytes: &mut Vec<u8>) -> Result<()> {
        let count = usize::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(usize::MAX);
        let stride = usize::try_from(self.stride).unwrap_or(usize::MAX);
        *bytes = self.sized(std::mem::take(bytes), count, stride)?;
        let offset = first.saturating_mul(self.stride).saturating_add(self.begin);
        self.file.read_exact_at(bytes, offset).map_err(|error| {
            self.blame(&format!("cannot be read: {}", crate::text::plain_io(&error))).with_source(error)
        })
    }

    /// Checks record `number`, at index `place` in `bytes`, and stores it at `row`.
    fn put(&self, number: u64, place: u64, bytes: &[u8], row: usize, rows: &mut Rows) -> Result<()> {
        let stride = usize::try_from(self.stride).unwrap_or(usize::MAX);
        let record = bytes.chunks_exact(stride).nth(usize::try_from(place).unwrap_or(usize::MAX));
        let (body, sum) =
            record.and_then(|record| record.split_last_chunk()).unwrap_or((&[], &[0; CHECKSUM]));
        if checksum(body, number) != u64::from_le_bytes(*sum) {
            let what = format!("is damaged: record {} does not match its checksum", grouped(number));
            return Err(self.blame(&what));
        }
        let sound = rows.put(row, body, self.features, self.header.classes.len());
        sound.map_err(|what| self.blame(&format!("holds {what} in record {}", grouped(number))))
    }
}

impl Rows {
    /// Stores a record at `row`.
    fn put(
        &mut self,
        row: usize,
        body: &[u8],
        features: usize,
        classes: usize,
    ) -> std::result::Result<(), &'static str> {
        let label = match &mut self.values {
            Values::Bytes(values) => {
                let (from, label) = body.split_at_checked(features).unwrap_or_default();
                put_bytes(nth(values, row, features), from)?;
                label
            }
            Values::Floats(values) => {
                let (from, label) = body.split_at_checked(features.saturating_mul(4)).unwrap_or_default();
                put_floats(nth(values, row, features), from)?;
                label
            }
        };
        match &mut self.labels {
            Labels::Class(to) => {
                let class = label.first_chunk().map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes));
                if class as usize >= classes {
                    return Err("a class index out of range");
                }
                nth(to, row, 1).fill(class);
            }
            Labels::Real { values, width } => put_floats(nth(values, row, *width), label)?,
            Labels::Absent(_) => {}
        }
        Ok(())
    }
}

/// Returns row `row` of `width` numbers.
fn nth<T>(rows: &mut [T], row: usize, width: usize) -> &mut [T] {
    rows.chunks_exact_mut(width).nth(row).unwrap_or_default()
}

fn put_bytes(to: &mut [u8], from: &[u8]) -> std::result::Result<(), &'static str> {
    if to.len() != from.len() {
        return Err("too few values");
    }
    to.copy_from_slice(from);
    Ok(())
}

fn put_floats(to: &mut [f32], from: &[u8]) -> std::result::Result<(), &'static str> {
    let (numbers, _) = from.as_chunks();
    for (to, bytes) in to.iter_mut().zip(numbers) {
        *to = f32::from_le_bytes(*bytes);
    }
    if to.iter().all(|number| number.is_finite()) { Ok(()) } else { Err("a number that is not finite") }
}
