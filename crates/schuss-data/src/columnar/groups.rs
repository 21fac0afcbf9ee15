//! A file's groups of rows, and the parts of them that are read at a time.

use super::batches::Arrow;
use super::claims::{self, Refused};
use super::pages::Parquet;
use super::{cells, embedded, kind, leave_out};
use crate::reader::ReadOptions;
use crate::table::{Origin, Table, Target};
use crate::text::{bytes, grouped};
use crate::{Error, Result, file};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, SchemaRef};
use std::collections::HashSet;
use std::fmt;

/// Parts that all groups are cut into at most, so that a false count of rows does not make many of nothing.
const MOST_PARTS: u64 = 1 << 18;

/// Which of the two formats a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Arrow,
}

/// A group as the file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) rows: u64,
    /// What its columns that are read take in memory.
    pub(super) bytes: u64,
}

/// Rows that are read together: a group, or part of one that is large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowRange {
    pub(super) group: usize,
    /// Rows of the group that stand before them.
    pub(super) first: u64,
    pub(super) rows: u64,
}

/// A file's schema and groups.
#[derive(Clone)]
pub(super) struct Groups {
    pub(super) origin: Origin,
    /// Columns that are read.
    pub(super) schema: SchemaRef,
    /// The names of the columns that are the index of a data frame.
    pub(super) index: Vec<String>,
    /// What is read at a time, in order.
    pub(super) parts: Vec<RowRange>,
    /// Bytes that the columns of a part take at most.
    largest: u64,
    /// Bytes that data may take.
    memory: u64,
    /// The columns that are read, by their number in the file, in order.
    columns: Vec<usize>,
    file: File,
}

/// What is known of a file.
#[derive(Clone)]
enum File {
    Parquet(Parquet),
    Arrow(Arrow),
}

/// Rows of a part, some at a time.
pub(super) type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>>>;

impl Groups {
    pub(super) fn open(origin: &Origin, format: Format, memory: u64) -> Result<Self> {
        let (file, length) = file::open(&origin.path)?;
        let limit = claims::limit(memory);
        let refused = |refused: Refused| refused.of(origin);
        let (schema, index, file) = match format {
            Format::Parquet => {
                claims::parquet::footer(&file, length, limit).map_err(refused)?;
                let parquet = Parquet::open(&file, memory).map_err(|error| broken(origin, &error))?;
                claims::parquet::rows(parquet.metadata(), length).map_err(refused)?;
                (parquet.schema(), parquet.index(), File::Parquet(parquet))
            }
            Format::Arrow => {
                let groups = claims::arrow::groups(&file, length, limit).map_err(refused)?;
                let (schema, arrow) = Arrow::open(file, groups).map_err(|error| broken(origin, &error))?;
                let index = embedded::index_of(&schema);
                (schema, index, File::Arrow(arrow))
            }
        };
        let columns = (0..schema.fields().len()).collect();
        let (origin, parts) = (origin.clone(), Vec::new());
        let groups = Self { origin, schema, index, parts, largest: 0, memory, columns, file };
        groups.check_columns()?;
        Ok(groups.cut(0))
    }

    /// The groups as the file has them.
    pub(super) fn groups(&self) -> Vec<Group> {
        match &self.file {
            File::Parquet(parquet) => parquet.groups(&self.columns),
            File::Arrow(arrow) => arrow.groups.to_vec(),
        }
    }

    /// The same with groups in parts of which none takes more than a quarter of the memory, nor an eighth of it as
    /// samples of `row` bytes. Of an Arrow file a batch is decoded whole nevertheless.
    pub(super) fn cut(mut self, row: u64) -> Self {
        let groups = self.groups();
        let fewest_rows = groups.iter().fold(0_u64, |sum, group| sum.saturating_add(group.rows)) / MOST_PARTS;
        (self.parts, self.largest) = (Vec::new(), 0);
        for (number, group) in groups.iter().enumerate() {
            let bytes = group.bytes.div_ceil(group.rows.max(1));
            let each = match self.file {
                File::Parquet(_) => bytes.max(row.saturating_mul(2)),
                File::Arrow(_) => row.saturating_mul(2),
            };
            let together = self.memory.div_ceil(each.max(1).saturating_mul(4));
            let rows = even(group.rows, together.max(fewest_rows).max(1));
            let decoded = match self.file {
                File::Parquet(_) => rows.saturating_mul(bytes),
                File::Arrow(_) => group.bytes,
            };
            self.largest = self.largest.max(decoded);
            let firsts = (0..group.rows.div_ceil(rows)).map(|part| part.saturating_mul(rows));
            let part =
                |first| RowRange { group: number, first, rows: rows.min(group.rows.saturating_sub(first)) };
            self.parts.extend(firsts.map(part));
        }
        self
    }

    /// Bytes for what is known of all columns, and for decoding a part.
    pub(super) fn held(&self) -> usize {
        self.known().saturating_add(usize::try_from(self.largest).unwrap_or(usize::MAX))
    }

    /// Bytes for what is known of all columns, and for the decoders that are at work at a time.
    fn known(&self) -> usize {
        match &self.file {
            File::Parquet(parquet) => parquet.known(),
            File::Arrow(_) => Arrow::known(self.columns.len()),
        }
    }

    /// That there is memory to read so many columns.
    fn check_columns(&self) -> Result<()> {
        let known = self.known() as u64;
        if known <= claims::limit(self.memory) {
            return Ok(());
        }
        let columns = grouped(self.columns.len() as u64);
        let what = format!("has {columns} columns, which take {} to read", bytes(known));
        Err(self.origin.refuse(what).advise("give more --memory, or write lists of numbers in one column"))
    }

    /// The same with some of the columns only, by their numbers here, in order.
    pub(super) fn only(mut self, columns: &[usize]) -> Result<Self> {
        self.schema = self.schema.project(columns).map_err(|error| broken(&self.origin, &error))?.into();
        self.columns = columns.iter().filter_map(|&column| self.columns.get(column).copied()).collect();
        if let File::Arrow(arrow) = &mut self.file {
            *arrow = arrow.anew();
        }
        Ok(self.cut(0))
    }

    /// The same without an index that has no name, for which pandas makes one up; says so if there is one.
    pub(super) fn without_index(self) -> Result<(Self, Option<String>)> {
        let is_index = |name: &str| name.starts_with("__index_level_") && name.ends_with("__");
        let (before, kept) = (self.columns.len(), self.only_named(|name| !is_index(name))?);
        let is_left_out = kept.columns.len() < before;
        Ok((kept, is_left_out.then(|| "left out: the index of the data frame that was written".into())))
    }

    /// The same with the columns whose names are `wanted`.
    pub(super) fn only_named(self, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let fields = self.schema.fields().iter().zip(0..);
        let columns: Vec<usize> =
            fields.filter(|(field, _)| wanted(field.name())).map(|(_, at)| at).collect();
        if columns.len() == self.columns.len() { Ok(self) } else { self.only(&columns) }
    }

    /// The same with what a model reads and tells: of what else there is, nothing need be readable.
    pub(super) fn known_to(self, table: &Table) -> Result<Self> {
        let told = match &table.target {
            Target::Class { column, .. } => std::slice::from_ref(column),
            Target::Real { columns } => columns,
            Target::Absent => &[],
        };
        let of_list = |name: &str| name.rsplit_once('[').map_or("", |(list, _)| list).to_owned();
        let both = |name: &String| [name.clone(), of_list(name)];
        let features = || table.columns.iter().map(|column| &column.name);
        let there = |name: &String| both(name).iter().any(|name| self.schema.field_with_name(name).is_ok());
        if !features().all(there) {
            return Ok(self); // what is lacking is said by whoever looks for it among all columns
        }
        let names: HashSet<String> = features().chain(told).flat_map(both).collect();
        self.only_named(|name| names.contains(name))
    }

    /// The same without columns that cannot be read and are not asked for; their names.
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

    /// That a column is one of numbers, dates, times or words, or lists of numbers.
    pub(super) fn check_kind(&self, field: &Field) -> Result<()> {
        if cells::are_read(field.data_type()) {
            return Ok(());
        }
        let what = format!("is a column of {}, which is not read", kind(field.data_type()));
        Err(self.origin.refuse_cell(1, field.name(), what).advise(leave_out(field.name())))
    }

    /// That there is memory for as many columns as a list is long.
    pub(super) fn check_width(&self, name: &str, width: usize) -> Result<()> {
        /// Bytes that a column takes, with its name and what is known of it.
        const COLUMN: u64 = 256;
        let taken = (width as u64).saturating_mul(COLUMN);
        if taken <= claims::limit(self.memory) {
            return Ok(());
        }
        let what = format!("has lists of {} numbers, for which there is no memory", grouped(width as u64));
        Err(self.origin.refuse_cell(1, name, what).advise("give more --memory"))
    }

    /// Shows the rows of a part, batch after batch; nothing of a part that is not there.
    ///
    /// # Errors
    /// A data error for what cannot be read, and if the rows are fewer than the file says.
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

    /// The rows of a part; none if they take too much at a time.
    fn read(&self, part: RowRange) -> Result<Option<Batches>> {
        match &self.file {
            File::Parquet(parquet) => parquet.read(&self.origin, &self.columns, part),
            File::Arrow(arrow) => arrow.read(&self.origin, &self.columns, part).map(Some),
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
        let what = format!("has a group of rows with fewer than the {} it claims", grouped(all));
        Err(self.origin.refuse(what).advise("copy it again"))
    }

    /// The second half of a part, and the first.
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

/// The length of parts of at most `longest` rows, all equal where such a length is near.
pub(super) fn even(rows: u64, longest: u64) -> u64 {
    let fewest = rows.div_ceil(longest).max(1);
    let number = (fewest..fewest.saturating_mul(2)).find(|&number| rows.is_multiple_of(number));
    rows.div_ceil(number.unwrap_or(fewest)).max(1)
}

pub(super) fn broken(origin: &Origin, error: &dyn fmt::Display) -> Error {
    origin.refuse(format!("cannot be read: {error}")).advise("copy it again")
}
