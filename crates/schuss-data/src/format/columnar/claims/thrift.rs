//! Thrift's compact protocol, used for Parquet metadata: every field is visited, none is kept.

use super::Refused;
use std::io::{self, Read, Take};

/// Maximum nesting depth of records.
const MAX_DEPTH: usize = 32;

/// Content of a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A whole number of 16 bits or more.
    Number(i64),
    Truth,
    /// A list of this many items, which are visited next.
    List(u64),
    /// A record, whose fields are visited next.
    Record,
    /// The end of a record.
    End,
    Other,
}

/// Visitor of a field, by the numbers of its enclosing fields and its own, which is last.
pub(super) type See<'a> = dyn FnMut(&[i16], Item) -> Result<(), Refused> + 'a;

/// Visits the fields of a record in order.
pub(super) fn walk<R: Read>(bytes: &mut Take<R>, see: &mut See) -> Result<(), Refused> {
    Walk { bytes, path: Vec::new(), see }.record()
}

struct Walk<'a, 'b, R> {
    bytes: &'a mut Take<R>,
    path: Vec<i16>,
    see: &'a mut See<'b>,
}

impl<R: Read> Walk<'_, '_, R> {
    fn see(&mut self, item: Item) -> Result<(), Refused> {
        (self.see)(&self.path, item)
    }

    fn record(&mut self) -> Result<(), Refused> {
        let mut last = 0_i16;
        loop {
            let head = self.byte()?;
            if head & 15 == 0 {
                return self.see(Item::End);
            }
            let id = match i16::from(head >> 4) {
                0 => i16::try_from(self.number()?).unwrap_or(0),
                step => last.saturating_add(step),
            };
            if id <= last || self.path.len() >= MAX_DEPTH {
                return Err(Refused::damaged("has metadata with fields out of order"));
            }
            last = id;
            self.path.push(id);
            self.value(head & 15)?;
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), Refused> {
        match kind {
            1 | 2 => self.see(Item::Truth),
            3 => self.pass(1),
            4..=6 => {
                let number = self.number()?;
                self.see(Item::Number(number))
            }
            7 => self.pass(8),
            8 => {
                let length = self.varint()?;
                self.pass(length)
            }
            9 => self.list(),
            12 => {
                self.see(Item::Record)?;
                self.record()
            }
            _ => Err(Refused::damaged("has metadata with fields of an unknown type")),
        }
    }

    fn list(&mut self) -> Result<(), Refused> {
        let head = self.byte()?;
        let items = match u64::from(head >> 4) {
            15 => self.varint()?,
            few => few,
        };
        let kind = head & 15;
        if items > self.bytes.limit() || matches!(kind, 1 | 2) {
            return Err(Refused::damaged("has metadata with a list that is longer than the rest"));
        }
        self.see(Item::List(items))?;
        (0..items).try_for_each(|_| self.value(kind))
    }

    fn pass(&mut self, length: u64) -> Result<(), Refused> {
        let passed = io::copy(&mut self.bytes.by_ref().take(length), &mut io::sink())?;
        if passed < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.see(Item::Other)
    }

    /// Reads a whole number with its sign in the lowest bit.
    fn number(&mut self) -> Result<i64, Refused> {
        let folded = self.varint()?;
        Ok((folded >> 1).cast_signed() ^ (folded & 1).cast_signed().wrapping_neg())
    }

    /// Reads a whole number in groups of 7 bits, lowest first; the highest bit of a byte means that another follows.
    fn varint(&mut self) -> Result<u64, Refused> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Refused::damaged("has metadata with a number that does not end"))
    }

    fn byte(&mut self) -> Result<u8, Refused> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        Ok(u8::from_le_bytes(byte))
    }
}
