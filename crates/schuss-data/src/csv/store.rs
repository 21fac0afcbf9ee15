//! Rows of a text that are read when they are needed, by where each begins.

use super::records::Records;
use super::{Text, cells, refuse};
use crate::pread::read_at;
use crate::refill::refill;
use crate::table::{Encoder, Origin, Place};
use crate::unpack::Packing;
use crate::{Access, Error, Labels, Result, Samples, Store, Values, file};
use std::fs::File;
use std::sync::Arc;

/// Neighbouring rows are read together, up to so many bytes.
const RUN: u64 = 1 << 20;

/// Rows of an unpacked text.
struct Rows {
    origin: Origin,
    names: Vec<String>,
    delimiter: u8,
    encoder: Encoder,
    file: File,
    /// Where each row begins, and where the file ends.
    offsets: Vec<u64>,
}

pub(super) fn open(text: &Text, encoder: Encoder, mut offsets: Vec<u64>) -> Result<Arc<dyn Store>> {
    let (file, length) = file::open(&text.origin.path)?;
    offsets.push(length);
    let (names, delimiter) = (text.dialect.names.clone(), text.dialect.delimiter);
    Ok(Arc::new(Rows { origin: text.origin.clone(), names, delimiter, encoder, file, offsets }))
}

impl Store for Rows {
    fn len(&self) -> u64 {
        self.offsets.len().saturating_sub(1) as u64
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let (features, _) = self.encoder.widths();
        refill(into, features, (Values::Floats(Vec::new()), self.encoder.labels()), |values, labels| {
            let mut rest = indices;
            while !rest.is_empty() {
                let (run, later) = rest.split_at(self.run(rest));
                self.read_run(run, values, labels)?;
                rest = later;
            }
            Ok(())
        })
    }
}

impl Rows {
    /// Where row `index` begins.
    fn offset(&self, index: u64) -> Option<u64> {
        self.offsets.get(usize::try_from(index).ok()?).copied()
    }

    /// How many of the first indices are neighbours that may be read together; at least one.
    fn run(&self, indices: &[u64]) -> usize {
        let first = indices.first().copied().unwrap_or(0);
        let start = self.offset(first).unwrap_or(0);
        let neighbour = |(index, expected): &(&u64, u64)| {
            let end = expected.checked_add(1).and_then(|next| self.offset(next));
            **index == *expected && end.is_some_and(|end| end.saturating_sub(start) <= RUN)
        };
        indices.iter().zip(first..).take_while(neighbour).count().max(1)
    }

    fn read_run(&self, run: &[u64], values: &mut Values, labels: &mut Labels) -> Result<()> {
        let (bytes, start) = self.bytes(run)?;
        let broken = |broken| refuse(&self.origin, Packing::Plain, &broken);
        let mut records = Records::new(&bytes[..], self.delimiter, u64::MAX).map_err(broken)?;
        for index in run {
            let Some(record) = records.next().map_err(broken)? else { return Err(self.changed(*index)) };
            let place = Place { number: record.line, offset: start };
            let cells = cells(&record, &self.origin, &self.names).map_err(|_| self.changed(*index))?;
            self.encoder.push(place, &cells, values, labels).map_err(|_| self.changed(*index))?;
        }
        Ok(())
    }

    fn bytes(&self, run: &[u64]) -> Result<(Vec<u8>, u64)> {
        let index = run.first().copied().unwrap_or(0);
        let last = run.last().copied().unwrap_or(0);
        let end = last.checked_add(1).and_then(|next| self.offset(next));
        let (Some(start), Some(end)) = (self.offset(index), end) else {
            return Err(self.origin.refuse(format!("has no row {index}")));
        };
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        let count = read_at(&self.file, &mut bytes, start)
            .map_err(|error| self.origin.refuse(format!("cannot be read: {error}")))?;
        if count < bytes.len() {
            return Err(self.changed(index));
        }
        Ok((bytes, start))
    }

    fn changed(&self, index: u64) -> Error {
        let what = format!("has changed since it was opened: row {} is another", index.saturating_add(1));
        self.origin.refuse(what).advise("start again, and leave the file alone meanwhile")
    }
}
