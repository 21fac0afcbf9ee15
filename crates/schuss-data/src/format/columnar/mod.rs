//! Parquet and Arrow IPC (Feather): tables of typed columns in row groups, and pictures as Hugging Face stores them.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod batches;
mod cells;
mod claims;
mod decimals;
mod embedded;
mod groups;
mod pages;
mod pictures;
mod store;

use crate::file::OpenFile;
use crate::format::catch_panic::catch_panic;
use crate::format::table::{self, Cell, Encoder, MissingValues, Origin, RowPlace, RowSource, Visit, shown};
use crate::reader::{Loaded, ReadOptions};
use crate::text::{grouped, listed};
use crate::{Result, Store};
use arrow_array::RecordBatch;
use arrow_schema::DataType;
use groups::Groups;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use groups::Format;

/// Reads a table, or the pictures in one.
///
/// # Errors
/// A data error that names the file, and row and column if known.
pub(crate) fn read(file: &OpenFile, format: Format, ask: &ReadOptions) -> Result<Loaded> {
    ask.refuse_text_options(file.path())?;
    let origin = Origin::new(file.path(), crate::RowUnit::Row);
    let damaged = || origin.refuse("cannot be read: its decoder failed").advise("copy it again");
    catch_panic(|| read_groups(Groups::open(file, &origin, format, ask.memory)?, ask), damaged)
}

fn read_groups(groups: Groups, ask: &ReadOptions) -> Result<Loaded> {
    if let Some(picture) = pictures::column(&groups)? {
        return pictures::read(groups, picture, ask);
    }
    let (groups, index) = match &ask.table {
        Some(table) => (groups.known_to(table)?, None),
        None => groups.without_index()?,
    };
    let (groups, unread) = groups.without_unread(ask)?;
    let columns = Columns::new(groups, ask.spellings())?;
    let note = format!(
        "{} columns, {} rows in {} groups",
        grouped(columns.names.len() as u64),
        grouped(columns.groups.parts.iter().map(|part| part.rows).sum()),
        grouped(columns.groups.groups().len() as u64)
    );
    let found = table::read(&columns, &without(ask, &unread))?;
    let unread =
        (!unread.is_empty()).then(|| format!("left out, as requested: `{}`", shown(&unread.join("`, `"))));
    let notes = [note].into_iter().chain(index).chain(unread).chain(columns.times());
    Ok(Loaded { notes: notes.chain(found.notes).collect(), ..found })
}

/// Returns a copy with these columns removed from the list of those to drop.
fn without(ask: &ReadOptions, names: &[String]) -> ReadOptions {
    let is_other = |name: &&str| !names.iter().any(|unread| unread == name.trim_ascii());
    let rest = |list: &String| list.split(',').filter(is_other).collect::<Vec<_>>().join(",");
    let drop = ask.drop.as_ref().map(rest).filter(|list| !list.is_empty());
    ReadOptions { drop, ..ask.clone() }
}

/// A table, with the cells of its columns: one each, but several for lists of numbers.
#[derive(Clone)]
struct Columns {
    groups: Groups,
    names: Vec<String>,
    /// Number of cells of each column.
    widths: Vec<usize>,
    missing_values: MissingValues,
}

impl Columns {
    fn new(groups: Groups, missing_values: MissingValues) -> Result<Self> {
        groups.schema.fields().iter().try_for_each(|field| groups.check_kind(field))?;
        let mut columns = Self { groups, names: Vec::new(), widths: Vec::new(), missing_values };
        let lists = columns.lists()?;
        for (field, list) in columns.groups.schema.fields().iter().zip(lists) {
            let name = field.name();
            match list {
                None => columns.names.push(name.clone()),
                Some(width) => {
                    columns.groups.check_width(name, width)?;
                    columns.names.extend((0..width).map(|at| format!("{name}[{at}]")));
                }
            }
            columns.widths.push(list.unwrap_or(1));
        }
        Ok(columns)
    }

    /// Notes the units of dates and times.
    fn times(&self) -> Option<String> {
        let fields = self.groups.schema.fields().iter();
        let units = fields.filter_map(|field| Some((field.name(), cells::unit(field.data_type())?)));
        let units: Vec<String> = units.map(|(name, unit)| format!("`{}` in {unit}", shown(name))).collect();
        let listed = listed(units.iter().cloned(), units.len());
        (!units.is_empty()).then(|| format!("dates and times, read as numbers: {listed}"))
    }

    /// Returns for each column the length of its first list, if it holds lists.
    fn lists(&self) -> Result<Vec<Option<usize>>> {
        let mut lists: Option<Vec<Option<usize>>> = None;
        self.groups.visit(0, &mut |batch| {
            lists.get_or_insert_with(|| batch.columns().iter().map(cells::first_length).collect());
            Ok(())
        })?;
        Ok(lists.unwrap_or_else(|| vec![None; self.groups.schema.fields().len()]))
    }

    /// Visits every row of a part; `before` is the number of rows before it.
    fn visit(&self, part: usize, before: u64, visit: &mut Visit) -> Result<()> {
        let mut start = before;
        self.groups.visit(part, &mut |batch| {
            for first in (0..batch.num_rows()).step_by(self.at_once()) {
                let rows = first..batch.num_rows().min(first.saturating_add(self.at_once()));
                let mut row = start.saturating_add(first as u64);
                for cells in self.cells(batch, rows, start)?.chunks_exact(self.names.len().max(1)) {
                    visit(RowPlace { number: row.saturating_add(1), offset: row }, cells)?;
                    row = row.saturating_add(1);
                }
            }
            start = start.saturating_add(batch.num_rows() as u64);
            Ok(())
        })
    }

    /// Returns the number of rows converted together, so that their cells stay in a core's own cache.
    fn at_once(&self) -> usize {
        const BYTES: usize = 1 << 18;
        BYTES.checked_div(self.names.len().saturating_mul(size_of::<Cell>())).unwrap_or(1).max(1)
    }

    /// Returns the cells of some rows of a batch, row by row; `before` is the number of rows before the batch.
    fn cells<'a>(&'a self, batch: &'a RecordBatch, rows: Range<usize>, before: u64) -> Result<Vec<Cell<'a>>> {
        let all = self.names.len();
        let mut cells = vec![Cell::NULL; rows.len().saturating_mul(all)];
        let mut first = 0_usize;
        for ((column, field), &width) in
            batch.columns().iter().zip(self.groups.schema.fields()).zip(&self.widths)
        {
            let mut put = |row: usize, at: usize, cell| {
                let place = row.saturating_mul(all).saturating_add(first).saturating_add(at);
                let cell = self.missing_values.of_column(cell);
                cells.get_mut(place).into_iter().for_each(|place| *place = cell);
            };
            cells::each(column, rows.clone(), width, &mut put).map_err(|wrong| {
                let row = before.saturating_add(wrong.row as u64).saturating_add(1);
                self.groups.origin.refuse_cell(row, field.name(), wrong.what).advise(leave_out(field.name()))
            })?;
            first = first.saturating_add(width);
        }
        Ok(cells)
    }
}

impl RowSource for Columns {
    fn origin(&self) -> &Origin {
        &self.groups.origin
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn index(&self) -> &[String] {
        &self.groups.index
    }

    fn pass(&self, visit: &mut Visit) -> Result<()> {
        let mut before = 0_u64;
        for (number, part) in self.groups.parts.iter().enumerate() {
            self.visit(number, before, visit)?;
            before = before.saturating_add(part.rows);
        }
        Ok(())
    }

    fn store(&self, encoder: Encoder, places: Vec<u64>) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(store::Rows::new(self.clone(), encoder, places)))
    }
}

/// Returns advice for a column that cannot be read.
fn leave_out(name: &str) -> String {
    format!("--drop '{}' leaves it out; or store it as numbers or strings", shown(name))
}

/// Returns the name of a type for a message.
fn kind(kind: &DataType) -> String {
    shown(&kind.to_string())
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
