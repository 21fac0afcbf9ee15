//! A file's groups of rows, each of which can be read by itself.

use super::claims::{self, Refused};
use super::{cells, kind};
use crate::table::Origin;
use crate::text::{bytes, grouped};
use crate::{Error, Result, file};
use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, Field, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};

/// Most rows that are decoded at once.
const BATCH: u64 = 1 << 10;

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
    /// Columns that are read.
    pub(super) schema: SchemaRef,
    /// Rows of each group.
    pub(super) rows: Vec<u64>,
    /// Bytes that a group may take.
    pub(super) limit: u64,
    /// The columns that are read, by their number in the file, in order.
    columns: Vec<usize>,
    /// What stands at the end of a Parquet file; none for Arrow.
    metadata: Option<ArrowReaderMetadata>,
    /// The reader of an Arrow file between two groups: a new one would read all that stands at its end again.
    reader: Arc<Mutex<Option<ArrowReader>>>,
}

type ArrowReader = FileReader<BufReader<File>>;

/// Rows of a group, some at a time.
type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>>;

impl Groups {
    pub(super) fn open(origin: &Origin, format: Format, memory: u64) -> Result<Self> {
        let (file, length) = file::open(&origin.path)?;
        let limit = claims::limit(memory);
        let refused = |refused: Refused| refused.of(origin);
        let (schema, rows, metadata) = match format {
            Format::Parquet => {
                claims::parquet::footer(&file, length, limit).map_err(refused)?;
                let metadata = ArrowReaderMetadata::load(&file, options());
                let metadata = metadata.map_err(|error| broken(origin, &error))?;
                let rows = claims::parquet::rows(metadata.metadata(), length).map_err(refused)?;
                (metadata.schema().clone(), rows, Some(metadata))
            }
            Format::Arrow => {
                let rows = claims::arrow::rows(&file, length, limit).map_err(refused)?;
                let reader = FileReader::try_new_buffered(file, None);
                (reader.map_err(|error| broken(origin, &error))?.schema(), rows, None)
            }
        };
        let columns = (0..schema.fields().len()).collect();
        let (origin, reader) = (origin.clone(), Arc::default());
        let groups = Self { origin, schema, rows, limit, columns, metadata, reader };
        groups.check_columns()?;
        Ok(groups)
    }

    /// Bytes for what is known of all columns, and for the decoder of each that is read.
    pub(super) fn held(&self) -> usize {
        /// Pages, dictionary and read buffer of a small column.
        const DECODER: usize = 24 << 10;
        let known = self.metadata.as_ref().map_or(0, |metadata| metadata.metadata().memory_size());
        self.columns.len().saturating_mul(DECODER).saturating_add(known)
    }

    /// That there is memory to read so many columns.
    fn check_columns(&self) -> Result<()> {
        let held = self.held() as u64;
        if held <= self.limit {
            return Ok(());
        }
        let columns = grouped(self.columns.len() as u64);
        let what = format!("has {columns} columns, which take {} to read", bytes(held));
        Err(self.origin.refuse(what).advise("give more --memory, or write lists of numbers in one column"))
    }

    /// The same with some of the columns only, by their numbers here, in order.
    pub(super) fn only(mut self, columns: &[usize]) -> Result<Self> {
        self.schema = self.schema.project(columns).map_err(|error| broken(&self.origin, &error))?.into();
        self.columns = columns.iter().filter_map(|&column| self.columns.get(column).copied()).collect();
        self.reader = Arc::default();
        Ok(self)
    }

    /// The same without the index of a data frame, which pandas writes as columns of such names; says so if there is one.
    pub(super) fn without_index(self) -> Result<(Self, Option<String>)> {
        let is_index = |name: &str| name.starts_with("__index_level_") && name.ends_with("__");
        let fields = self.schema.fields().iter().zip(0..);
        let columns: Vec<usize> =
            fields.filter(|(field, _)| !is_index(field.name())).map(|(_, at)| at).collect();
        if columns.len() == self.columns.len() {
            return Ok((self, None));
        }
        Ok((self.only(&columns)?, Some("left out: the index of the data frame that was written".into())))
    }

    /// That a column is one of numbers or words, or lists of numbers.
    pub(super) fn check_kind(&self, field: &Field) -> Result<()> {
        if cells::are_read(field.data_type()) {
            return Ok(());
        }
        let what = format!("is a column of {}, which is not read", kind(field.data_type()));
        let advice = "leave the column out, or write it as numbers or words";
        Err(self.origin.refuse_cell(1, field.name(), what).advise(advice))
    }

    /// That there is memory for as many columns as a list is long.
    pub(super) fn check_width(&self, name: &str, width: usize) -> Result<()> {
        /// Bytes that a column takes, with its name and what is known of it.
        const COLUMN: u64 = 256;
        let taken = (width as u64).saturating_mul(COLUMN);
        if taken <= self.limit {
            return Ok(());
        }
        let what = format!("has lists of {} numbers, for which there is no memory", grouped(width as u64));
        Err(self.origin.refuse_cell(1, name, what).advise("give more --memory"))
    }

    /// Shows the rows of a group, batch after batch; nothing of a group that is not there.
    pub(super) fn visit(&self, group: usize, see: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        if group >= self.rows.len() {
            return Ok(());
        }
        let batches = match &self.metadata {
            Some(metadata) => self.parquet(metadata, group)?,
            None => self.arrow(group)?,
        };
        for batch in batches {
            see(&batch.map_err(|error| broken(&self.origin, &error))?)?;
        }
        Ok(())
    }

    fn parquet(&self, metadata: &ArrowReaderMetadata, group: usize) -> Result<Batches> {
        let (file, length) = file::open(&self.origin.path)?;
        let schema = metadata.parquet_schema();
        let wanted = |leaf: usize| self.columns.binary_search(&schema.get_column_root_idx(leaf)).is_ok();
        let claimed = metadata.metadata().row_group(group);
        let largest = claims::parquet::group(&file, length, claimed, wanted, self.limit)
            .map_err(|refused| refused.of(&self.origin))?;
        // each row of a batch may be as large as the dictionary that it is found in
        let batch = self.limit.checked_div(largest).map_or(BATCH, |rows| rows.clamp(1, BATCH));
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
            .with_projection(ProjectionMask::roots(schema, self.columns.iter().copied()))
            .with_row_groups(vec![group])
            .with_batch_size(usize::try_from(batch).unwrap_or(1))
            .build();
        Ok(Box::new(reader.map_err(|error| broken(&self.origin, &error))?))
    }

    fn arrow(&self, group: usize) -> Result<Batches> {
        let kept = || self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = kept().take();
        let mut reader = taken.map_or_else(|| self.arrow_reader(), Ok)?;
        reader.set_index(group).map_err(|error| broken(&self.origin, &error))?;
        let batch = reader.next();
        *kept() = Some(reader);
        Ok(Box::new(batch.into_iter()))
    }

    fn arrow_reader(&self) -> Result<ArrowReader> {
        let (file, _) = file::open(&self.origin.path)?;
        let reader = FileReader::try_new_buffered(file, Some(self.columns.clone()));
        reader.map_err(|error| broken(&self.origin, &error))
    }
}

/// The types of the columns are Parquet's own, not those of the schema that its writer may have embedded.
fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

fn broken(origin: &Origin, error: &dyn fmt::Display) -> Error {
    origin.refuse(format!("cannot be read: {error}")).advise("copy it again")
}
