//! A text's records: `csv_core` splits them; here their lines are counted, and their length is bounded.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufRead};
use std::ops::Range;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// No record is longer than 64 MiB, so that a quote left open cannot fill the memory.
const MAX_RECORD: usize = 64 << 20;
/// No record has more cells than a million.
const MAX_CELLS: usize = 1_000_000;
/// Splitters that a thread keeps: one for each delimiter, and a few.
const MAX_SPARE: usize = 8;

/// A text's records, one after the other.
pub(crate) struct Records<R> {
    text: R,
    delimiter: u8,
    core: Option<Box<Reader>>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    line: u64,
    offset: u64,
    limit: u64,
}

/// The cells of a record.
pub(crate) struct Record<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    /// The line it begins in, from 1 on.
    pub(crate) line: u64,
    /// Where it begins, in bytes of the text.
    pub(crate) offset: u64,
}

/// Why there is no next record.
#[derive(Debug)]
pub(crate) enum Broken {
    Io(io::Error),
    OpenQuote(u64),
    TooLong(u64),
    TooMany(u64),
    /// The text is longer than so many bytes.
    TooMuch(u64),
}

impl<R: BufRead> Records<R> {
    /// The records of a text of at most `limit` bytes, from its start on, which may be a byte order mark.
    pub(crate) fn new(text: R, delimiter: u8, limit: u64) -> std::result::Result<Self, Broken> {
        let core = Some(splitter(delimiter));
        let (bytes, ends) = (vec![0; 1 << 10], vec![0; 1 << 6]);
        let mut records = Self { text, delimiter, core, bytes, ends, line: 1, offset: 0, limit };
        if records.text.fill_buf()?.starts_with(BOM) {
            records.consume(BOM.len(), 0);
        }
        Ok(records)
    }

    /// The next record that is not an empty line.
    pub(crate) fn next(&mut self) -> std::result::Result<Option<Record<'_>>, Broken> {
        self.skip_line_ends()?;
        let (line, offset) = (self.line, self.offset);
        let (mut length, mut cells) = (0_usize, 0_usize);
        loop {
            let Some(core) = &mut self.core else { return Ok(None) };
            let chunk = self.text.fill_buf()?;
            let ended = chunk.is_empty();
            if ended && self.offset == offset {
                return Ok(None);
            }
            // A line end closes every record but one whose quote is open.
            let chunk = if ended { &b"\n"[..] } else { chunk };
            let bytes = self.bytes.get_mut(length..).unwrap_or_default();
            let ends = self.ends.get_mut(cells..).unwrap_or_default();
            let (result, read, written, found) = core.read_record(chunk, bytes, ends);
            if !ended {
                let breaks = count_breaks(chunk.get(..read).unwrap_or_default());
                self.consume(read, breaks);
                self.check_limit()?;
            }
            length = length.saturating_add(written);
            cells = cells.saturating_add(found);
            match result {
                ReadRecordResult::Record => {
                    let bytes = self.bytes.get(..length).unwrap_or_default();
                    let ends = self.ends.get(..cells).unwrap_or_default();
                    return Ok(Some(Record { bytes, ends, line, offset }));
                }
                ReadRecordResult::InputEmpty if ended => return Err(Broken::OpenQuote(line)),
                ReadRecordResult::End => return Ok(None),
                more => self.make_room(&more, line)?,
            }
        }
    }

    /// Grows what a record did not fit into.
    fn make_room(&mut self, result: &ReadRecordResult, line: u64) -> std::result::Result<(), Broken> {
        match result {
            ReadRecordResult::OutputFull => grow(&mut self.bytes, MAX_RECORD).ok_or(Broken::TooLong(line)),
            ReadRecordResult::OutputEndsFull => grow(&mut self.ends, MAX_CELLS).ok_or(Broken::TooMany(line)),
            _ => Ok(()),
        }
    }

    fn skip_line_ends(&mut self) -> std::result::Result<(), Broken> {
        loop {
            let chunk = self.text.fill_buf()?;
            let skipped = chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let breaks = count_breaks(chunk.get(..skipped).unwrap_or_default());
            self.consume(skipped, breaks);
            self.check_limit()?;
            if skipped == 0 {
                return Ok(());
            }
        }
    }

    fn consume(&mut self, bytes: usize, breaks: u64) {
        self.text.consume(bytes);
        self.offset = self.offset.saturating_add(bytes as u64);
        self.line = self.line.saturating_add(breaks);
    }

    fn check_limit(&self) -> std::result::Result<(), Broken> {
        if self.offset > self.limit { Err(Broken::TooMuch(self.limit)) } else { Ok(()) }
    }
}

thread_local! {
    /// Splitters of texts that are done with: their tables take longer to build than many rows to split.
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
        let Some(splitter) = self.core.take() else { return };
        let delimiter = self.delimiter;
        let _ended = SPARE.try_with(|spare| match spare.try_borrow_mut() {
            Ok(mut spare) if spare.len() < MAX_SPARE => spare.push((delimiter, splitter)),
            _ => {}
        });
    }
}

fn count_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

/// Doubles a buffer, up to a limit.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, limit: usize) -> Option<()> {
    let length = buffer.len().saturating_mul(2).min(limit);
    (length > buffer.len()).then(|| buffer.resize(length, T::default()))
}

impl<'a> Record<'a> {
    /// How many cells.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cells, their quotes taken off.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes;
        self.ranges().map(move |range| bytes.get(range).unwrap_or_default())
    }

    /// Where in [`Self::text`] each cell stands.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.ends.iter().map(move |&end| std::mem::replace(&mut start, end)..end)
    }

    /// All cells without anything between them, if that is a text without NUL bytes.
    pub(crate) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok().filter(|text| !text.contains('\0'))
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::OpenQuote(line) => write!(f, "opens a quote in line {line} that it never closes"),
            Self::TooLong(line) => {
                write!(f, "has a row of more than 64 MiB in line {line}: is a quote left open?")
            }
            Self::TooMany(line) => write!(f, "has more than a million cells in line {line}"),
            Self::TooMuch(limit) => {
                write!(f, "unpacks to more than {}, the memory that may be used", crate::text::bytes(*limit))
            }
        }
    }
}
