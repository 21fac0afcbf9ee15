//! Streamed rows, read on demand a whole part at a time.

use super::Columns;
use crate::format::catch_panic::catch_panic;
use crate::format::table::{Encoder, reserved};
use crate::{Access, Result, Samples, Store, Values};
use std::sync::{Arc, Mutex, PoisonError};

/// Parts in memory as samples: the cached one, the one being decoded, and one that another reader still holds.
const PARTS: usize = 3;

/// Rows of a table, in parts of row groups.
pub(super) struct Rows {
    columns: Columns,
    encoder: Encoder,
    /// Rows that are samples, by index in the file.
    places: Vec<u64>,
    /// Number of rows before each part, and in all.
    starts: Vec<u64>,
    /// Number of samples before each part, and in all.
    firsts: Vec<u64>,
    /// Part that was read last.
    last: Mutex<Option<(usize, Arc<Samples>)>>,
}

/// Returns the bytes of a sample and its label.
fn bytes_per_row(encoder: &Encoder) -> usize {
    let (features, labels) = encoder.widths();
    features.saturating_add(labels).saturating_mul(size_of::<f32>())
}

impl Rows {
    pub(super) fn new(columns: Columns, encoder: Encoder, places: Vec<u64>) -> Self {
        let row = bytes_per_row(&encoder) as u64;
        let columns = Columns { groups: columns.groups.cut(row), ..columns };
        let mut starts = vec![0_u64];
        for part in &columns.groups.parts {
            starts.push(starts.last().copied().unwrap_or(0).saturating_add(part.rows));
        }
        let samples_before = |start: &u64| places.partition_point(|place| place < start) as u64;
        let firsts = starts.iter().map(samples_before).collect();
        Self { columns, encoder, places, starts, firsts, last: Mutex::new(None) }
    }

    /// Returns the number of rows of the longest part.
    fn longest(&self) -> u64 {
        self.columns.groups.parts.iter().map(|part| part.rows).max().unwrap_or(1)
    }

    /// Returns the part that sample `index` is in, and its place there.
    fn place(&self, index: u64) -> Option<(usize, usize)> {
        let part = self.firsts.partition_point(|&first| first <= index).checked_sub(1)?;
        let within = index.checked_sub(*self.firsts.get(part)?)?;
        if index < self.len() { Some((part, usize::try_from(within).ok()?)) } else { None }
    }

    /// Returns the samples of a part. Concurrent requests for another part wait: there is memory to decode only one.
    fn part(&self, part: usize) -> Result<Arc<Samples>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, samples)) = &*last
            && *number == part
        {
            return Ok(samples.clone());
        }
        *last = None; // frees its memory for the next one
        let origin = &self.columns.groups.origin;
        let decoded =
            catch_panic(|| self.decode(part), || origin.refuse("cannot be read: its decoder failed"))?;
        let samples = Arc::new(decoded);
        *last = Some((part, samples.clone()));
        Ok(samples)
    }

    fn decode(&self, part: usize) -> Result<Samples> {
        let count =
            |counts: &[u64]| Some(counts.get(part.saturating_add(1))?.saturating_sub(*counts.get(part)?));
        let (features, _) = self.encoder.widths();
        let numbers = count(&self.firsts).unwrap_or(0).saturating_mul(features as u64);
        let (mut values, mut labels) = (Values::Floats(reserved(numbers)?), self.encoder.labels());
        let start = self.starts.get(part).copied().unwrap_or(0);
        self.columns.visit(
            part,
            start,
            &mut |place, cells| match self.places.binary_search(&place.offset) {
                Ok(_) => self.encoder.push(place, cells, &mut values, &mut labels),
                Err(_) => Ok(()),
            },
        )?;
        Samples::new(values, labels, features)
    }
}

impl Store for Rows {
    fn len(&self) -> u64 {
        self.places.len() as u64
    }

    fn held(&self) -> usize {
        let longest = usize::try_from(self.longest()).unwrap_or(usize::MAX);
        let samples = PARTS.saturating_mul(longest).saturating_mul(bytes_per_row(&self.encoder));
        let places = [&self.places, &self.starts, &self.firsts].map(|all| size_of_val(&all[..]));
        let places = places.iter().fold(0_usize, |sum, bytes| sum.saturating_add(*bytes));
        places.saturating_add(self.columns.groups.held()).saturating_add(samples)
    }

    /// Returns blocks as if all parts were as long as the longest.
    fn access(&self) -> Access {
        Access::Blocks(self.longest())
    }

    /// Reads part by part, so that each is decoded once.
    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let none = Samples::new(Values::Floats(Vec::new()), self.encoder.labels(), self.encoder.widths().0)?;
        into.make_room(&none, indices.len())?;
        let place = |(row, &index): (usize, &u64)| match self.place(index) {
            Some((part, within)) => Ok((part, row, within)),
            None => Err(self.columns.groups.origin.refuse(format!("has no row {index}"))),
        };
        let mut wanted = indices.iter().enumerate().map(place).collect::<Result<Vec<_>>>()?;
        wanted.sort_unstable();
        for of_one_part in wanted.chunk_by(|one, next| one.0 == next.0) {
            let Some((part, ..)) = of_one_part.first() else { continue };
            let samples = self.part(*part)?;
            of_one_part.iter().try_for_each(|&(_, row, within)| into.set(row, &samples, within))?;
        }
        Ok(())
    }
}
