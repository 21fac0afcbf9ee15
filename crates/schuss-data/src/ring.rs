//! Reading ahead: loader threads bring the samples of an order into memory before they are asked for.
//!
//! The positions of all epochs, one epoch after the other, are cut into chunks; every epoch begins a new one. Where an
//! order mixes blocks, what it mixes at a time may be a chunk: a store that finds each sample by itself then reads every
//! block from front to end. Loaders
//! fill a fixed number of chunk buffers in that order, past the end of an epoch into the next. Whoever consumes them
//! gives buffers back by asking for later positions, so that in steady state nothing is allocated.
//!
//! Several may read along, each at its own pace: a chunk is read once and kept until the last of them is past it.

mod grid;
mod queue;
mod reader;
mod window;

use crate::order::Order;
use crate::{Error, Result, Row, Samples, Store};
use queue::Chunk;
use reader::{ChunkSource, Reader};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
pub use window::{Demand, Window};

/// The samples of a store in the order of a trial, read ahead by threads that end with the last ring that uses them.
pub struct Ring {
    reader: Arc<Reader>,
    /// Which of those it is that read along.
    member: usize,
    /// The chunks in use, from number `first` on.
    held: VecDeque<Arc<Samples>>,
    first: u64,
    waited: Duration,
}

impl Ring {
    /// A ring over the order that `order` and `seed` make of a store's samples; it begins to read with the first
    /// request.
    ///
    /// # Errors
    /// A failure if the threads cannot be started.
    pub fn new(store: Arc<dyn Store>, order: Order, seed: u64, window: Window) -> Result<Self> {
        let reader = Reader::start(ChunkSource { store, order, seed, window })?;
        Ok(Self::member(Arc::new(reader), 0))
    }

    /// A ring that reads along: what both ask for is read once, and whoever is faster waits for the other. Where it
    /// asks for positions behind those it had last, or far ahead of them, it goes on by itself.
    pub fn beside(&self) -> Self {
        Self::member(Arc::clone(&self.reader), self.reader.join())
    }

    fn member(reader: Arc<Reader>, member: usize) -> Self {
        let held = VecDeque::with_capacity(reader.source().window.slots());
        Self { reader, member, held, first: 0, waited: Duration::ZERO }
    }

    /// The samples at positions `first..first + rows` of `epoch`, waiting until they are there. Earlier positions need
    /// not be in memory afterwards; asking for them again, or for any others that were not expected, is allowed and
    /// makes reading begin anew there.
    ///
    /// # Errors
    /// What the store says of a chunk these positions lie in; asking again reads it again. A usage error for
    /// positions beyond the epoch's end and for such as lie in more chunks than the window holds; `chunk` times `depth`
    /// rows never do in an order without blocks.
    pub fn rows(&mut self, epoch: u32, first: usize, rows: usize) -> Result<Batch<'_>> {
        let (chunk, count) = self.chunks(first, rows)?;
        let from = self.go_to(epoch, chunk)?;
        self.hold_until(from + count)?;
        Ok(Batch { held: &self.held, offset: first - self.reader.grid().start(chunk), rows })
    }

    /// The chunks that positions lie in: the first, and how many.
    fn chunks(&self, first: usize, rows: usize) -> Result<(u64, u64)> {
        let (len, window, grid) = (self.len(), self.reader.source().window, self.reader.grid());
        if first > len || rows > len - first {
            return Err(Error::usage(format!("positions {first}..{first}+{rows} of {len} samples")));
        }
        let chunk = grid.chunk_at(first);
        let count = if rows == 0 { 0 } else { grid.chunk_at(first + rows - 1) - chunk + 1 };
        if count > window.slots() as u64 {
            let (slots, chunk) = (window.slots(), window.chunk);
            return Err(Error::usage(format!("{rows} rows at once from {slots} chunks of {chunk}")));
        }
        Ok((chunk, count))
    }

    /// Puts a chunk at the front; returns its number.
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

    /// Has threads of its own from now on.
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

    /// Needs no more samples for now; whoever reads along need not wait for it. Asking again is allowed.
    pub fn leave(&mut self) {
        self.held.clear();
        self.reader.leave(self.member);
    }

    /// Samples per epoch.
    pub fn len(&self) -> usize {
        self.reader.source().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of the sample at a position of an epoch.
    pub fn index(&self, epoch: u32, position: usize) -> usize {
        self.reader.source().order(epoch).index(position)
    }

    /// Samples per chunk: at most this many are in one buffer.
    pub fn chunk(&self) -> usize {
        self.reader.source().window.chunk
    }

    /// How long requests have waited for samples to be read, in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Samples at successive positions of an epoch.
#[derive(Clone, Copy)]
pub struct Batch<'r> {
    held: &'r VecDeque<Arc<Samples>>,
    /// Where the first row lies in the first chunk.
    offset: usize,
    rows: usize,
}

impl<'r> Batch<'r> {
    /// How many.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The samples that row `row` is among, and its index there.
    pub fn at(&self, row: usize) -> (&'r Samples, usize) {
        let (mut chunk, mut index) = (0, self.offset + row);
        while index >= self.held[chunk].len() {
            index -= self.held[chunk].len();
            chunk += 1;
        }
        (&self.held[chunk], index)
    }

    /// The numbers of row `row`.
    pub fn row(&self, row: usize) -> Row<'r> {
        let (samples, index) = self.at(row);
        samples.row(index)
    }
}

#[cfg(test)]
mod tests;
