//! How a text of columns is written: its delimiter, and whether its first row is a header.

use super::records::{Broken, Records};
use crate::table::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, Cursor, Read};
use std::path::Path;

const DELIMITERS: [(u8, &str); 4] = [(b',', "comma"), (b';', "semicolon"), (b'\t', "tab"), (b'|', "bar")];
/// Rows that the delimiter is judged by.
const ROWS: usize = 20;
/// Bytes that the delimiter is judged by.
const SAMPLE: u64 = 1 << 16;

/// How a text is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Whether the first row holds names.
    pub(super) header: bool,
    /// Names of the columns; without a header their numbers, from 1 on.
    pub(super) names: Vec<String>,
    /// The first column whose name is not UTF-8 text.
    pub(super) not_utf8: Option<usize>,
}

/// Looks at the first rows of a text.
pub(super) fn dialect(mut text: impl BufRead, path: &Path, limit: u64) -> Result<Dialect, Broken> {
    let mut sample = Vec::new();
    text.by_ref().take(SAMPLE).read_to_end(&mut sample)?;
    let delimiter = delimiter(&sample, path);
    let mut records = Records::new(Cursor::new(sample).chain(text), delimiter, limit)?;
    let first = row(&mut records)?;
    let second = row(&mut records)?;
    let header = is_header(&first, &second);
    let names = |cells: Vec<Vec<u8>>| {
        cells.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
    };
    let not_utf8 = first.iter().position(|cell| std::str::from_utf8(cell).is_err());
    let not_utf8 = not_utf8.filter(|_| header).map(|at| at.saturating_add(1));
    let names = if header { names(first) } else { (1..=first.len()).map(|at| at.to_string()).collect() };
    Ok(Dialect { delimiter, header, names, not_utf8 })
}

fn row<R: BufRead>(records: &mut Records<R>) -> Result<Vec<Vec<u8>>, Broken> {
    let record = records.next()?;
    Ok(record.map_or_else(Vec::new, |record| record.cells().map(<[u8]>::to_vec).collect()))
}

/// The one that cuts most of the first rows into the same number of cells, of several the one with most cells; a tab
/// where the file is called so and has any.
fn delimiter(sample: &[u8], path: &Path) -> u8 {
    let tabs = path.to_string_lossy().to_lowercase().contains(".tsv") && sample.contains(&b'\t');
    if tabs {
        return b'\t';
    }
    let best = DELIMITERS.into_iter().rev().max_by_key(|(delimiter, _)| agreement(sample, *delimiter));
    best.map_or(b',', |(delimiter, _)| delimiter)
}

/// Rows of the same width as the first, out of the first few, and that width; none if it is 1.
fn agreement(sample: &[u8], delimiter: u8) -> (usize, usize) {
    let Ok(mut records) = Records::new(sample, delimiter, u64::MAX) else { return (0, 0) };
    let mut widths = Vec::new();
    while let Ok(Some(record)) = records.next() {
        widths.push(record.len());
        if widths.len() == ROWS {
            break;
        }
    }
    if widths.len() > 1 && widths.len() < ROWS && sample.len() as u64 == SAMPLE {
        widths.pop(); // which the sample's end cut off
    }
    match widths.first() {
        Some(&width) if width > 1 => (widths.iter().filter(|&&other| other == width).count(), width),
        _ => (0, 0),
    }
}

/// A header holds no numbers, and either the row below does or its own words differ from each other.
fn is_header(first: &[Vec<u8>], second: &[Vec<u8>]) -> bool {
    let number =
        |cell: &Vec<u8>| std::str::from_utf8(cell).is_ok_and(|text| Cell::typed(text).number().is_some());
    let differ = || first.iter().collect::<HashSet<_>>().len() == first.len();
    !first.iter().any(number) && (second.iter().any(number) || differ())
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = DELIMITERS
            .iter()
            .find(|(delimiter, _)| *delimiter == self.delimiter)
            .map_or("?", |(_, name)| name);
        let header =
            if self.header { "with a header" } else { "without a header, so columns are called 1, 2, ..." };
        write!(f, "{name}-separated columns: {}, {header}", self.names.len())
    }
}
