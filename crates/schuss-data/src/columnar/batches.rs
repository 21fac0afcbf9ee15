//! Batches of rows of an Arrow IPC file, each decoded whole.

use super::groups::{Batches, Group, broken};
use crate::table::Origin;
use crate::{Result, file};
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, SchemaRef};
use std::fs::File;
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};

type Reader = FileReader<BufReader<File>>;

/// What is known of an Arrow file.
#[derive(Clone)]
pub(super) struct Arrow {
    pub(super) groups: Arc<[Group]>,
    /// The reader between two batches: a new one would read all that stands at the file's end again.
    reader: Arc<Mutex<Option<Reader>>>,
}

impl Arrow {
    /// The columns and batches of a file that has been checked to have such.
    pub(super) fn open(file: File, groups: Vec<Group>) -> std::result::Result<(SchemaRef, Self), ArrowError> {
        let reader = FileReader::try_new_buffered(file, None)?;
        Ok((reader.schema(), Self { groups: groups.into(), reader: Arc::default() }))
    }

    /// The same for other columns.
    pub(super) fn anew(&self) -> Self {
        Self { groups: self.groups.clone(), reader: Arc::default() }
    }

    /// Bytes for what is known of so many columns.
    pub(super) fn known(columns: usize) -> usize {
        /// The column's field, node and buffers.
        const COLUMN: usize = 24 << 10;
        columns.saturating_mul(COLUMN)
    }

    pub(super) fn read(&self, origin: &Origin, columns: &[usize], group: usize) -> Result<Batches> {
        let kept = || self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = kept().take();
        let mut reader = taken.map_or_else(|| new(origin, columns), Ok)?;
        reader.set_index(group).map_err(|error| broken(origin, &error))?;
        let batch = reader.next();
        *kept() = Some(reader);
        Ok(Box::new(batch.into_iter()))
    }
}

fn new(origin: &Origin, columns: &[usize]) -> Result<Reader> {
    let (file, _) = file::open(&origin.path)?;
    let reader = FileReader::try_new_buffered(file, Some(columns.to_vec()));
    reader.map_err(|error| broken(origin, &error))
}
