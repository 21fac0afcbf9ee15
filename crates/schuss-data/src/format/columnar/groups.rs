//! Row groups of a file, and the parts of them that are read at a time.

use super::batches::Arrow;
use super::claims::{self, Refused};
use super::pages::Parquet;
use super::{cells, embedded, kind, leave_out};
use crate::file::OpenFile;
use crate::format::table::{Origin, Table, Target};
use crate::reader::ReadOptions;
use crate::text::{bytes, grouped};
use crate::{Error, Result};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, SchemaRef};
use std::collections::HashSet;
use std::fmt;

/// Maximum parts of all groups, so that a false row count does not create many empty ones.
const MOST_PARTS: u64 = 1 << 18;

/// Format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Arrow,
}

/// A row group of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) rows: u64,
    /// Memory of its selected columns, in bytes.
    pub(super) bytes: u64,
}

/// Rows that are read together: a group, or part of a large one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowRange {
    pub(super) group: usize,
    /// Number of rows before them in the group.
    pub(super) first: u64,
    pub(super) rows: u64,
}

/// Schema and row groups of a file.
#[derive(Clone)]
pub(super) struct Groups {
    pub(super) origin: Origin,
    /// Selected columns.
    pub(super) schema: SchemaRef,
    /// Names of the index columns of a data frame.
    pub(super) index: Vec<String>,
    /// Parts that are read at a time, in order.
    pub(super) parts: Vec<RowRange>,
    /// Maximum memory of the columns of a part, in bytes.
    largest: u64,
    /// Memory budget for data, in bytes.
    memory: u64,
    /// Selected columns, by index in the file, in order.
    columns: Vec<usize>,
    contents: Contents,
}

/// State of the reader of an open file.
#[derive(Clone)]
enum Contents {
    Parquet(Parquet),
    Arrow(Arrow),
}

/// Rows of a part, batch by batch.
pub(super) type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>>;

impl Groups {
    pub(super) fn open(file: &OpenFile, origin: &Origin, format: Format, memory: u64) -> Result<Self> {
        let limit = claims::limit(memory);
        let refused = |refused: Refused| refused.of(origin);
        let (schema, index, contents) = match format {
            Format::Parquet => {
                claims::parquet::footer(file, limit).map_err(refused)?;
                let parquet = Parquet::open(file, memory).map_err(|error| broken(origin, &error))?;
                claims::parquet::rows(parquet.metadata(), file.length()).map_err(refused)?;
                (parquet.schema(), parquet.index(), Contents::Parquet(parquet))
            }
            Format::Arrow => {
                let groups = claims::arrow::groups(file, limit).map_err(refused)?;
                let (schema, arrow) = Arrow::open(file, groups).map_err(|error| broken(origin, &error))?;
                let index = embedded::index_of(&schema);
                (schema, index, Contents::Arrow(arrow))
            }
        };
        let columns = (0..schema.fields().len()).collect();
        let (origin, parts) = (origin.clone(), Vec::new());
        let groups = Self { origin, schema, index, parts, largest: 0, memory, columns, contents };
        groups.check_columns()?;
        Ok(groups.cut(0))
    }

    /// Returns the row groups of the file.
    pub(super) fn groups(&self) -> Vec<Group> {
        match &self.contents {
            Contents::Parquet(parquet) => parquet.groups(&self.columns),
            Contents::Arrow(arrow) => arrow.groups.to_vec(),
        }
    }

    /// Splits the groups into parts of at most a quarter of the memory budget each, and at most an eighth of it as
    /// samples of `row` bytes. A batch of an Arrow file is decoded whole nevertheless.
    pub(super) fn cut(mut self, row: u64) -> Self {
        let groups = self.groups();
        let fewest_rows = groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.rows)) / MOST_PARTS;
        (self.parts, self.largest) = (Vec::new(), 0);
        for (number, group) in groups.iter().enumerate() {
            let bytes = group.bytes.div_ceil(group.rows.max(1));
            let each = match self.contents {
                Contents::Parquet(_) => bytes.max(row.saturating_mul(2)),
                Contents::Arrow(_) => row.saturating_mul(2),
            };
            let together = self.memory.div_ceil(each.max(1).saturating_mul(4));
            let rows = even(group.rows, together.max(fewest_rows).max(1));
            let decoded = match self.contents {
                Contents::Parquet(_) => rows.saturating_mul(bytes),
                Contents::Arrow(_) => group.bytes,
            };
            self.largest = self.largest.max(decoded);
            let firsts = (0..group.rows.div_ceil(rows)).map(|part| part.saturating_mul(rows));
            let part =
                |first| RowRange { group: number, first, rows: rows.min(group.rows.saturating_sub(first)) };
            self.parts.extend(firsts.map(part));
        }
        self
    }

    /// Returns the bytes of metadata for all columns, and for decoding a part.
    pub(super) fn held(&self) -> usize {
        self.known().saturating_add(usize::try_from(self.largest).unwrap_or(usize::MAX))
    }

    /// Returns the bytes of metadata for all columns, and of the decoders active at a time.
    fn known(&self) -> usize {
        match &self.contents {
            Contents::Parquet(parquet) => parquet.known(),
            Contents::Arrow(_) => Arrow::known(self.columns.len()),
        }
    }

    /// Checks that there is memory to read this many columns.
    fn check_columns(&self) -> Result<()> {
        let known = self.known() as u64;
        if known <= claims::limit(self.memory) {
            return Ok(());
        }
        let columns = grouped(self.columns.len() as u64);
        let what = format!("has {columns} columns, which take {} to read", bytes(known));
        Err(self.origin.refuse(what).advise("give more --memory, or store the numbers as one list column"))
    }

    /// Returns a copy restricted to the given columns, by index here, in order.
    pub(super) fn only(mut self, columns: &[usize]) -> Result<Self> {
        self.schema = self.schema.project(columns).map_err(|error| broken(&self.origin, &error))?.into();
        self.columns = columns.iter().filter_map(|&column| self.columns.get(column).copied()).collect();
        if let Contents::Arrow(arrow) = &mut self.contents {
            *arrow = arrow.anew();
        }
        Ok(self.cut(0))
    }

    /// Returns a copy without an unnamed index, which pandas names itself; with a note if there is one.
    pub(super) fn without_index(self) -> Result<(Self, Option<String>)> {
        let is_index = |name: &str| name.starts_with("__index_level_") && name.ends_with("__");
        let (before, kept) = (self.columns.len(), self.only_named(|name| !is_index(name))?);
        let is_left_out = kept.columns.len() < before;
        Ok((kept, is_left_out.then(|| "left out: the unnamed index of the data frame".into())))
    }

    /// Returns a copy restricted to the columns whose names are `wanted`.
    pub(super) fn only_named(self, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let fields = self.schema.fields().iter().zip(0..);
        let columns: Vec<usize> =
            fields.filter(|(field, _)| wanted(field.name())).map(|(_, at)| at).collect();
        if columns.len() == self.columns.len() { Ok(self) } else { self.only(&columns) }
    }

    /// Returns a copy restricted to the features and target of a model: other columns need not be readable.
    pub(super) fn known_to(self, table: &Table) -> Result<Self> {
        let targets = match &table.target {
            Target::Class { column, .. } => std::slice::from_ref(column),
            Target::Real { columns } => columns,
            Target::Absent => &[],
        };
        let of_list = |name: &str| name.rsplit_once('[').map_or("", |(list, _)| list).to_owned();
        let both = |name: &String| [name.clone(), of_list(name)];
        let features = || table.columns.iter().map(|column| &column.name);
        let there = |name: &String| both(name).iter().any(|name| self.schema.field_with_name(name).is_ok());
        if !features().all(there) {
            return Ok(self); // the missing column is reported later, with all others listed
        }
        let names: HashSet<String> = features().chain(targets).flat_map(both).collect();
        self.only_named(|name| names.contains(name))
    }

    /// Returns a copy without unsupported columns that are not requested, and their names.
    pub(super) fn without_unread(self, ask: &ReadOptions) -> Result<(Self, Vec<String>)> {
        let is_listed = |list: &Option<String>, name: &str| {
            list.as_ref()
                .is_some_and(|list| list == name || list.split(',').any(|one| one.trim_ascii() == name))
        };
        let is_out = |field: &Field| {
            let name = field.name();
            let untaken =
                ask.columns.is_some() && !is_listed(&ask.columns, name) && !is_listed(&ask.label, name);
            !cells::are_read(field.data_type()) && (is_listed(&ask.drop, name) || untaken)
        };
        let fields = self.schema.fields().iter().zip(0..);
        let (out, kept): (Vec<_>, Vec<_>) = fields.partition(|(field, _)| is_out(field));
        if out.is_empty() {
            return Ok((self, Vec::new()));
        }
        let names = out.iter().map(|(field, _)| field.name().clone()).collect();
        let kept: Vec<usize> = kept.into_iter().map(|(_, at)| at).collect();
        Ok((self.only(&kept)?, names))
    }

    /// Checks that a column holds numbers, dates, times or words, or lists of numbers.
    pub(super) fn check_kind(&self, field: &Field) -> Result<()> {
        if cells::are_read(field.data_type()) {
            return Ok(());
        }
        let what = format!("is a column of {}, which is not supported", kind(field.data_type()));
        Err(self.origin.refuse_cell(1, field.name(), what).advise(leave_out(field.name())))
    }

    /// Checks that there is memory for as many columns as a list is long.
    pub(super) fn check_width(&self, name: &str, width: usize) -> Result<()> {
        /// Bytes of a column, with its name and metadata.
        const COLUMN: u64 = 256;
        let taken = (width as u64).saturating_mul(COLUMN);
        if taken <= claims::limit(self.memory) {
            return Ok(());
        }
        let what = format!("has lists of {} numbers, which do not fit into memory", grouped(width as u64));
        Err(self.origin.refuse_cell(1, name, what).advise("give more --memory"))
    }

    /// Visits the rows of a part, batch by batch; none if there is no such part.
    ///
    /// # Errors
    /// A data error if rows cannot be read, or are fewer than the file claims.
    pub(super) fn visit(&self, part: usize, see: &mut dyn FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let mut rest: Vec<RowRange> = self.parts.get(part).copied().into_iter().collect();
        while let Some(part) = rest.pop() {
            match self.read(part)? {
                Some(batches) => self.show(batches, part.rows, see)?,
                None => rest.extend(self.halves(part)?),
            }
        }
        Ok(())
    }

    /// Returns the rows of a part; none if they take too much memory at a time.
    fn read(&self, part: RowRange) -> Result<Option<Batches>> {
        match &self.contents {
            Contents::Parquet(parquet) => parquet.read(&self.origin, &self.columns, part),
            Contents::Arrow(arrow) => arrow.read(&self.origin, &self.columns, part).map(Some),
        }
    }

    fn show(
        &self,
        batches: Batches,
        all: u64,
        see: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut rows = 0_u64;
        for batch in batches {
            let batch = batch.map_err(|error| broken(&self.origin, &error))?;
            rows = rows.saturating_add(batch.num_rows() as u64);
            see(&batch)?;
        }
        if rows == all {
            return Ok(());
        }
        let what = format!("has a row group with fewer rows than the {} it claims", grouped(all));
        Err(self.origin.refuse(what).advise("copy it again"))
    }

    /// Returns the second half of a part, and the first.
    fn halves(&self, part: RowRange) -> Result<[RowRange; 2]> {
        let half = part.rows / 2;
        if half == 0 {
            let what = format!("has a row that does not fit into {}", bytes(self.memory));
            return Err(self.origin.refuse(what).advise("give more --memory"));
        }
        let second =
            RowRange { first: part.first.saturating_add(half), rows: part.rows.saturating_sub(half), ..part };
        Ok([second, RowRange { rows: half, ..part }])
    }
}

/// Returns the length of parts of at most `longest` rows, all equal if such a length is near.
pub(super) fn even(rows: u64, longest: u64) -> u64 {
    let fewest = rows.div_ceil(longest).max(1);
    let number = (fewest..fewest.saturating_mul(2)).find(|&number| rows.is_multiple_of(number));
    rows.div_ceil(number.unwrap_or(fewest)).max(1)
}

pub(super) fn broken(origin: &Origin, error: &dyn fmt::Display) -> Error {
    origin.refuse(format!("cannot be read: {error}")).advise("copy it again")
}
