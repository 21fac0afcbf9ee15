//! Where the rows of a table come from, and how a message names a place in it.

use super::{Cell, Encoder};
use crate::{Error, Result, Store, file};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file a table is read from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) path: PathBuf,
    /// What its rows are counted in: `line` of a text, else `row`.
    pub(crate) unit: &'static str,
}

/// Where a row stands in its file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowPlace {
    /// Its line or row, from 1 on.
    pub(crate) number: u64,
    /// Where a text's row begins, in bytes.
    pub(crate) offset: u64,
}

/// Is shown every row.
pub(crate) type Visit<'a> = dyn FnMut(RowPlace, &[Cell]) -> Result<()> + 'a;

/// Rows that can be gone through as often as one likes.
pub(crate) trait RowSource {
    fn origin(&self) -> &Origin;

    /// Names of the columns.
    fn names(&self) -> &[String];

    /// Names of the columns that tell rows apart, as the writer says: of these none is the label unless it is named.
    fn index(&self) -> &[String] {
        &[]
    }

    /// Shows every row, with as many cells as there are columns.
    fn pass(&self, visit: &mut Visit) -> Result<()>;

    /// Samples that are read when needed: those of the rows at `places`.
    fn store(&self, encoder: Encoder, places: Vec<u64>) -> Result<Arc<dyn Store>>;
}

impl Origin {
    pub(crate) fn new(path: &Path, unit: &'static str) -> Self {
        Self { path: path.to_owned(), unit }
    }

    /// What the whole file does wrong.
    pub(crate) fn refuse(&self, what: impl fmt::Display) -> Error {
        Error::data(format!("{} {what}", file::name(&self.path))).at(self.path.display())
    }

    /// What a row does wrong.
    pub(crate) fn refuse_row(&self, row: u64, what: impl fmt::Display) -> Error {
        let place = format!("{}, {} {row}", self.path.display(), self.unit);
        self.refuse(what).at(place)
    }

    /// What a cell does wrong.
    pub(crate) fn refuse_cell(&self, row: u64, column: &str, what: impl fmt::Display) -> Error {
        let place = format!("{}, {} {row}, column `{}`", self.path.display(), self.unit, shown(column));
        self.refuse(what).at(place)
    }
}

/// A text from a file as it may stand in a message: short, and without control characters.
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
