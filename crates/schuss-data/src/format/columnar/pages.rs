//! Parts of the row groups of a Parquet file, decoded a few columns at a time if their pages are large.

use super::claims::{self, parquet::Column};
use super::embedded;
use super::groups::{Batches, Group, RowRange, broken};
use crate::Result;
use crate::file::{FileReader, OpenFile};
use crate::format::table::Origin;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelectionPolicy,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};
use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum rows that are decoded at once.
const BATCH: u64 = 1 << 10;
/// Returns the bytes of a number in an array, by the digits of a decimal.
fn width(precision: i32) -> u64 {
    match precision {
        39.. => 32,
        1.. => 16,
        _ => 8,
    }
}

/// State of an open Parquet file.
#[derive(Clone)]
pub(super) struct Parquet {
    file: OpenFile,
    metadata: ArrowReaderMetadata,
    /// Memory budget for data, in bytes.
    memory: u64,
    /// Columns of the group that was checked last, kept because a check reads the header of every page.
    checked: Arc<Mutex<Option<(usize, Checked)>>>,
    /// Peak memory of the decoders active at a time so far, in bytes.
    decoders: Arc<AtomicU64>,
}

/// Selected columns of a group, by index in the file.
type Checked = Arc<BTreeMap<usize, Column>>;

impl Parquet {
    /// Reads the footer of a file that has been checked to have one.
    pub(super) fn open(file: &OpenFile, memory: u64) -> std::result::Result<Self, ParquetError> {
        // column types are Parquet's own, not those of a schema that the writer may have embedded
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let plain = ArrowReaderMetadata::load(file, options.clone())?;
        let metadata = match embedded::with_units(plain.schema(), entries(plain.metadata())) {
            Some(schema) => {
                ArrowReaderMetadata::try_new(plain.metadata().clone(), options.with_schema(schema))?
            }
            None => plain,
        };
        let (checked, decoders) = (Arc::default(), Arc::default());
        Ok(Self { file: file.clone(), metadata, memory, checked, decoders })
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.metadata.schema().clone()
    }

    /// Returns the names of the index columns of a data frame.
    pub(super) fn index(&self) -> Vec<String> {
        embedded::index(entries(self.metadata()))
    }

    /// Returns the bytes of metadata for all columns, and of decoders.
    pub(super) fn known(&self) -> usize {
        let decoders = self.decoders.load(Ordering::Relaxed);
        self.metadata().memory_size().saturating_add(usize::try_from(decoders).unwrap_or(usize::MAX))
    }

    /// Returns the row groups, with the memory of some of the columns.
    pub(super) fn groups(&self, columns: &[usize]) -> Vec<Group> {
        let group = |group: &parquet::file::metadata::RowGroupMetaData| {
            let leaves = group.columns().iter().enumerate();
            let wanted = leaves.filter(|(leaf, _)| columns.binary_search(&self.root(*leaf)).is_ok());
            let claimed = |number: i64| u64::try_from(number).unwrap_or(0);
            let bytes = wanted.fold(0_u64, |sum, (_, leaf)| {
                let width = width(leaf.column_descr().type_precision());
                let numbers = claimed(leaf.num_values()).saturating_mul(width);
                sum.saturating_add(numbers.max(claimed(leaf.uncompressed_size())))
            });
            Group { rows: claimed(group.num_rows()), bytes }
        };
        self.metadata().row_groups().iter().map(group).collect()
    }

    /// Returns the column that a leaf of the schema tree belongs to.
    fn root(&self, leaf: usize) -> usize {
        self.metadata.parquet_schema().get_column_root_idx(leaf)
    }

    /// Returns the rows of a part; none if they take too much memory at a time, as long words may that the file packs.
    pub(super) fn read(&self, origin: &Origin, columns: &[usize], part: RowRange) -> Result<Option<Batches>> {
        let checked = self.check(origin, columns, part.group)?;
        let runs = runs(columns, &checked, self.memory / 8);
        let taken = runs.iter().map(|run| decoders(run, &checked)).max().unwrap_or(0);
        self.decoders.fetch_max(taken, Ordering::Relaxed);
        // each row may be as large as the dictionaries it refers to
        let widest = checked.values().fold(0_u64, |sum, column| sum.saturating_add(column.widest));
        let limit = claims::limit(self.memory);
        let rows = limit.checked_div(widest).map_or(BATCH, |rows| rows.clamp(1, BATCH));
        let reader = |run: &[usize]| self.reader(origin, run, part, rows);
        match runs[..] {
            [run] => Ok(Some(Box::new(reader(run)?))),
            _ => join(origin, runs.into_iter().map(reader), claims::limit(self.memory / 2)),
        }
    }

    /// Returns the checked claims of a group's columns.
    fn check(&self, origin: &Origin, columns: &[usize], group: usize) -> Result<Checked> {
        let mut last = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, checked)) = &*last
            && *number == group
        {
            return Ok(checked.clone());
        }
        let root = |leaf: usize| Some(self.root(leaf)).filter(|root| columns.binary_search(root).is_ok());
        let claimed = self.metadata().row_group(group);
        let checked = claims::parquet::group(&self.file, claimed, root, claims::limit(self.memory));
        let checked = Arc::new(checked.map_err(|refused| refused.of(origin))?);
        *last = Some((group, checked.clone()));
        Ok(checked)
    }

    /// Decodes some columns of a part, `batch` rows at a time.
    fn reader(
        &self,
        origin: &Origin,
        columns: &[usize],
        part: RowRange,
        batch: u64,
    ) -> Result<ParquetRecordBatchReader> {
        let [first, rows, batch] =
            [part.first, part.rows, batch].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let roots = ProjectionMask::roots(self.metadata.parquet_schema(), columns.iter().copied());
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
                .with_projection(roots)
                .with_row_groups(vec![part.group])
                .with_row_selection_policy(RowSelectionPolicy::Selectors)
                .with_offset(first)
                .with_limit(rows)
                .with_batch_size(batch)
                .build();
        reader.map_err(|error| broken(origin, &error))
    }
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        self.length()
    }
}

impl ChunkReader for OpenFile {
    type T = BufReader<FileReader>;

    fn get_read(&self, start: u64) -> std::result::Result<Self::T, ParquetError> {
        let mut reader = self.reader();
        reader.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(reader))
    }

    fn get_bytes(&self, start: u64, length: usize) -> std::result::Result<Bytes, ParquetError> {
        let mut bytes = Vec::new();
        let mut reader = self.reader();
        reader.seek(SeekFrom::Start(start))?;
        reader.take(length as u64).read_to_end(&mut bytes)?;
        match bytes.len() {
            read if read == length => Ok(bytes.into()),
            read => Err(ParquetError::EOF(format!("Expected to read {length} bytes, read only {read}"))),
        }
    }
}

/// Returns the metadata that the writer added.
fn entries(metadata: &ParquetMetaData) -> &[KeyValue] {
    metadata.file_metadata().key_value_metadata().map_or(&[], Vec::as_slice)
}

/// Returns the bytes of the decoders of some columns.
fn decoders(columns: &[usize], checked: &Checked) -> u64 {
    /// Bytes of a column's read buffer and metadata.
    const DECODER: u64 = 24 << 10;
    let pages = columns.iter().filter_map(|column| checked.get(column)).map(|column| column.pages);
    pages.fold(0, |sum, pages| sum.saturating_add(pages).saturating_add(DECODER))
}

/// Splits columns into runs, each with as many as `share` bytes of decoders allow.
fn runs<'a>(columns: &'a [usize], checked: &Checked, share: u64) -> Vec<&'a [usize]> {
    let mut taken = columns.first().map_or(0, |first| decoders(&[*first], checked));
    let together = columns.chunk_by(|_, next| {
        let more = decoders(&[*next], checked);
        taken = taken.saturating_add(more);
        if taken > share {
            taken = more;
        }
        taken > more
    });
    together.collect()
}

/// Joins the columns of runs side by side; none if all of their rows take more than `limit` bytes.
fn join(
    origin: &Origin,
    runs: impl Iterator<Item = Result<ParquetRecordBatchReader>>,
    limit: u64,
) -> Result<Option<Batches>> {
    let damaged = |error: &dyn std::fmt::Display| broken(origin, error);
    let mut joined: Vec<Vec<ArrayRef>> = Vec::new();
    let (mut fields, mut taken) = (Vec::new(), 0_u64);
    for (number, reader) in runs.enumerate() {
        let reader = reader?;
        fields.extend(reader.schema().fields().iter().cloned());
        for (at, batch) in reader.enumerate() {
            let batch = batch.map_err(|error| damaged(&error))?;
            taken = taken.saturating_add(batch.get_array_memory_size() as u64);
            if taken > limit {
                return Ok(None);
            }
            if number == 0 {
                joined.push(Vec::new());
            }
            let columns = joined.get_mut(at).ok_or_else(|| damaged(&"its columns differ in length"))?;
            columns.extend_from_slice(batch.columns());
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let batches = joined.into_iter().map(move |columns| RecordBatch::try_new(schema.clone(), columns));
    Ok(Some(Box::new(batches)))
}
