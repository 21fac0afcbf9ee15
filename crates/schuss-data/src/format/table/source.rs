//! Sources of table rows, and places in them as messages name them.

use super::{Cell, Encoder};
use crate::{Column, DataFile, Error, Result, RowUnit, Store, file};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File that a table is read from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    /// Unit of its row numbers.
    pub(crate) unit: RowUnit,
}

/// Place of a row in its file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowPlace {
    /// Line or row number, from 1.
    pub(crate) number: u64,
    /// Byte offset in a text, else the row index from 0.
    pub(crate) offset: u64,
}

/// Visitor of rows.
pub(crate) type Visit<'a> = dyn FnMut(RowPlace, &[Cell]) -> Result<()> + 'a;

/// Rows that can be passed over any number of times.
pub(crate) trait RowSource {
    fn origin(&self) -> &Origin;

    /// Names of the columns.
    fn names(&self) -> &[String];

    /// Names of the index columns, as recorded by the writer; none of these is the label unless named.
    fn index(&self) -> &[String] {
        &[]
    }

    /// Visits every row, with one cell per column.
    fn pass(&self, visit: &mut Visit) -> Result<()>;

    /// Returns a store that reads samples on demand, from the rows at `places`.
    fn store(&self, encoder: Encoder, places: Vec<u64>) -> Result<Arc<dyn Store>>;
}

impl Origin {
    pub(crate) fn new(path: &Path, unit: RowUnit) -> Self {
        Self { path: path.to_owned(), unit }
    }

    /// Returns an error about the whole file.
    pub(crate) fn refuse(&self, what: impl fmt::Display) -> Error {
        Error::data(format!("{} {what}", file::name(&self.path))).at(self.path.display())
    }

    /// Returns an error about a row.
    pub(crate) fn refuse_row(&self, row: u64, what: impl fmt::Display) -> Error {
        self.refuse(what).at(self.row(row))
    }

    /// Returns an error about a cell.
    pub(crate) fn refuse_cell(&self, row: u64, column: &str, what: impl fmt::Display) -> Error {
        self.refuse(what).at(DataFile { column: Some(Column::Name(shown(column))), ..self.row(row) })
    }

    /// Returns the place of a row.
    fn row(&self, row: u64) -> DataFile {
        DataFile { unit: self.unit, row: Some(row), ..DataFile::new(&self.path) }
    }
}

/// Returns text from a file in a form fit for messages: short, and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LENGTH: usize = 40;
    let plain = |letter: char| letter.is_alphanumeric() || letter.is_ascii_graphic() || letter == ' ';
    let mut shown = String::new();
    for letter in text.chars().take(LENGTH) {
        if plain(letter) { shown.push(letter) } else { shown.extend(letter.escape_debug()) }
    }
    if text.chars().nth(LENGTH).is_some() {
        shown.push_str("...");
    }
    shown
}
