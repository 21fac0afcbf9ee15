//! Rows that are read when they are needed, a whole group at a time.

use super::Columns;
use crate::contained::contained;
use crate::refill::{push_label, refill};
use crate::table::Encoder;
use crate::{Access, Result, Row, Samples, Store, Values};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows of a table in groups.
pub(super) struct Rows {
    columns: Columns,
    encoder: Encoder,
    /// The rows that are samples, by their number in the file.
    places: Vec<u64>,
    /// How many rows stand before each group, and in all.
    starts: Vec<u64>,
    /// The group that was read last.
    last: Mutex<Option<(usize, Arc<Samples>)>>,
}

impl Rows {
    pub(super) fn new(columns: Columns, encoder: Encoder, places: Vec<u64>) -> Self {
        let mut starts = vec![0_u64];
        for rows in &columns.groups.rows {
            starts.push(starts.last().copied().unwrap_or(0).saturating_add(*rows));
        }
        Self { columns, encoder, places, starts, last: Mutex::new(None) }
    }

    /// The group that row `place` is in.
    fn group_of(&self, place: u64) -> usize {
        self.starts.partition_point(|&start| start <= place).saturating_sub(1)
    }

    /// The samples of a group.
    fn group(&self, group: usize) -> Result<Arc<Samples>> {
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, samples)) = &*lock()
            && *last == group
        {
            return Ok(samples.clone());
        }
        let origin = &self.columns.groups.origin;
        let decoded =
            contained(|| self.decode(group), || origin.refuse("cannot be read: its decoder failed"))?;
        let samples = Arc::new(decoded);
        *lock() = Some((group, samples.clone()));
        Ok(samples)
    }

    fn decode(&self, group: usize) -> Result<Samples> {
        let (mut values, mut labels) = (Values::Floats(Vec::new()), self.encoder.labels());
        let start = self.starts.get(group).copied().unwrap_or(0);
        self.columns.visit(
            group,
            start,
            &mut |place, cells| match self.places.binary_search(&place.offset) {
                Ok(_) => self.encoder.push(place, cells, &mut values, &mut labels),
                Err(_) => Ok(()),
            },
        )?;
        Samples::new(values, labels, self.encoder.widths().0)
    }
}

impl Store for Rows {
    fn len(&self) -> u64 {
        self.places.len() as u64
    }

    /// Blocks, if all groups but the last are of one size and no row is left out.
    fn access(&self) -> Access {
        let rows = &self.columns.groups.rows;
        let whole = self.starts.last() == Some(&self.len());
        match rows.split_last() {
            Some((last, [first, others @ ..]))
                if whole && last <= first && others.iter().all(|other| other == first) =>
            {
                Access::Blocks(*first)
            }
            Some((last, [])) if whole => Access::Blocks(*last),
            _ => Access::Random,
        }
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let features = self.encoder.widths().0;
        refill(into, features, (Values::Floats(Vec::new()), self.encoder.labels()), |values, labels| {
            for &index in indices {
                let place = usize::try_from(index).ok().and_then(|at| self.places.get(at));
                let Some(&place) = place else {
                    return Err(self.columns.groups.origin.refuse(format!("has no row {index}")));
                };
                let group = self.group_of(place);
                let samples = self.group(group)?;
                let start = self.starts.get(group).copied().unwrap_or(0);
                let before = self.places.partition_point(|&place| place < start) as u64;
                let within = index.saturating_sub(before);
                if let (Values::Floats(values), Row::Floats(row)) =
                    (&mut *values, samples.row(usize::try_from(within).unwrap_or(0)))
                {
                    values.extend(row);
                }
                push_label(labels, samples.labels(), within);
            }
            Ok(())
        })
    }
}
