//! Text encodings: UTF-8, or UTF-16 as Windows programs save it, which is decoded to UTF-8 on the fly.

use std::io::{self, BufRead, Read};

/// Encoding of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    Utf8,
    Utf16 {
        big_endian: bool,
    },
}

impl Encoding {
    /// Detects the encoding from the start of a text: by its byte order mark, or if nearly every other byte is zero.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0xff, 0xfe, ..] => return Self::Utf16 { big_endian: false },
            [0xfe, 0xff, ..] => return Self::Utf16 { big_endian: true },
            _ => {}
        }
        let (pairs, _) = start.as_chunks::<2>();
        let is_plain = |byte: u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
        let most = |is: &dyn Fn(&[u8; 2]) -> bool| {
            pairs.len() >= 4
                && pairs.iter().filter(|pair| is(pair)).count() >= pairs.len().saturating_sub(pairs.len() / 4)
        };
        match () {
            () if most(&|pair| is_plain(pair[0]) && pair[1] == 0) => Self::Utf16 { big_endian: false },
            () if most(&|pair| pair[0] == 0 && is_plain(pair[1])) => Self::Utf16 { big_endian: true },
            () => Self::Utf8,
        }
    }

    /// Returns the number of bytes in the file that some UTF-8 text was decoded from.
    pub(crate) fn stored_length(self, text: &[u8]) -> usize {
        match self {
            Self::Utf8 => text.len(),
            // A character is one unit of two bytes, or two units if it takes four bytes of UTF-8.
            Self::Utf16 { .. } => text
                .iter()
                .map(|byte| match byte {
                    0x80..0xc0 => 0,
                    0xf0.. => 4,
                    _ => 2,
                })
                .sum(),
        }
    }

    /// Wraps `reader` to return UTF-8.
    pub(crate) fn decode(self, reader: Box<dyn BufRead>) -> Box<dyn BufRead> {
        match self {
            Self::Utf8 => reader,
            Self::Utf16 { big_endian } => Box::new(Utf16::new(reader, big_endian)),
        }
    }

    /// Decodes a part of the text, which begins and ends between characters, to UTF-8.
    pub(crate) fn decode_part(self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let Self::Utf16 { big_endian } = self else { return Ok(bytes) };
        let mut text = Vec::with_capacity(bytes.len());
        Utf16::new(&bytes[..], big_endian).read_to_end(&mut text)?;
        Ok(text)
    }
}

/// Decoder of UTF-16 to UTF-8.
struct Utf16<R> {
    stored: R,
    big_endian: bool,
    /// Bytes of an incomplete character.
    rest: Vec<u8>,
    text: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Utf16<R> {
    fn new(stored: R, big_endian: bool) -> Self {
        Self { stored, big_endian, rest: Vec::new(), text: Vec::new(), given: 0 }
    }

    /// Decodes the next chunk; nothing at the end.
    fn decode_next(&mut self) -> io::Result<()> {
        (self.given, self.text) = (0, std::mem::take(&mut self.text));
        self.text.clear();
        while self.text.is_empty() {
            let chunk = self.stored.fill_buf()?;
            let length = chunk.len();
            if length == 0 {
                return if self.rest.is_empty() { Ok(()) } else { Err(invalid()) };
            }
            self.rest.extend_from_slice(chunk);
            self.stored.consume(length);
            self.decode_rest()?;
        }
        Ok(())
    }

    /// Decodes all complete characters of the rest.
    fn decode_rest(&mut self) -> io::Result<()> {
        let (pairs, _) = self.rest.as_chunks::<2>();
        let unit = |pair: &[u8; 2]| {
            if self.big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
        };
        let mut units: Vec<u16> = pairs.iter().map(unit).collect();
        let is_half = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
        units.truncate(units.len().saturating_sub(usize::from(is_half)));
        let mut letter = [0; 4];
        for decoded in char::decode_utf16(units.iter().copied()) {
            let decoded = decoded.map_err(|_| invalid())?;
            self.text.extend_from_slice(decoded.encode_utf8(&mut letter).as_bytes());
        }
        self.rest.drain(..units.len().saturating_mul(2));
        Ok(())
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not valid UTF-16 text")
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Utf16<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given >= self.text.len() {
            self.decode_next()?;
        }
        Ok(self.text.get(self.given..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.given = self.given.saturating_add(bytes);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn stored(text: &str, big_endian: bool) -> Vec<u8> {
        let bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_is_recognised_with_and_without_a_mark_and_decoded_in_any_chunks() {
        for big_endian in [false, true] {
            for text in ["\u{feff}a;ä;€\n1;😀;3\n", "length,width,kind\n1,2,ä\n"] {
                let stored = stored(text, big_endian);
                let encoding = Encoding::of(&stored);
                assert_eq!(encoding, Encoding::Utf16 { big_endian });
                assert_eq!(encoding.stored_length(text.as_bytes()), stored.len());
                assert_eq!(encoding.decode_part(stored.clone()).unwrap(), text.as_bytes());
                for capacity in [1, 2, 3, 7] {
                    let mut decoded = String::new();
                    let reader = BufReader::with_capacity(capacity, std::io::Cursor::new(stored.clone()));
                    encoding.decode(Box::new(reader)).read_to_string(&mut decoded).unwrap();
                    assert_eq!(decoded, text);
                }
            }
        }
        for text in [&b"a,b\n1,2\n"[..], b"a,b\n1,2\n\0,4\n", "ä".as_bytes(), b"", b"\0\0\0\0"] {
            assert_eq!(Encoding::of(text), Encoding::Utf8, "{text:?}");
        }
    }

    #[test]
    fn half_a_letter_is_an_error() {
        let encoding = Encoding::Utf16 { big_endian: false };
        for bytes in [&[0x61, 0, 0x62][..], &[0x00, 0xd8], &[0x00, 0xdc, 0x61, 0]] {
            assert!(encoding.decode_part(bytes.to_vec()).is_err(), "{bytes:?}");
        }
    }
}
