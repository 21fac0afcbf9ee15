//! Header of an NPY file: magic bytes, a version, and a dictionary in Python syntax.
//!
//! NumPy's `numpy.lib.format`, versions 1 to 3. The dictionary is read by a dedicated parser, which knows
//! strings, `True` and `False`, and tuples of integers; nothing is ever evaluated.

use super::kind::Number;
use crate::format::table::shown;
use std::io::{self, Read};

pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// Length limit of the dictionary; NumPy itself refuses more than 10,000 bytes.
const MAX_LENGTH: u32 = 1 << 16;
/// NumPy's own limit on the number of dimensions.
const MAX_DIMENSIONS: usize = 64;

/// Parsed header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: Number,
    /// True if the first index varies fastest.
    pub(crate) fortran: bool,
    pub(crate) shape: Vec<u64>,
    /// Offset of the first number, in bytes.
    pub(crate) start: u64,
}

impl Header {
    /// Reads the header of an array in a file of `length` bytes, and checks the two against each other.
    pub(crate) fn read(reader: &mut dyn Read, length: u64) -> Result<Self, String> {
        let mut lead = [0; 8];
        fill(reader, &mut lead)?;
        if !lead.starts_with(MAGIC) {
            return Err("is not an NPY array".into());
        }
        let [.., major, minor] = lead;
        let (text, before) = match major {
            1 => (u32::from(u16::from_le_bytes(word(reader)?)), 10_u64),
            2 | 3 => (u32::from_le_bytes(word(reader)?), 12),
            _ => return Err(format!("is an NPY array of the unknown version {major}.{minor}")),
        };
        if text > MAX_LENGTH {
            return Err(format!("claims a header of {text} bytes"));
        }
        let mut dictionary = vec![0; text as usize];
        fill(reader, &mut dictionary)?;
        let dictionary = std::str::from_utf8(&dictionary).map_err(|_| "has a header that is not text")?;
        let header = Scan { rest: dictionary }.dictionary(before.saturating_add(text.into()))?;
        header.check(length)?;
        Ok(header)
    }

    /// Returns the count of numbers; `None` if no file could hold them.
    pub(crate) fn count(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |count, &size| count.checked_mul(size))
    }

    fn check(&self, length: u64) -> Result<(), String> {
        let there = length.saturating_sub(self.start);
        let promised = self.count().and_then(|count| count.checked_mul(self.number.size() as u64));
        match promised {
            Some(promised) if promised == there => Ok(()),
            Some(promised) if promised < there => Err(format!(
                "continues for {} bytes after the array its header promises",
                there.saturating_sub(promised)
            )),
            _ => Err(format!("is too short for the array of {:?} that its header promises", self.shape)),
        }
    }
}

fn word<const SIZE: usize>(reader: &mut dyn Read) -> Result<[u8; SIZE], String> {
    let mut word = [0; SIZE];
    fill(reader, &mut word)?;
    Ok(word)
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> Result<(), String> {
    reader.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "ends within its header".into(),
        _ => format!("cannot be read: {}", crate::text::plain_io(&error)),
    })
}

/// Unread rest of a dictionary.
struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }`, in any order.
    fn dictionary(mut self, start: u64) -> Result<Header, String> {
        let (mut number, mut fortran, mut shape) = (None, None, None);
        self.expect('{')?;
        while !self.take('}') {
            let key = self.text()?;
            self.expect(':')?;
            let fresh = match key {
                "descr" => number.replace(self.number()?).is_none(),
                "fortran_order" => fortran.replace(self.truth()?).is_none(),
                "shape" => shape.replace(self.tuple()?).is_none(),
                _ => false,
            };
            if !fresh {
                return Err(format!("has a header with the unexpected key `{}`", shown(key)));
            }
            if !self.take(',') {
                self.expect('}')?;
                break;
            }
        }
        match (number, fortran, shape, self.rest.trim_ascii()) {
            (Some(number), Some(fortran), Some(shape), "") => Ok(Header { number, fortran, shape, start }),
            (.., "") => Err("has a header that lacks descr, fortran_order or shape".into()),
            (.., rest) => Err(format!("has extra text in its header: `{}`", shown(rest))),
        }
    }

    fn take(&mut self, letter: char) -> bool {
        let rest = self.rest.trim_ascii_start().strip_prefix(letter);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, letter: char) -> Result<(), String> {
        if self.take(letter) { Ok(()) } else { Err(self.unexpected(&format!("`{letter}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        format!("has a header with `{}` where {wanted} is expected", shown(self.rest.trim_ascii()))
    }

    /// Parses a string in either kind of quotes, without escapes.
    fn text(&mut self) -> Result<&'a str, String> {
        let rest = self.rest.trim_ascii_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let inner = quote.and_then(|quote| rest.strip_prefix(quote)?.split_once(quote));
        let (text, rest) = inner.ok_or_else(|| self.unexpected("a text"))?;
        self.rest = rest;
        Ok(text)
    }

    fn number(&mut self) -> Result<Number, String> {
        if self.rest.trim_ascii_start().starts_with('[') {
            return Err("holds records of several fields, not plain numbers".into());
        }
        Number::parse(self.text()?)
    }

    fn truth(&mut self) -> Result<bool, String> {
        let rest = self.rest.trim_ascii_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    /// Parses `()`, `(3,)` or `(3, 4)`.
    fn tuple(&mut self) -> Result<Vec<u64>, String> {
        let mut sizes = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            sizes.push(self.size()?);
            if sizes.len() > MAX_DIMENSIONS {
                return Err(format!("has a header with more than {MAX_DIMENSIONS} dimensions"));
            }
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(sizes)
    }

    /// Parses an integer; Python 2 wrote an `L` after some.
    fn size(&mut self) -> Result<u64, String> {
        let rest = self.rest.trim_ascii_start();
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(end).unwrap_or_default();
        let size = digits.parse().map_err(|_| self.unexpected("a size"))?;
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(size)
    }
}
