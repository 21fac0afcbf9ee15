//! Text with columns separated by commas, semicolons, tabs, bars or spaces, optionally packed with gzip or Zstandard.
//!
//! RFC 4180 and variations found in practice: any of these delimiters, also at the end of every row, Excel's `sep=;`,
//! UTF-16, a byte order mark, line ends of Unix, Windows and old Macs, comments, titles above the header, with or
//! without a header. The text is read several times rather than kept: to survey its columns, and to make samples.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod ahead;
mod blanks;
mod delimiter;
mod encoding;
mod form;
mod header;
mod records;
mod sniff;
mod store;

use crate::file::OpenFile;
use crate::format::table::{self, Cell, Encoder, MissingValues, Origin, RowPlace, RowSource, Visit, shown};
use crate::format::unpack;
use crate::format::unpack::Packing;
use crate::reader::{Loaded, ReadOptions};
use crate::{Error, Result, RowUnit, Store};
pub use delimiter::Delimiter;
pub(crate) use encoding::Encoding;
pub use form::{Comment, Decimal, Form, Header};
use records::{Broken, Record, Records};
use sniff::{Dialect, Known, Naming};
use std::cell::{Cell as Counter, OnceCell};
use std::io::BufRead;
use std::sync::Arc;

/// Reads a text of columns.
///
/// # Errors
/// A data error that names the line and column at fault; a usage error for a label that is not a column.
pub(crate) fn read(file: &OpenFile, ask: &ReadOptions) -> Result<Loaded> {
    let text = Text::new(file, ask)?;
    let found = table::read(&text, ask)?;
    let summary = text.dialect.summary(text.remarks.get(), text.blank_rows.get());
    let notes = [summary].into_iter().chain(found.notes).collect();
    Ok(Loaded { notes, ..found })
}

/// A text of columns, and its dialect.
struct Text {
    origin: Origin,
    packing: Packing,
    dialect: Dialect,
    missing_values: MissingValues,
    file: OpenFile,
    /// Maximum bytes it may unpack to.
    limit: u64,
    /// Comments and blank rows that the last pass left out.
    remarks: Counter<u64>,
    blank_rows: Counter<u64>,
}

impl Text {
    fn new(file: &OpenFile, ask: &ReadOptions) -> Result<Self> {
        let origin = Origin::new(file.path(), RowUnit::Line);
        let (mut reader, packing) = unpack::unpacked(file)?;
        let limit = if packing == Packing::Unpacked { u64::MAX } else { ask.memory };
        let start = reader.fill_buf().map_err(|error| refuse(&origin, packing, &error.into()))?;
        let encoding = Encoding::of(start.get(..START).unwrap_or(start));
        let columns =
            ask.table.as_ref().map(|table| table.columns.iter().map(|column| &*column.name).collect());
        let known = Known { form: &ask.form, path: file.path(), encoding, columns };
        let dialect = sniff::dialect(encoding.decode(reader), &known)
            .map_err(|broken| refuse(&origin, packing, &broken))?;
        let (remarks, blank_rows) = (Counter::new(0), Counter::new(0));
        let (missing_values, file) = (ask.spellings(), file.clone());
        let text = Self { origin, packing, dialect, missing_values, file, limit, remarks, blank_rows };
        text.check_names()?;
        Ok(text)
    }

    fn check_names(&self) -> Result<()> {
        if self.dialect.names.is_empty() {
            return Err(self.origin.refuse("is empty").advise("copy it again"));
        }
        if let Some(at) = self.dialect.not_utf8 {
            let what = format!("has a header that is not UTF-8 text, in column {at}");
            return Err(self.origin.refuse_row(1, what).advise(SAVE_UTF8));
        }
        if let Some(at) = self.dialect.names.iter().position(|name| name.contains('\0')) {
            let what = format!("has a header with a NUL byte, in column {}", at.saturating_add(1));
            return Err(self.origin.refuse_row(1, what).advise("save it as UTF-8 text"));
        }
        Ok(())
    }

    fn records(&self) -> Result<Records<Box<dyn BufRead>>> {
        let (reader, _) = unpack::unpacked(&self.file)?;
        let refuse = |broken| refuse(&self.origin, self.packing, &broken);
        let reader = self.dialect.format.encoding.decode(reader);
        let mut records = Records::new(reader, &self.dialect.format, self.limit).map_err(refuse)?;
        records.skip_to_line(self.dialect.first_line).map_err(refuse)?;
        if matches!(self.dialect.naming, Naming::Row { .. }) {
            records.next().map_err(refuse)?;
        }
        Ok(records)
    }

    fn next<'a>(&self, records: &'a mut Records<Box<dyn BufRead>>) -> Result<Option<Record<'a>>> {
        records.next().map_err(|broken| refuse(&self.origin, self.packing, &broken))
    }
}

/// Bytes used to detect the encoding.
const START: usize = 512;
/// Advice for text in another encoding.
const SAVE_UTF8: &str =
    "save it as UTF-8 (in Excel: CSV UTF-8), or iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW";

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
        Broken::TooMany(_) => error.advise("transpose the table: each row is a sample"),
        Broken::Io(_) => error.advise("copy it again"),
    }
}

impl RowSource for Text {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn names(&self) -> &[String] {
        &self.dialect.names
    }

    fn pass(&self, visit: &mut Visit) -> Result<()> {
        let mut records = self.records()?;
        let mut blank_rows = 0_u64;
        while let Some(record) = self.next(&mut records)? {
            if record.is_blank() {
                blank_rows = blank_rows.saturating_add(1);
                continue;
            }
            let place = RowPlace { number: record.line, offset: record.offset };
            visit(place, &cells(&record, &self.origin, &self.dialect, &self.missing_values)?)?;
        }
        self.remarks.set(records.remarks);
        self.blank_rows.set(blank_rows);
        Ok(())
    }

    fn store(&self, encoder: Encoder, places: Vec<u64>) -> Result<Arc<dyn Store>> {
        if self.packing == Packing::Unpacked {
            return Ok(store::open(self, encoder, places));
        }
        let what = "does not fit into the memory limit, and cannot be streamed because it is packed";
        let tool = self.packing.tool();
        Err(self
            .origin
            .refuse(what)
            .advise(format!("unpack it with {tool} and name the unpacked file, or `schuss data pack`")))
    }
}

/// Returns the cells of a record, one for each name.
fn cells<'a>(
    record: &Record<'a>,
    origin: &Origin,
    dialect: &Dialect,
    missing_values: &MissingValues,
) -> Result<Vec<Cell<'a>>> {
    let names = &dialect.names;
    let beyond = record.len().saturating_sub(names.len());
    let is_empty = || record.cells().skip(names.len()).all(<[u8]>::is_empty);
    if record.len() < names.len() || beyond > 0 && (beyond > dialect.beyond || !is_empty()) {
        return Err(ragged(record, origin, dialect));
    }
    let mut cells = Vec::with_capacity(names.len());
    // Computed once, and only for rows in which it matters: most have no cell like NA.
    let quoted = OnceCell::new();
    let is_quoted = |at: usize| quoted.get_or_init(|| record.quoted()).get(at).copied().unwrap_or(false);
    let typed = |text: &'a str, at: usize| missing_values.typed(text, || is_quoted(at));
    // The text of a row is validated as a whole where possible, which is faster than cell by cell.
    if let Some(text) = record.text() {
        let texts = record.ranges().take(names.len()).map_while(|range| text.get(range));
        cells.extend(texts.zip(0..).map(|(text, at)| typed(text, at)));
    }
    for ((cell, name), at) in record.cells().zip(names).zip(0..).skip(cells.len()) {
        cells.push(typed(text(cell, name, record.line, origin)?, at));
    }
    Ok(cells)
}

/// Returns the error for a row with more or fewer cells than columns.
fn ragged(record: &Record, origin: &Origin, dialect: &Dialect) -> Error {
    let (found, columns) = (record.len(), dialect.names.len());
    let start: Vec<String> =
        record.cells().take(3).map(|cell| shown(&String::from_utf8_lossy(cell))).collect();
    let start = start.join(" | ");
    let plural = if found == 1 { "" } else { "s" };
    let what =
        format!("has {found} cell{plural} in a row, but {columns} columns; the row begins with `{start}`");
    let advice = match record.cells().next() {
        Some([b'#' | b'%' | b';' | b'!', ..]) | Some([b'/', b'/', ..]) => {
            "if it is a comment: --comment with its prefix, such as --comment '#'"
        }
        _ => {
            "give every row the same number of cells; --delimiter sets what separates them, --header the line that names the columns"
        }
    };
    origin.refuse_row(record.line, what).advise(advice)
}

fn text<'a>(cell: &'a [u8], name: &str, line: u64, origin: &Origin) -> Result<&'a str> {
    let refuse = |what, advice| Err(origin.refuse_cell(line, name, what).advise(advice));
    match std::str::from_utf8(cell) {
        Ok(text) if text.contains('\0') => refuse("holds a NUL byte", "save it as UTF-8 text"),
        Ok(text) => Ok(text),
        Err(_) => refuse("is not UTF-8 text", SAVE_UTF8),
    }
}

/// Reads bytes as if from a file.
#[cfg(test)]
pub(crate) fn read_bytes(bytes: &[u8], ask: &ReadOptions) -> Result<Loaded> {
    read(&OpenFile::of_bytes("bytes.csv", bytes.to_vec()), ask)
}

#[cfg(test)]
mod tests;
