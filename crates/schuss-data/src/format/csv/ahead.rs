//! Reader with lookahead.

use std::io::{self, BufRead, Read};

/// Reader of the bytes held for lookahead, then of the text itself.
pub(super) struct Ahead<R> {
    text: R,
    held: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Ahead<R> {
    pub(super) fn new(text: R) -> Self {
        Self { text, held: Vec::new(), given: 0 }
    }

    /// Returns true if the text continues with `prefix`.
    pub(super) fn starts_with(&mut self, prefix: &[u8]) -> io::Result<bool> {
        loop {
            let next = self.fill_buf()?;
            let known = next.len().min(prefix.len());
            if next.get(..known) != prefix.get(..known) {
                return Ok(false);
            }
            if known == prefix.len() || !self.hold_more()? {
                return Ok(known == prefix.len());
            }
        }
    }

    /// Appends the next chunk of the text to the held bytes; returns false at the end.
    fn hold_more(&mut self) -> io::Result<bool> {
        self.held.drain(..self.given.min(self.held.len()));
        self.given = 0;
        let chunk = self.text.fill_buf()?;
        let length = chunk.len();
        self.held.extend_from_slice(chunk);
        self.text.consume(length);
        Ok(length > 0)
    }
}

impl<R: BufRead> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given < self.held.len() {
            return Ok(self.held.get(self.given..).unwrap_or_default());
        }
        self.text.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        if self.given < self.held.len() {
            self.given = self.given.saturating_add(bytes);
        } else {
            self.text.consume(bytes);
        }
    }
}
