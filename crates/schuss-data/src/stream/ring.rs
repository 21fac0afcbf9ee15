//! Read-ahead: loader threads bring samples into memory, in order, before they are requested.
//!
//! The positions of all epochs, one epoch after the other, are cut into chunks; every epoch begins a new one. If an
//! order mixes blocks, each group of blocks mixed at a time may be a chunk: a store with random access then reads every
//! block from front to back. Loaders fill a fixed number of chunk buffers in that order, past the end of an epoch into
//! the next. The consumer gives buffers back by requesting later positions, so that nothing is allocated in steady
//! state.
//!
//! Several rings may share a reader, each at its own pace: a chunk is read once and kept until the last of them is past
//! it.

mod grid;
mod queue;
mod reader;
mod window;

use crate::stream::order::Order;
use crate::{Error, Result, Row, Samples, Store};
use queue::Chunk;
use reader::{ChunkSource, Reader};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
pub use window::{Demand, Window};

/// Samples of a store in the order of a trial, read ahead by threads that end with the last ring that uses them.
pub struct Ring {
    reader: Arc<Reader>,
    /// Index of this ring among those that share the reader.
    member: usize,
    /// Chunks in use, from number `first` on.
    held: VecDeque<Arc<Samples>>,
    first: u64,
    waited: Duration,
}

impl Ring {
    /// Creates a ring over a store's samples in the order given by `order` and `seed`; it begins to read with the first
    /// request.
    ///
    /// # Errors
    /// A failure if the threads cannot be started.
    pub fn new(store: Arc<dyn Store>, order: Order, seed: u64, window: Window) -> Result<Self> {
        let reader = Reader::start(ChunkSource { store, order, seed, window })?;
        Ok(Self::member(Arc::new(reader), 0))
    }

    /// Returns a ring that shares the reader: what both request is read once, and the faster one waits for the slower.
    /// If it requests positions before those it had last, or far ahead of them, it continues with a reader of its own.
    pub fn beside(&self) -> Self {
        Self::member(Arc::clone(&self.reader), self.reader.join())
    }

    fn member(reader: Arc<Reader>, member: usize) -> Self {
        let held = VecDeque::with_capacity(reader.source().window.slots());
        Self { reader, member, held, first: 0, waited: Duration::ZERO }
    }

    /// Returns the samples at positions `first..first + rows` of `epoch`, waiting until they are read. Earlier
    /// positions may be discarded; requesting them again, or any other unexpected position, is allowed and restarts
    /// reading there.
    ///
    /// # Errors
    /// Any error of the store for a chunk with these positions; requesting them again reads it again. A usage error for
    /// positions beyond the end of the epoch, or that span more chunks than the window holds; `chunk` times `depth`
    /// rows never do in an order without blocks.
    pub fn rows(&mut self, epoch: u32, first: usize, rows: usize) -> Result<Batch<'_>> {
        let (chunk, count) = self.chunks(first, rows)?;
        let from = self.go_to(epoch, chunk)?;
        self.hold_until(from + count)?;
        Ok(Batch { held: &self.held, offset: first - self.reader.grid().start(chunk), rows })
    }

    /// Returns the chunks that contain the positions: the first, and how many.
    fn chunks(&self, first: usize, rows: usize) -> Result<(u64, u64)> {
        let (len, window, grid) = (self.len(), self.reader.source().window, self.reader.grid());
        if first > len || rows > len - first {
            return Err(Error::usage(format!(
                "positions {first}..{first}+{rows} are out of range for {len} samples"
            )));
        }
        let chunk = grid.chunk_at(first);
        let count = if rows == 0 { 0 } else { grid.chunk_at(first + rows - 1) - chunk + 1 };
        if count > window.slots() as u64 {
            let (slots, chunk) = (window.slots(), window.chunk);
            return Err(Error::usage(format!("{rows} rows at once do not fit in {slots} chunks of {chunk}")));
        }
        Ok((chunk, count))
    }

    /// Moves a chunk to the front; returns its number.
    fn go_to(&mut self, epoch: u32, chunk: u64) -> Result<u64> {
        let wanted = self.reader.number(epoch, chunk, self.first);
        let past = wanted.checked_sub(self.first).map_or(usize::MAX, |past| past as usize);
        self.held.drain(..past.min(self.held.len()));
        self.first = wanted;
        if !self.reader.go_to(self.member, wanted) {
            self.go_alone()?;
            self.reader.go_to(self.member, wanted);
        }
        Ok(wanted)
    }

    /// Switches to a reader with threads of its own.
    fn go_alone(&mut self) -> Result<()> {
        self.leave();
        self.reader = Arc::new(Reader::start(self.reader.source().clone())?);
        self.member = 0;
        Ok(())
    }

    /// Waits for all chunks with numbers below `end`.
    fn hold_until(&mut self, end: u64) -> Result<()> {
        while self.first + (self.held.len() as u64) < end {
            let next = self.first + self.held.len() as u64;
            let Chunk { samples, outcome } = self.reader.take(next, &mut self.waited);
            if let Err(error) = outcome {
                drop(samples);
                self.leave();
                return Err(error);
            }
            self.held.push_back(samples);
        }
        Ok(())
    }

    /// Stops requesting samples for now; rings that share the reader need not wait for it. Requesting again is allowed.
    pub fn leave(&mut self) {
        self.held.clear();
        self.reader.leave(self.member);
    }

    /// Stops reading ahead until the next request; chunks already read are kept. To be called while no other ring that
    /// shares the reader is in use, since it stops for all of them.
    pub fn rest(&self) {
        self.reader.rest();
    }

    /// Returns the number of samples per epoch.
    pub fn len(&self) -> usize {
        self.reader.source().len()
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the index of the sample at a position of an epoch.
    pub fn index(&self, epoch: u32, position: usize) -> usize {
        self.reader.source().order(epoch).index(position)
    }

    /// Returns the number of samples per chunk, the most that one buffer holds.
    pub fn chunk(&self) -> usize {
        self.reader.source().window.chunk
    }

    /// Returns the total time that requests have waited for samples.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Samples at consecutive positions of an epoch.
#[derive(Clone, Copy)]
pub struct Batch<'r> {
    held: &'r VecDeque<Arc<Samples>>,
    /// Index of the first row in the first chunk.
    offset: usize,
    rows: usize,
}

impl<'r> Batch<'r> {
    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the samples at `rows`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn part(&self, rows: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        Self { offset: self.offset + rows.start, rows: rows.len(), ..*self }
    }

    /// Returns the samples that contain row `row`, and its index among them.
    pub fn at(&self, row: usize) -> (&'r Samples, usize) {
        let (mut chunk, mut index) = (0, self.offset + row);
        while index >= self.held[chunk].len() {
            index -= self.held[chunk].len();
            chunk += 1;
        }
        (&self.held[chunk], index)
    }

    /// Returns the features of row `row`.
    pub fn row(&self, row: usize) -> Row<'r> {
        let (samples, index) = self.at(row);
        samples.row(index)
    }
}

#[cfg(test)]
mod tests;
