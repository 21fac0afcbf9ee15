//! Delimiters of cells, and their detection.

use super::records::{Format, Records};
use crate::format::table::is_value;
use crate::{Error, Result};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Delimiter of the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// A single byte.
    Byte(u8),
    /// Any number of spaces and tabs; those at the ends of a line separate nothing.
    Blanks,
}

const NAMES: [(Delimiter, &str); 5] = [
    (Delimiter::Byte(b','), "comma"),
    (Delimiter::Byte(b';'), "semicolon"),
    (Delimiter::Byte(b'\t'), "tab"),
    (Delimiter::Byte(b'|'), "bar"),
    (Delimiter::Blanks, "space"),
];
/// Maximum rows that the delimiter is judged by, and cells of each.
const ROWS: usize = 20;
const CELLS: usize = 64;

impl FromStr for Delimiter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let word = text.trim().to_lowercase();
        if let Some((delimiter, _)) = NAMES.into_iter().find(|(_, name)| *name == word) {
            return Ok(delimiter);
        }
        match text.as_bytes() {
            b"\\t" => Ok(Self::Byte(b'\t')),
            b" " => Ok(Self::Blanks),
            [byte] if (byte.is_ascii_punctuation() || *byte == b'\t') && *byte != b'"' => {
                Ok(Self::Byte(*byte))
            }
            _ => Err(Error::usage(format!("invalid delimiter `{text}`"))
                .advise("comma, semicolon, tab, bar, space, or a character such as ':'")),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMES.into_iter().find(|(delimiter, _)| delimiter == self), self) {
            (Some((_, name)), _) => f.write_str(name),
            (None, Self::Byte(byte)) => write!(f, "`{}`", char::from(*byte)),
            (None, Self::Blanks) => f.write_str("space"),
        }
    }
}

/// Detects the delimiter that splits most of the first rows into the same number of cells, most of them numbers; a tab
/// if the file has any and its name contains `.tsv`.
pub(super) fn guess(sample: &[u8], comment: Option<&str>, path: &Path) -> Delimiter {
    let is_tsv = path.to_string_lossy().to_lowercase().contains(".tsv") && sample.contains(&b'\t');
    if is_tsv {
        return Delimiter::Byte(b'\t');
    }
    let fits = NAMES.map(|(delimiter, _)| (fit(sample, delimiter, comment), delimiter));
    let best = fits
        .into_iter()
        .rev()
        .max_by(|(one, _), (other, _)| one.score.total_cmp(&other.score).then(one.width.cmp(&other.width)));
    best.filter(|(fit, _)| fit.score > 0.0).map_or(Delimiter::Byte(b','), |(_, delimiter)| delimiter)
}

/// Score of a delimiter.
struct Fit {
    score: f64,
    width: usize,
}

fn fit(sample: &[u8], delimiter: Delimiter, comment: Option<&str>) -> Fit {
    let format = Format { delimiter, comment: comment.map(Into::into), ..Format::default() };
    let rows = first_rows(sample, &format);
    let width = usual_width(&rows);
    if width < 2 {
        return Fit { score: 0.0, width };
    }
    // If blanks split rows with other delimiters in their cells, those are the delimiters: `8.7 kg,0.014,no`.
    let others = rows.iter().filter(|row| row.holds_other).count();
    if delimiter == Delimiter::Blanks && others.saturating_mul(2) > rows.len() {
        return Fit { score: 0.0, width };
    }
    let regular: Vec<&Row> = rows.iter().filter(|row| row.width == width).collect();
    let cells: usize = regular.iter().map(|row| row.width.min(CELLS)).sum();
    let values: usize = regular.iter().map(|row| row.values).sum();
    let regularity = regular.len() as f64 / rows.len().max(1) as f64;
    // Spaces separate ordinary words too, so they need numbers as evidence.
    let without_numbers = if delimiter == Delimiter::Blanks { 0.02 } else { 0.1 };
    Fit { score: regularity * (without_numbers + values as f64 / cells.max(1) as f64), width }
}

/// Counts for a row.
struct Row {
    width: usize,
    /// True if a cell that is not a number holds another delimiter.
    holds_other: bool,
    /// Count of numbers, dates and times among its first cells.
    values: usize,
}

fn first_rows(sample: &[u8], format: &Format) -> Vec<Row> {
    let Ok(mut records) = Records::new(sample, format, u64::MAX) else { return Vec::new() };
    let mut rows = Vec::new();
    while let Ok(Some(record)) = records.next() {
        let is_value = |cell: &&[u8]| std::str::from_utf8(cell).is_ok_and(is_value);
        let holds_other = |cell: &[u8]| cell.iter().any(|byte| b",;|".contains(byte)) && !is_value(&cell);
        rows.push(Row {
            width: record.len(),
            holds_other: record.cells().any(holds_other),
            values: record.cells().take(CELLS).filter(is_value).count(),
        });
        if rows.len() == ROWS {
            break;
        }
    }
    rows
}

/// Returns the most common width of rows; on a tie, the greatest.
fn usual_width(rows: &[Row]) -> usize {
    most_common(rows.iter().map(|row| row.width))
}

/// Returns the most common number; on a tie, the greatest.
pub(super) fn most_common(numbers: impl Iterator<Item = usize>) -> usize {
    let mut sorted: Vec<usize> = numbers.collect();
    sorted.sort_unstable();
    let groups = sorted.chunk_by(|one, next| one == next);
    groups.max_by_key(|group| group.len()).and_then(|group| group.first().copied()).unwrap_or(0)
}
