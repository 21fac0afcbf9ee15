//! Comma-, semicolon-, tab- or bar-separated text, also packed by gzip or Zstandard.
//!
//! RFC 4180 with what is met in the wild: any of the four delimiters, a byte order mark, line ends of Unix and Windows,
//! with a header or without. The text is gone through twice or three times rather than kept: to see what its columns
//! hold, and to make samples of it.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod records;
mod sniff;
mod store;

use crate::found::{Ask, Found};
use crate::table::{self, Cell, Encoder, Origin, Place, Source, Visit};
use crate::unpack::Packing;
use crate::{Error, Result, Store, unpack};
use records::{Broken, Record, Records};
use sniff::Dialect;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

/// Reads a text of columns.
///
/// # Errors
/// A data error that names line and column of what is wrong; a usage error for a label that is no column.
pub(crate) fn read(path: &Path, ask: &Ask) -> Result<Found> {
    let own = path.to_owned();
    read_text(path, Box::new(move || unpack::open(&own)), ask)
}

fn read_text(path: &Path, open: Open, ask: &Ask) -> Result<Found> {
    let text = Text::new(path, open, ask.memory)?;
    let found = table::read(&text, ask)?;
    let notes = [text.dialect.to_string()].into_iter().chain(found.notes).collect();
    Ok(Found { notes, ..found })
}

/// Gives a text from its start on, as often as it is asked.
type Open = Box<dyn Fn() -> Result<(Box<dyn BufRead>, Packing)>>;

/// A text of columns, and how they are written in it.
struct Text {
    origin: Origin,
    packing: Packing,
    dialect: Dialect,
    open: Open,
    /// Most bytes it may unpack to.
    limit: u64,
}

impl Text {
    fn new(path: &Path, open: Open, memory: u64) -> Result<Self> {
        let origin = Origin::new(path, "line");
        let (reader, packing) = open()?;
        let limit = if packing == Packing::Plain { u64::MAX } else { memory };
        let dialect =
            sniff::dialect(reader, path, limit).map_err(|broken| refuse(&origin, packing, &broken))?;
        let text = Self { origin, packing, dialect, open, limit };
        text.check_names()?;
        Ok(text)
    }

    fn check_names(&self) -> Result<()> {
        if self.dialect.names.is_empty() {
            return Err(self.origin.refuse("is empty").advise("copy it again"));
        }
        if let Some(at) = self.dialect.not_utf8 {
            let what = format!("has a header that is not UTF-8 text, in column {at}");
            return Err(self.origin.refuse_row(1, what).advise("save it as UTF-8"));
        }
        if let Some(at) = self.dialect.names.iter().position(|name| name.contains('\0')) {
            let what = format!("has a header with a NUL byte, in column {}", at.saturating_add(1));
            return Err(self.origin.refuse_row(1, what).advise("save it as UTF-8 text"));
        }
        Ok(())
    }

    fn records(&self) -> Result<Records<Box<dyn BufRead>>> {
        let (reader, _) = (self.open)()?;
        let refuse = |broken| refuse(&self.origin, self.packing, &broken);
        let mut records = Records::new(reader, self.dialect.delimiter, self.limit).map_err(refuse)?;
        if self.dialect.header {
            records.next().map_err(refuse)?;
        }
        Ok(records)
    }
}

fn refuse(origin: &Origin, packing: Packing, broken: &Broken) -> Error {
    let error = origin.refuse(broken);
    match broken {
        Broken::TooMuch(_) => error.advise(format!(
            "unpack it with {} and name the unpacked file, or give more --memory",
            packing.tool()
        )),
        Broken::OpenQuote(_) | Broken::TooLong(_) => {
            error.advise("close the quote, or double a quote within a cell")
        }
        Broken::TooMany(_) => error.advise("turn the table round: a sample is a row"),
        Broken::Io(_) => error.advise("copy it again"),
    }
}

impl Source for Text {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn names(&self) -> &[String] {
        &self.dialect.names
    }

    fn pass(&self, visit: &mut Visit) -> Result<()> {
        let mut records = self.records()?;
        while let Some(record) =
            records.next().map_err(|broken| refuse(&self.origin, self.packing, &broken))?
        {
            let place = Place { number: record.line, offset: record.offset };
            visit(place, &cells(&record, &self.origin, &self.dialect.names)?)?;
        }
        Ok(())
    }

    fn store(&self, encoder: Encoder, places: Vec<u64>) -> Result<Arc<dyn Store>> {
        if self.packing == Packing::Plain {
            return store::open(self, encoder, places);
        }
        let what =
            "holds more than fits into the memory that may be used, and cannot be read from the middle";
        let tool = self.packing.tool();
        Err(self
            .origin
            .refuse(what)
            .advise(format!("unpack it with {tool} and name the unpacked file, or `schuss data pack`")))
    }
}

/// The cells of a record, one for each name.
fn cells<'a>(record: &Record<'a>, origin: &Origin, names: &[String]) -> Result<Vec<Cell<'a>>> {
    if record.len() != names.len() {
        let what = format!("has {} cells in a row, but {} columns", record.len(), names.len());
        return Err(origin.refuse_row(record.line, what).advise("give every row the same number of cells"));
    }
    let mut cells = Vec::with_capacity(names.len());
    // The text of a row is checked at once, as far as it goes: that is faster than cell by cell.
    if let Some(text) = record.text() {
        cells.extend(record.ranges().map_while(|range| text.get(range)).map(Cell::typed));
    }
    for (cell, name) in record.cells().zip(names).skip(cells.len()) {
        cells.push(Cell::typed(text(cell, name, record.line, origin)?));
    }
    Ok(cells)
}

fn text<'a>(cell: &'a [u8], name: &str, line: u64, origin: &Origin) -> Result<&'a str> {
    let refuse = |what, advice| Err(origin.refuse_cell(line, name, what).advise(advice));
    match std::str::from_utf8(cell) {
        Ok(text) if text.contains('\0') => refuse("holds a NUL byte", "save it as UTF-8 text"),
        Ok(text) => Ok(text),
        Err(_) => refuse("is not UTF-8 text", "save it as UTF-8"),
    }
}

/// Reads bytes as if they were a file's.
#[cfg(test)]
pub(crate) fn read_bytes(bytes: &std::sync::Arc<[u8]>, ask: &Ask) -> Result<Found> {
    let bytes = bytes.clone();
    let open = move || -> Result<(Box<dyn BufRead>, Packing)> {
        Ok((Box::new(std::io::Cursor::new(bytes.clone())), Packing::Plain))
    };
    read_text(Path::new("bytes.csv"), Box::new(open), ask)
}

#[cfg(test)]
mod tests;
