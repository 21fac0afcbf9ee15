//! Detection of a text's dialect: its delimiter, its header, and lines that are not rows.

use super::delimiter::{self, Delimiter, most_common};
use super::encoding::Encoding;
use super::form::{Comment, Form, Header};
use super::header::{Verdict, judge};
use super::records::{Broken, Format, Records};
use crate::format::table::shown;
use std::fmt;
use std::io::{BufRead, Cursor, Read};
use std::path::Path;

/// Minimum bytes and lines that are sampled, and the limit in bytes.
const SAMPLE: usize = 1 << 16;
const LINES: usize = 8;
const LONGEST: u64 = 8 << 20;
/// Maximum rows that are examined.
const ROWS: usize = 200;
/// Maximum lines above the header that are skipped.
const TITLES: usize = 20;
/// Prefixes of comment lines.
const MARKERS: [&str; 4] = ["#", "//", "%", ";"];

/// Dialect of a text.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) format: Format,
    /// Source of the column names.
    pub(super) naming: Naming,
    /// Line of the header or else the first row; those above are skipped.
    pub(super) first_line: u64,
    /// Column names; without a header, numbers from 1.
    pub(super) names: Vec<String>,
    /// Maximum empty cells at the end of a row, beyond those of the columns.
    pub(super) beyond: usize,
    /// First column whose name is not UTF-8 text.
    pub(super) not_utf8: Option<usize>,
    /// Lines above the header that are neither empty nor comments.
    titles: usize,
}

/// Source of the column names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// The row in this line; `guessed` if that was detected rather than given.
    Row { line: u64, guessed: bool },
    /// The comment in this line.
    Remark { line: u64 },
    /// The column numbers.
    Numbers,
}

/// A row under examination.
struct Row {
    line: u64,
    cells: Vec<String>,
    not_utf8: Option<usize>,
}

/// Information available before the text is examined.
pub(super) struct Known<'a> {
    pub(super) form: &'a Form,
    pub(super) path: &'a Path,
    pub(super) encoding: Encoding,
    /// Names of columns that a model reads.
    pub(super) columns: Option<Vec<&'a str>>,
}

/// Detects the dialect of a text from its first rows.
pub(super) fn dialect(mut text: impl BufRead, known: &Known) -> Result<Dialect, Broken> {
    let sample = Sample::take(&mut text)?;
    let given = sample.separator();
    let start = u64::from(given.is_some()).saturating_add(1);
    let first_line = match known.form.header {
        Some(Header::Line(line)) => line.max(start),
        _ => start,
    };
    let comment = sample.comment(known.form, first_line);
    let body = sample.lines_from(first_line);
    let delimiter = known.form.delimiter.or(given);
    let delimiter = delimiter.unwrap_or_else(|| delimiter::guess(body, comment.as_deref(), known.path));
    let comment = comment.map(String::into_bytes);
    let mut format = Format { delimiter, comment, encoding: known.encoding };
    let mut rows = sample.rows(&format, first_line)?;
    if format.comment.is_none() && known.form.comment.is_none() {
        format.comment = marker_between(&rows);
        if format.comment.is_some() {
            rows = sample.rows(&format, first_line)?;
        }
    }
    Ok(Shape { sample: &sample, known, format, rows, first_line }.dialect())
}

/// Start of a text.
struct Sample {
    bytes: Vec<u8>,
    /// True if this is the whole text.
    whole: bool,
}

impl Sample {
    fn take(text: &mut impl BufRead) -> Result<Self, Broken> {
        let mut bytes = Vec::new();
        let is_enough = |bytes: &[u8]| {
            let is_end = |byte: u8| matches!(byte, b'\r' | b'\n');
            let ends =
                bytes.windows(2).filter(|pair| matches!(pair, [one, next] if !is_end(*one) && is_end(*next)));
            bytes.len() >= SAMPLE && (ends.take(LINES).count() == LINES || bytes.len() as u64 >= LONGEST)
        };
        while !is_enough(&bytes) {
            if text.by_ref().take(SAMPLE as u64).read_to_end(&mut bytes)? == 0 {
                return Ok(Self { bytes, whole: true });
            }
        }
        Ok(Self { bytes, whole: false })
    }

    /// Returns the lines with their numbers, without line ends.
    fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        let only_returns = !bytes.contains(&b'\n');
        let lines = bytes.split(move |byte| *byte == b'\n' || only_returns && *byte == b'\r');
        (1..).zip(lines.map(<[u8]>::trim_ascii))
    }

    /// Returns the delimiter given to Excel by a first line `sep=;`.
    fn separator(&self) -> Option<Delimiter> {
        let (_, line) = self.lines().next()?;
        let line = std::str::from_utf8(line).ok()?.trim_matches('"');
        let (key, sign) = line.split_at_checked(4)?;
        if !key.eq_ignore_ascii_case("sep=") {
            return None;
        }
        if sign.is_empty() { Some(Delimiter::Byte(b'\t')) } else { sign.parse().ok() }
    }

    /// Returns the text from a line on.
    fn lines_from(&self, first: u64) -> &[u8] {
        let line = self.lines().find(|(number, _)| *number >= first).map(|(_, line)| line);
        let start = line
            .map_or(self.bytes.len(), |line| line.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr()));
        self.bytes.get(start..).unwrap_or_default()
    }

    /// Returns the comment prefix: as given, or the prefix of the first line if others lack it.
    fn comment(&self, form: &Form, first: u64) -> Option<String> {
        match &form.comment {
            Some(Comment::None) => return None,
            Some(Comment::Marker(marker)) => return Some(marker.clone()),
            None => {}
        }
        let lines = self.lines().filter(|(number, line)| *number >= first && !line.is_empty());
        let lines: Vec<&[u8]> = lines.map(|(_, line)| line).collect();
        let (first, rest) = lines.split_first()?;
        let is_remark = |marker: &&&str| {
            let marker = marker.as_bytes();
            let behind = first.strip_prefix(marker);
            let is_name = behind.is_some_and(|rest| matches!(rest.first(), Some(b',' | b';' | b'\t' | b'|')));
            let mut rows = rest.iter().filter(|line| !line.starts_with(marker)).peekable();
            let is_row = marker == b";" && rows.clone().any(|line| line.contains(&b';'));
            behind.is_some() && !is_name && rows.peek().is_some() && !is_row
        };
        MARKERS.iter().find(is_remark).map(|marker| (*marker).to_owned())
    }

    fn rows(&self, format: &Format, first: u64) -> Result<Vec<Row>, Broken> {
        let mut records = Records::new(Cursor::new(&self.bytes), format, u64::MAX)?;
        records.skip_to_line(first)?;
        let mut rows = Vec::new();
        while let Some(record) = match records.next() {
            Err(_) if !self.whole => None, // cut off by the end of the sample
            next => next?,
        } {
            let text = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
            let not_utf8 = record.cells().position(|cell| std::str::from_utf8(cell).is_err());
            rows.push(Row { line: record.line, cells: record.cells().map(text).collect(), not_utf8 });
            if rows.len() > ROWS {
                break;
            }
        }
        if !self.whole && rows.len() > 1 && rows.len() <= ROWS {
            rows.pop(); // which the sample's end may have cut off
        }
        Ok(rows)
    }

    /// Returns the last comment above a line.
    fn remark_above(&self, line: u64, marker: &[u8]) -> Option<(u64, &[u8])> {
        let above = self.lines().filter(|(number, text)| *number < line && text.starts_with(marker));
        let (number, text) = above.last()?;
        Some((number, text.strip_prefix(marker)?.trim_ascii()))
    }
}

/// Returns the comment prefix of lines between the rows, if all of these are shorter or longer than the rows.
fn marker_between(rows: &[Row]) -> Option<Vec<u8>> {
    let width = most_common(rows.iter().map(|row| row.cells.len()));
    let is_marker = |marker: &&&str| {
        let begin =
            || rows.iter().filter(|row| row.cells.first().is_some_and(|cell| cell.starts_with(**marker)));
        begin().count() > 0 && begin().all(|row| row.cells.len() != width)
    };
    MARKERS.iter().take(3).find(is_marker).map(|marker| marker.as_bytes().to_vec())
}

/// A text whose first rows have been read.
struct Shape<'a> {
    sample: &'a Sample,
    known: &'a Known<'a>,
    format: Format,
    rows: Vec<Row>,
    first_line: u64,
}

impl Shape<'_> {
    fn dialect(mut self) -> Dialect {
        let titles = self.titles();
        self.rows.drain(..titles);
        let first_line = self.rows.first().filter(|_| titles > 0).map_or(self.first_line, |row| row.line);
        let (naming, mut names) = self.names();
        let not_utf8 = self.rows.first().and_then(|row| row.not_utf8).map(|at| at.saturating_add(1));
        let not_utf8 = not_utf8.filter(|_| matches!(naming, Naming::Row { .. }));
        let beyond = self.empty_at_the_end(naming, &mut names);
        let names = names.into_iter().enumerate();
        let names = names.map(|(at, name)| {
            if name.is_empty() && at > 0 { format!("column {}", at.saturating_add(1)) } else { name }
        });
        let names = names.collect();
        Dialect { format: self.format, naming, first_line, names, beyond, not_utf8, titles }
    }

    /// Counts the rows above the header: those before the first row of the usual width.
    fn titles(&self) -> usize {
        let width = self.width();
        let is_told = matches!(self.known.form.header, Some(Header::Yes | Header::Line(_)));
        let titles = self.rows.iter().take_while(|row| row.cells.len() != width).count();
        let regular = self.rows.iter().filter(|row| row.cells.len() == width).count();
        if is_told || width < 2 || titles > TITLES || regular < 2 {
            return 0;
        }
        let short = self.rows.get(..titles).unwrap_or_default().last();
        let is_header = |row: &Row| {
            row.cells.len().saturating_add(1) == width
                || row.cells.last().is_some_and(String::is_empty)
                    && row.cells.len() == width.saturating_add(1)
        };
        titles.saturating_sub(usize::from(short.is_some_and(is_header)))
    }

    fn width(&self) -> usize {
        most_common(self.rows.iter().map(|row| row.cells.len()))
    }

    /// Returns the cells of the rows below the first.
    fn below(&self) -> Vec<Vec<String>> {
        self.rows.iter().skip(1).map(|row| row.cells.clone()).collect()
    }

    /// Returns the column names and their source.
    fn names(&self) -> (Naming, Vec<String>) {
        let Some(first) = self.rows.first() else { return (Naming::Numbers, Vec::new()) };
        let row = |guessed| (Naming::Row { line: first.line, guessed }, self.header(first));
        match self.known.form.header {
            Some(Header::Yes) => return row(false),
            Some(Header::Line(line)) => return self.remark_in(line).unwrap_or_else(|| row(false)),
            Some(Header::No) => return self.numbers(),
            None => {}
        }
        if let Some(columns) = &self.known.columns {
            let holds =
                |names: &[String]| columns.iter().all(|column| names.iter().any(|name| name == column));
            let numbers = self.numbers();
            let header = row(true);
            match () {
                () if holds(&header.1) => return header,
                () if holds(&numbers.1) => return numbers,
                () => {}
            }
        }
        let verdict = self.verdict(first);
        let remark = || self.remark_above(first.line);
        match verdict {
            Verdict::Header => row(true),
            Verdict::Maybe => remark().unwrap_or_else(|| row(true)),
            Verdict::Sample => remark().unwrap_or_else(|| self.numbers()),
        }
    }

    fn verdict(&self, first: &Row) -> Verdict {
        let shift = self.width().saturating_sub(first.cells.len());
        if shift == 0 || self.names_end_early() {
            return judge(&first.cells, &self.below());
        }
        let below: Vec<Vec<String>> =
            self.below().into_iter().map(|row| row.into_iter().skip(shift).collect()).collect();
        judge(&first.cells, &below)
    }

    /// Returns true if the first row is one cell shorter because the others end in a delimiter.
    fn names_end_early(&self) -> bool {
        let mut below = self.rows.iter().skip(1);
        below.len() > 0 && below.all(|row| row.cells.last().is_none_or(String::is_empty))
    }

    /// Returns the names in a row, with an empty one in front if rows have one more cell: a row name, as R writes them.
    fn header(&self, row: &Row) -> Vec<String> {
        let is_short = row.cells.len().saturating_add(1) == self.width() && !row.cells.is_empty();
        let of_rows = (is_short && !self.names_end_early()).then(String::new);
        of_rows.into_iter().chain(row.cells.iter().cloned()).collect()
    }

    fn numbers(&self) -> (Naming, Vec<String>) {
        let width = self.rows.first().map_or(0, |row| row.cells.len());
        (Naming::Numbers, (1..=width).map(|at| at.to_string()).collect())
    }

    /// Returns names from the comment above the rows, if it has as many words as they have cells.
    fn remark_above(&self, line: u64) -> Option<(Naming, Vec<String>)> {
        let (line, text) = self.sample.remark_above(line, self.format.comment.as_deref()?)?;
        self.remark(line, text)
    }

    /// Returns names from the comment in a line given as the header.
    fn remark_in(&self, line: u64) -> Option<(Naming, Vec<String>)> {
        let (_, text) = self.sample.lines().find(|(number, _)| *number == line)?;
        self.remark(line, text.strip_prefix(self.format.comment.as_deref()?)?.trim_ascii())
    }

    fn remark(&self, line: u64, text: &[u8]) -> Option<(Naming, Vec<String>)> {
        let width = self.width();
        let delimiters = [self.format.delimiter, Delimiter::Blanks, Delimiter::Byte(b',')];
        let names = delimiters.into_iter().find_map(|delimiter| {
            let format = Format { delimiter, ..Format::default() };
            let mut records = Records::new(Cursor::new(text), &format, u64::MAX).ok()?;
            let record = records.next().ok().flatten()?;
            let name = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
            let names: Vec<String> = record.cells().map(name).collect();
            (names.len() == width).then_some(names)
        })?;
        Some((Naming::Remark { line }, names))
    }

    /// Removes nameless, empty columns at the end; returns their number.
    fn empty_at_the_end(&self, naming: Naming, names: &mut Vec<String>) -> usize {
        let is_header = matches!(naming, Naming::Row { .. });
        let rows = self.rows.get(usize::from(is_header)..).unwrap_or_default();
        let is_empty = |at: usize| rows.iter().all(|row| row.cells.get(at).is_none_or(String::is_empty));
        let all = names.len().max(self.width());
        let nameless = |at: usize| naming == Naming::Numbers || names.get(at).is_none_or(String::is_empty);
        let end = (0..all)
            .rev()
            .take_while(|&at| at > 0 && !rows.is_empty() && nameless(at) && is_empty(at))
            .count();
        let kept = all.saturating_sub(end);
        let cut = if end > 0 { all.saturating_sub(kept) } else { 0 };
        if kept <= names.len() {
            names.truncate(kept);
        }
        cut
    }
}

impl Dialect {
    /// Summarises the dialect in one line, with the numbers of comments and blank rows left out.
    pub(super) fn summary(&self, remarks: u64, blank_rows: u64) -> String {
        let mut parts = vec![self.to_string()];
        if let (1.., Some(marker)) = (remarks, &self.format.comment) {
            let marker = shown(&String::from_utf8_lossy(marker));
            parts.push(format!("{} beginning with `{marker}` skipped", counted(remarks, "comment")));
        }
        if self.titles > 0 {
            parts.push(format!("{} above the header skipped", counted(self.titles as u64, "line")));
        }
        if blank_rows > 0 {
            parts.push(format!("{} left out", counted(blank_rows, "blank row")));
        }
        if self.beyond > 0 {
            parts.push(format!("{} at the end of rows left out", counted(self.beyond as u64, "empty cell")));
        }
        parts.join("; ")
    }

    /// Returns true if any name is a number, so that the header is doubtful.
    fn is_numbered(&self) -> bool {
        self.names.iter().any(|name| name.parse::<f64>().is_ok())
    }
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", crate::text::grouped(count))
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-separated columns: {}, ", self.format.delimiter, self.names.len())?;
        match self.naming {
            Naming::Row { line: 1, .. } => f.write_str("with a header")?,
            Naming::Row { line, .. } => write!(f, "with a header in line {line}")?,
            Naming::Remark { line } => write!(f, "named by the comment in line {line}")?,
            Naming::Numbers => f.write_str("without a header, so columns are called 1, 2, ... (--header yes if the first row names them)")?,
        }
        if matches!(self.naming, Naming::Row { guessed: true, .. }) && self.is_numbered() {
            f.write_str(" of numbers (--header no if the first row is a sample)")?;
        }
        match self.format.encoding {
            Encoding::Utf8 => Ok(()),
            Encoding::Utf16 { .. } => f.write_str("; UTF-16 text"),
        }
    }
}
