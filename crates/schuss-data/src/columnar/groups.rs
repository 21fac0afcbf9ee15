//! A file's groups of rows, each of which can be read by itself.

use crate::table::Origin;
use crate::{Error, Result, file};
use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use std::fmt;
use std::fs::File;

/// Rows that are decoded at once.
const BATCH: usize = 1 << 10;

/// Which of the two formats a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Arrow,
}

/// A file's schema and groups.
#[derive(Clone)]
pub(super) struct Groups {
    pub(super) origin: Origin,
    pub(super) schema: SchemaRef,
    /// Rows of each group.
    pub(super) rows: Vec<u64>,
    /// What stands at the end of a Parquet file; none for Arrow.
    metadata: Option<ArrowReaderMetadata>,
}

impl Groups {
    pub(super) fn open(origin: &Origin, format: Format) -> Result<Self> {
        let (file, _) = file::open(&origin.path)?;
        match format {
            Format::Parquet => Self::open_parquet(origin, &file),
            Format::Arrow => Self::open_arrow(origin, file),
        }
    }

    fn open_parquet(origin: &Origin, file: &File) -> Result<Self> {
        let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|error| broken(origin, &error))?;
        let rows =
            metadata.metadata().row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(0));
        let (schema, rows) = (metadata.schema().clone(), rows.collect());
        Ok(Self { origin: origin.clone(), schema, rows, metadata: Some(metadata) })
    }

    fn open_arrow(origin: &Origin, file: File) -> Result<Self> {
        let reader = FileReader::try_new_buffered(file, None).map_err(|error| broken(origin, &error))?;
        let schema = reader.schema();
        let mut rows = Vec::new();
        for batch in reader {
            rows.push(batch.map_err(|error| broken(origin, &error))?.num_rows() as u64);
        }
        Ok(Self { origin: origin.clone(), schema, rows, metadata: None })
    }

    /// Shows the rows of a group, batch after batch; nothing of a group that is not there.
    pub(super) fn visit(&self, group: usize, see: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        if group >= self.rows.len() {
            return Ok(());
        }
        for batch in self.batches(group)? {
            see(&batch.map_err(|error| broken(&self.origin, &error))?)?;
        }
        Ok(())
    }

    fn batches(
        &self,
        group: usize,
    ) -> Result<Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>>> {
        let (file, _) = file::open(&self.origin.path)?;
        if let Some(metadata) = &self.metadata {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone());
            let reader = builder.with_row_groups(vec![group]).with_batch_size(BATCH).build();
            return Ok(Box::new(reader.map_err(|error| broken(&self.origin, &error))?));
        }
        let mut reader =
            FileReader::try_new_buffered(file, None).map_err(|error| broken(&self.origin, &error))?;
        reader.set_index(group).map_err(|error| broken(&self.origin, &error))?;
        Ok(Box::new(reader.take(1)))
    }
}

fn broken(origin: &Origin, error: &dyn fmt::Display) -> Error {
    origin.refuse(format!("cannot be read: {error}")).advise("copy it again")
}
