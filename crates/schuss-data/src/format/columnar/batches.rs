//! Record batches of an Arrow IPC file, each decoded whole and kept until another one is requested.

use super::groups::{Batches, Group, RowRange, broken};
use crate::Result;
use crate::file::{FileReader, OpenFile};
use crate::format::table::Origin;
use arrow_array::RecordBatch;
use arrow_ipc::reader as ipc;
use arrow_schema::{ArrowError, SchemaRef};
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};

type Reader = ipc::FileReader<BufReader<FileReader>>;

/// State of an open Arrow file.
#[derive(Clone)]
pub(super) struct Arrow {
    file: OpenFile,
    pub(super) groups: Arc<[Group]>,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    /// Reader, kept because a new one would read the footer again.
    reader: Option<Reader>,
    /// Number of the batch decoded last, and the batch.
    batch: Option<(usize, RecordBatch)>,
}

impl Arrow {
    /// Opens a file whose `groups` have been checked, and returns its schema too.
    pub(super) fn open(
        file: &OpenFile,
        groups: Vec<Group>,
    ) -> std::result::Result<(SchemaRef, Self), ArrowError> {
        let reader = ipc::FileReader::try_new_buffered(file.reader(), None)?;
        Ok((reader.schema(), Self { file: file.clone(), groups: groups.into(), last: Arc::default() }))
    }

    /// Returns a copy for other columns, with nothing decoded yet.
    pub(super) fn anew(&self) -> Self {
        Self { file: self.file.clone(), groups: self.groups.clone(), last: Arc::default() }
    }

    /// Returns the bytes of metadata for this many columns.
    pub(super) fn known(columns: usize) -> usize {
        /// Bytes of a column's field, node and buffers.
        const COLUMN: usize = 24 << 10;
        columns.saturating_mul(COLUMN)
    }

    /// Returns the rows of a part.
    pub(super) fn read(&self, origin: &Origin, columns: &[usize], part: RowRange) -> Result<Batches> {
        let last = &mut *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.batch.as_ref().is_none_or(|(number, _)| *number != part.group) {
            last.batch = None; // frees its memory for the next one
            let mut reader = last.reader.take().map_or_else(|| self.reader(origin, columns), Ok)?;
            reader.set_index(part.group).map_err(|error| broken(origin, &error))?;
            let batch = reader.next().transpose().map_err(|error| broken(origin, &error))?;
            last.batch = batch.map(|batch| (part.group, batch));
            last.reader = Some(reader);
        }
        let rows = last.batch.as_ref().and_then(|(_, batch)| {
            let first = usize::try_from(part.first).ok()?;
            let rows = usize::try_from(part.rows).ok()?.min(batch.num_rows().checked_sub(first)?);
            Some(batch.slice(first, rows))
        });
        Ok(Box::new(rows.map(Ok).into_iter()))
    }

    fn reader(&self, origin: &Origin, columns: &[usize]) -> Result<Reader> {
        let reader = ipc::FileReader::try_new_buffered(self.file.reader(), Some(columns.to_vec()));
        reader.map_err(|error| broken(origin, &error))
    }
}
