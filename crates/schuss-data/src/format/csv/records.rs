//! Records of a text, split by `csv_core` or at runs of spaces; lines are counted, comments skipped, and lengths
//! bounded here.

use super::ahead::Ahead;
use super::blanks;
use super::delimiter::Delimiter;
use super::encoding::Encoding;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead};
use std::ops::Range;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Maximum length of a record, 16 MiB, so that an open quote cannot fill the memory.
const MAX_RECORD: usize = 16 << 20;
/// Maximum cells of a record.
const MAX_CELLS: usize = 1_000_000;
/// Maximum splitters that a thread keeps: one for each delimiter, and a few more.
const MAX_SPARE: usize = 8;

/// Format of a text's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) delimiter: Delimiter,
    /// Prefix of comment lines.
    pub(crate) comment: Option<Vec<u8>>,
    pub(crate) encoding: Encoding,
}

impl Default for Format {
    fn default() -> Self {
        Self { delimiter: Delimiter::Byte(b','), comment: None, encoding: Encoding::Utf8 }
    }
}

/// Reader of a text's records.
pub(crate) struct Records<R> {
    text: Ahead<R>,
    format: Format,
    /// Splitter of records; none if blanks separate cells.
    core: Option<Box<Reader>>,
    /// Raw text of the record.
    raw: Vec<u8>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    line: u64,
    offset: u64,
    limit: u64,
    /// True if the last byte read was a carriage return; a line feed that follows belongs to the same line end.
    after_return: bool,
    /// Comment lines so far.
    pub(crate) remarks: u64,
}

/// Cells of a record.
pub(crate) struct Record<'a> {
    raw: &'a [u8],
    delimiter: Delimiter,
    bytes: &'a [u8],
    ends: &'a [usize],
    /// Line it begins in, from 1.
    pub(crate) line: u64,
    /// Byte offset in the file.
    pub(crate) offset: u64,
}

/// Reason why there is no next record.
#[derive(Debug)]
pub(crate) enum Broken {
    Io(io::Error),
    OpenQuote(u64),
    TooLong(u64),
    TooMany(u64),
    /// The text is longer than this many bytes.
    TooMuch(u64),
}

impl<R: BufRead> Records<R> {
    /// Returns the records of a text of at most `limit` bytes, from its start, which may be a byte order mark.
    pub(crate) fn new(text: R, format: &Format, limit: u64) -> std::result::Result<Self, Broken> {
        let core = match format.delimiter {
            Delimiter::Byte(delimiter) => Some(splitter(delimiter)),
            Delimiter::Blanks => None,
        };
        let mut records = Self {
            text: Ahead::new(text),
            format: format.clone(),
            core,
            raw: vec![],
            bytes: vec![0; 1 << 10],
            ends: vec![0; 1 << 6],
            line: 1,
            offset: 0,
            limit,
            after_return: false,
            remarks: 0,
        };
        if records.text.starts_with(BOM)? {
            records.consume(BOM.len())?;
        }
        Ok(records)
    }

    /// Skips the lines above line `first`, regardless of their content.
    pub(crate) fn skip_to_line(&mut self, first: u64) -> std::result::Result<(), Broken> {
        while self.line < first && self.skip_line()? {}
        Ok(())
    }

    /// Returns the next record, skipping empty lines and comments.
    pub(crate) fn next(&mut self) -> std::result::Result<Option<Record<'_>>, Broken> {
        self.skip_between()?;
        match self.format.delimiter {
            Delimiter::Byte(_) => self.next_delimited(),
            Delimiter::Blanks => self.next_of_blanks(),
        }
    }

    fn next_of_blanks(&mut self) -> std::result::Result<Option<Record<'_>>, Broken> {
        let (line, offset, delimiter) = (self.line, self.offset, self.format.delimiter);
        self.raw.clear();
        loop {
            let chunk = self.text.fill_buf()?;
            let length = chunk.iter().position(|byte| is_line_end(*byte)).unwrap_or(chunk.len());
            let is_ended = length < chunk.len() || length == 0;
            self.raw.extend_from_slice(chunk.get(..length).unwrap_or_default());
            if self.raw.len() > MAX_RECORD {
                return Err(Broken::TooLong(line));
            }
            self.consume(length)?;
            if is_ended {
                break;
            }
        }
        if self.raw.is_empty() {
            return Ok(None);
        }
        blanks::split(&self.raw, &mut self.bytes, &mut self.ends);
        match self.ends.len() > MAX_CELLS {
            true => Err(Broken::TooMany(line)),
            false => {
                let (raw, bytes, ends) = (&self.raw[..], &self.bytes[..], &self.ends[..]);
                Ok(Some(Record { raw, delimiter, bytes, ends, line, offset }))
            }
        }
    }

    fn next_delimited(&mut self) -> std::result::Result<Option<Record<'_>>, Broken> {
        let (line, offset, delimiter) = (self.line, self.offset, self.format.delimiter);
        self.raw.clear();
        let (mut length, mut cells) = (0_usize, 0_usize);
        loop {
            let Some(core) = &mut self.core else { return Ok(None) };
            let chunk = self.text.fill_buf()?;
            let ended = chunk.is_empty();
            if ended && self.offset == offset {
                return Ok(None);
            }
            // A line end closes every record except one with an open quote.
            let chunk = if ended { &b"\n"[..] } else { chunk };
            let bytes = self.bytes.get_mut(length..).unwrap_or_default();
            let ends = self.ends.get_mut(cells..).unwrap_or_default();
            let (result, read, written, found) = core.read_record(chunk, bytes, ends);
            if !ended {
                self.raw.extend_from_slice(chunk.get(..read).unwrap_or_default());
                self.consume(read)?;
            }
            length = length.saturating_add(written);
            cells = cells.saturating_add(found);
            match result {
                ReadRecordResult::Record => {
                    let bytes = self.bytes.get(..length).unwrap_or_default();
                    let ends = self.ends.get(..cells).unwrap_or_default();
                    return Ok(Some(Record { raw: &self.raw, delimiter, bytes, ends, line, offset }));
                }
                ReadRecordResult::InputEmpty if ended => return Err(Broken::OpenQuote(line)),
                ReadRecordResult::End => return Ok(None),
                more => self.make_room(&more, line)?,
            }
        }
    }

    /// Grows the buffer that a record did not fit into.
    fn make_room(&mut self, result: &ReadRecordResult, line: u64) -> std::result::Result<(), Broken> {
        match result {
            ReadRecordResult::OutputFull => grow(&mut self.bytes, MAX_RECORD).ok_or(Broken::TooLong(line)),
            ReadRecordResult::OutputEndsFull => grow(&mut self.ends, MAX_CELLS).ok_or(Broken::TooMany(line)),
            _ => Ok(()),
        }
    }

    /// Skips empty lines and comments.
    fn skip_between(&mut self) -> std::result::Result<(), Broken> {
        loop {
            self.skip_while(|byte| matches!(byte, b'\r' | b'\n'))?;
            if self.format.delimiter == Delimiter::Blanks {
                self.skip_while(|byte| matches!(byte, b' ' | b'\t'))?;
                if self.text.fill_buf()?.first().is_some_and(|byte| is_line_end(*byte)) {
                    continue;
                }
            }
            let is_remark = match &self.format.comment {
                Some(marker) => self.text.starts_with(marker)?,
                None => false,
            };
            if !is_remark {
                return Ok(());
            }
            self.remarks = self.remarks.saturating_add(1);
            self.skip_line()?;
        }
    }

    /// Skips the rest of a line and its end; returns false at the end of the text.
    fn skip_line(&mut self) -> std::result::Result<bool, Broken> {
        self.skip_while(|byte| !is_line_end(byte))?;
        let end = self.text.fill_buf()?.first().copied();
        if end.is_some() {
            self.consume(1)?;
        }
        if end == Some(b'\r') && self.text.starts_with(b"\n")? {
            self.consume(1)?;
        }
        Ok(end.is_some())
    }

    fn skip_while(&mut self, skipped: impl Fn(u8) -> bool) -> std::result::Result<(), Broken> {
        loop {
            let chunk = self.text.fill_buf()?;
            let count = chunk.iter().take_while(|byte| skipped(**byte)).count();
            if count == 0 {
                return Ok(());
            }
            self.consume(count)?;
        }
    }

    /// Advances by some bytes of the current chunk, counting lines and stored bytes.
    fn consume(&mut self, bytes: usize) -> std::result::Result<(), Broken> {
        let read = self.text.fill_buf()?.get(..bytes).unwrap_or_default();
        let stored = self.format.encoding.stored_length(read);
        self.line = self.line.saturating_add(count_breaks(read, self.after_return));
        self.after_return = read.last().map_or(self.after_return, |last| *last == b'\r');
        self.offset = self.offset.saturating_add(stored as u64);
        self.text.consume(bytes);
        if self.offset > self.limit { Err(Broken::TooMuch(self.limit)) } else { Ok(()) }
    }
}

thread_local! {
    /// Splitters of finished texts, kept because building their tables takes longer than splitting many rows.
    static SPARE: RefCell<Vec<(u8, Box<Reader>)>> = const { RefCell::new(Vec::new()) };
}

fn splitter(delimiter: u8) -> Box<Reader> {
    let spare = SPARE.with_borrow_mut(|spare| {
        let at = spare.iter().position(|(other, _)| *other == delimiter)?;
        Some(spare.swap_remove(at).1)
    });
    let build = || Box::new(ReaderBuilder::new().delimiter(delimiter).build());
    let mut splitter = spare.unwrap_or_else(build);
    splitter.reset();
    splitter
}

impl<R> Drop for Records<R> {
    fn drop(&mut self) {
        let (Some(splitter), Delimiter::Byte(delimiter)) = (self.core.take(), self.format.delimiter) else {
            return;
        };
        let _ended = SPARE.try_with(|spare| match spare.try_borrow_mut() {
            Ok(mut spare) if spare.len() < MAX_SPARE => spare.push((delimiter, splitter)),
            _ => {}
        });
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Counts line ends, which are `\n`, `\r\n` or `\r`; `after_return` is true if a `\r` came before.
fn count_breaks(bytes: &[u8], after_return: bool) -> u64 {
    let count = |end: u8| bytes.iter().map(|&byte| u64::from(byte == end)).sum::<u64>();
    let (feeds, returns) = (count(b'\n'), count(b'\r'));
    if returns == 0 && !after_return {
        return feeds;
    }
    let across = u64::from(after_return && bytes.first() == Some(&b'\n'));
    let pairs = bytes.windows(2).filter(|pair| pair == b"\r\n").count() as u64;
    feeds.saturating_add(returns).saturating_sub(pairs).saturating_sub(across)
}

/// Doubles a buffer, up to a limit.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, limit: usize) -> Option<()> {
    let length = buffer.len().saturating_mul(2).min(limit);
    (length > buffer.len()).then(|| buffer.resize(length, T::default()))
}

impl<'a> Record<'a> {
    /// Returns the number of cells.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if it has several cells, all empty.
    pub(crate) fn is_blank(&self) -> bool {
        self.bytes.is_empty() && self.ends.len() > 1
    }

    /// Returns the cells without their quotes.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        self.ranges().map(move |range| bytes.get(range).unwrap_or_default())
    }

    /// Returns the range of each cell in [`Self::text`].
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| std::mem::replace(&mut start, end)..end)
    }

    /// Returns true for each quoted cell and false for others; empty if none is quoted.
    pub(crate) fn quoted(&self) -> Vec<bool> {
        if self.raw.contains(&b'"') { quotes(self.raw, self.delimiter).collect() } else { Vec::new() }
    }

    /// Returns all cells concatenated, if they are UTF-8 text without NUL bytes.
    pub(crate) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok().filter(|text| !text.contains('\0'))
    }
}

/// Yields true for each quoted cell of a record and false for others.
fn quotes(record: &[u8], delimiter: Delimiter) -> impl Iterator<Item = bool> {
    let between = move |byte: u8| match delimiter {
        Delimiter::Byte(delimiter) => byte == delimiter,
        Delimiter::Blanks => matches!(byte, b' ' | b'\t'),
    };
    let mut rest = Some(record);
    std::iter::from_fn(move || {
        let cell = rest?;
        let cell = if delimiter == Delimiter::Blanks { cell.trim_ascii_start() } else { cell };
        let quoted = cell.first() == Some(&b'"');
        let mut open = false;
        let end = cell.iter().position(|&byte| {
            open ^= quoted && byte == b'"';
            !open && between(byte)
        });
        rest = end.and_then(|end| cell.get(end.saturating_add(1)..));
        Some(quoted)
    })
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {}", crate::text::plain_io(error)),
            Self::OpenQuote(line) => write!(f, "opens a quote in line {line} that it never closes"),
            Self::TooLong(line) => {
                write!(f, "has a row of more than 16 MiB in line {line}: is a quote left open?")
            }
            Self::TooMany(line) => write!(f, "has more than a million cells in line {line}"),
            Self::TooMuch(limit) => {
                write!(f, "unpacks to more than {}, the memory limit", crate::text::bytes(*limit))
            }
        }
    }
}
