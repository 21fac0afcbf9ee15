//! Rows that are read when they are needed, a whole group at a time.

use super::Columns;
use crate::contained::contained;
use crate::table::{Encoder, reserved};
use crate::{Access, Result, Samples, Store, Values};
use std::sync::{Arc, Mutex, PoisonError};

/// Groups in memory: the one that is kept, and what the next is decoded from, packed and unpacked, in pages and in
/// columns.
const DECODING: usize = 5;

/// Rows of a table in groups.
pub(super) struct Rows {
    columns: Columns,
    encoder: Encoder,
    /// The rows that are samples, by their number in the file.
    places: Vec<u64>,
    /// How many rows stand before each group, and in all.
    starts: Vec<u64>,
    /// How many samples stand before each group, and in all.
    firsts: Vec<u64>,
    /// The group that was read last.
    last: Mutex<Option<(usize, Arc<Samples>)>>,
}

impl Rows {
    pub(super) fn new(columns: Columns, encoder: Encoder, places: Vec<u64>) -> Self {
        let mut starts = vec![0_u64];
        for rows in &columns.groups.rows {
            starts.push(starts.last().copied().unwrap_or(0).saturating_add(*rows));
        }
        let samples_before = |start: &u64| places.partition_point(|place| place < start) as u64;
        let firsts = starts.iter().map(samples_before).collect();
        Self { columns, encoder, places, starts, firsts, last: Mutex::new(None) }
    }

    /// Rows of the longest group.
    fn longest(&self) -> u64 {
        self.columns.groups.rows.iter().copied().max().unwrap_or(1)
    }

    /// The group that sample `index` is in, and its place there.
    fn place(&self, index: u64) -> Option<(usize, usize)> {
        let group = self.firsts.partition_point(|&first| first <= index).checked_sub(1)?;
        let within = index.checked_sub(*self.firsts.get(group)?)?;
        if index < self.len() { Some((group, usize::try_from(within).ok()?)) } else { None }
    }

    /// The samples of a group.
    fn group(&self, group: usize) -> Result<Arc<Samples>> {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, samples)) = &*lock()
            && *last == group
        {
            return Ok(samples.clone());
        }
        *lock() = None; // its memory is for the one that comes
        let origin = &self.columns.groups.origin;
        let decoded =
            contained(|| self.decode(group), || origin.refuse("cannot be read: its decoder failed"))?;
        let samples = Arc::new(decoded);
        *lock() = Some((group, samples.clone()));
        Ok(samples)
    }

    fn decode(&self, group: usize) -> Result<Samples> {
        let count =
            |counts: &[u64]| Some(counts.get(group.saturating_add(1))?.saturating_sub(*counts.get(group)?));
        let (features, _) = self.encoder.widths();
        let numbers = count(&self.firsts).unwrap_or(0).saturating_mul(features as u64);
        let (mut values, mut labels) = (Values::Floats(reserved(numbers)?), self.encoder.labels());
        let start = self.starts.get(group).copied().unwrap_or(0);
        self.columns.visit(
            group,
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
        let (features, labels) = self.encoder.widths();
        let row = features.saturating_add(labels).saturating_mul(size_of::<f32>());
        let longest = usize::try_from(self.longest()).unwrap_or(usize::MAX);
        let decoding = DECODING.saturating_mul(longest).saturating_mul(row);
        size_of_val(&self.places[..]).saturating_add(self.columns.groups.held()).saturating_add(decoding)
    }

    /// As if all groups were as long as the longest.
    fn access(&self) -> Access {
        Access::Blocks(self.longest())
    }

    /// Group after group, so that each is decoded once.
    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let none = Samples::new(Values::Floats(Vec::new()), self.encoder.labels(), self.encoder.widths().0)?;
        into.make_room(&none, indices.len())?;
        let place = |(row, &index): (usize, &u64)| match self.place(index) {
            Some((group, within)) => Ok((group, row, within)),
            None => Err(self.columns.groups.origin.refuse(format!("has no row {index}"))),
        };
        let mut wanted = indices.iter().enumerate().map(place).collect::<Result<Vec<_>>>()?;
        wanted.sort_unstable();
        for of_one_group in wanted.chunk_by(|one, next| one.0 == next.0) {
            let Some((group, ..)) = of_one_group.first() else { continue };
            let samples = self.group(*group)?;
            of_one_group.iter().try_for_each(|&(_, row, within)| into.set(row, &samples, within))?;
        }
        Ok(())
    }
}
