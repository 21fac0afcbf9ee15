//! Streamed rows of a text, read on demand by their offsets.

use super::records::Records;
use super::sniff::Dialect;
use super::{Text, cells, refuse};
use crate::file::OpenFile;
use crate::format::table::{Encoder, MissingValues, Origin, RowPlace};
use crate::format::unpack::Packing;
use crate::stream::refill::{refill, runs};
use crate::{Access, Error, Labels, Result, Samples, Store, Values};
use std::sync::Arc;

/// Maximum neighbouring rows that are read together.
const RUN: usize = 256;

/// Rows of an unpacked text.
struct Rows {
    origin: Origin,
    dialect: Dialect,
    missing_values: MissingValues,
    encoder: Encoder,
    file: OpenFile,
    /// Byte offset of each row, and of the end of the file.
    offsets: Vec<u64>,
}

pub(super) fn open(text: &Text, encoder: Encoder, mut offsets: Vec<u64>) -> Arc<dyn Store> {
    let file = text.file.clone();
    offsets.push(file.length());
    let (origin, dialect) = (text.origin.clone(), text.dialect.clone());
    let missing_values = text.missing_values.clone();
    Arc::new(Rows { origin, dialect, missing_values, encoder, file, offsets })
}

impl Store for Rows {
    fn len(&self) -> u64 {
        self.offsets.len().saturating_sub(1) as u64
    }

    fn held(&self) -> usize {
        size_of_val(&self.offsets[..])
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let (features, _) = self.encoder.widths();
        refill(into, features, Values::Floats(Vec::new()), self.encoder.labels(), |values, labels| {
            for (first, count) in runs(indices, RUN) {
                self.read_run(first, count, values, labels)?;
            }
            Ok(())
        })
    }
}

impl Rows {
    /// Returns the byte offset of row `index`.
    fn offset(&self, index: u64) -> Option<u64> {
        self.offsets.get(usize::try_from(index).ok()?).copied()
    }

    fn read_run(&self, first: u64, count: u64, values: &mut Values, labels: &mut Labels) -> Result<()> {
        let last = first.saturating_add(count);
        let bytes = self.bytes(first, last)?;
        let broken = |broken| refuse(&self.origin, Packing::Unpacked, &broken);
        let start = self.offset(first).unwrap_or(0);
        let mut records = Records::new(&bytes[..], &self.dialect.format, u64::MAX).map_err(broken)?;
        for index in first..last {
            let offset = self.offset(index).unwrap_or(0).saturating_sub(start);
            // Rows that were left out lie between those that were kept.
            let record = loop {
                match records.next().map_err(broken)? {
                    Some(record) if record.offset < offset => {}
                    Some(record) if record.offset == offset => break record,
                    _ => return Err(self.changed(index)),
                }
            };
            let cells = cells(&record, &self.origin, &self.dialect, &self.missing_values)
                .map_err(|_| self.changed(index))?;
            let pushed = self.encoder.push(RowPlace::default(), &cells, values, labels);
            pushed.map_err(|_| self.changed(index))?;
        }
        Ok(())
    }

    /// Reads the text from row `first` up to row `last`.
    fn bytes(&self, first: u64, last: u64) -> Result<Vec<u8>> {
        let (Some(start), Some(end)) = (self.offset(first), self.offset(last)) else {
            return Err(self.origin.refuse(format!("has no row {first}")));
        };
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        let count = self
            .file
            .read_at(&mut bytes, start)
            .map_err(|error| self.origin.refuse(format!("cannot be read: {error}")))?;
        if count < bytes.len() {
            return Err(self.changed(first));
        }
        self.dialect.format.encoding.decode_part(bytes).map_err(|_| self.changed(first))
    }

    fn changed(&self, index: u64) -> Error {
        let what = format!("has changed since it was opened: row {} differs", index.saturating_add(1));
        self.origin.refuse(what).advise("start again, and do not change the file during the run")
    }
}
