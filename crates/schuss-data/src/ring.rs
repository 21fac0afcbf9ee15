//! Reading ahead: loader threads bring the samples of an order into memory before they are asked for.
//!
//! The positions of all epochs, one epoch after the other, are cut into chunks; every epoch begins a new one. Loaders
//! fill a fixed number of chunk buffers in that order, past the end of an epoch into the next. Whoever consumes them
//! gives buffers back by asking for later positions, so that in steady state nothing is allocated.

use crate::decoded::Decoded;
use crate::order::{EpochOrder, Order};
use crate::{Access, Error, Result, Row, Samples, Store};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How much is read ahead, and by how many; changes time and memory, never what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Samples read at once.
    pub chunk: usize,
    /// Chunks held besides the one in use.
    pub depth: usize,
    /// Threads that read.
    pub loaders: usize,
}

impl Window {
    /// Chunks in memory.
    fn slots(self) -> usize {
        self.depth + 1
    }

    /// At least one of each, no chunk longer than an epoch, and one loader where blocks are to be read once.
    fn fitted(self, len: usize, access: Access) -> Self {
        let most = if access == Access::Random { usize::MAX } else { 1 };
        let chunk = self.chunk.min(len).max(1);
        Self { chunk, depth: self.depth.max(1), loaders: self.loaders.clamp(1, most) }
    }
}

/// The samples of a store in the order of a trial, read ahead by threads that end with the ring.
pub struct Ring {
    shared: Arc<Shared>,
    loaders: Vec<JoinHandle<()>>,
    /// The chunks in use, from number `first` on.
    held: VecDeque<Samples>,
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
        let len = usize::try_from(store.len()).unwrap_or(usize::MAX);
        let access = store.access();
        let window = window.fitted(len, access);
        let store = match access {
            Access::Random => store,
            Access::Blocks(block) => Arc::new(Decoded::new(store, block, order)),
        };
        let line = Mutex::new(Line::new(window.slots()));
        let (room, ready) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { store, len, order, seed, window, line, room, ready });
        let mut ring = Self {
            shared,
            loaders: Vec::new(),
            held: VecDeque::with_capacity(window.slots()),
            first: 0,
            waited: Duration::ZERO,
        };
        for _ in 0..window.loaders {
            ring.loaders.push(ring.shared.start_loader()?);
        }
        Ok(ring)
    }

    /// The samples at positions `first..first + rows` of `epoch`, waiting until they are there. Earlier positions need
    /// not be in memory afterwards; asking for them again, or for any others that were not expected, is allowed and
    /// makes reading begin anew there.
    ///
    /// # Errors
    /// What the store says of a chunk these positions lie in; asking again reads it again. A usage error for
    /// positions beyond the epoch's end and for more rows than [`chunk` times `depth`](Window).
    pub fn rows(&mut self, epoch: u32, first: usize, rows: usize) -> Result<Batch<'_>> {
        self.check(first, rows)?;
        let chunk = self.shared.window.chunk;
        let offset = first % chunk;
        let from = self.go_to(epoch, (first / chunk) as u64);
        self.hold_until(from + (offset + rows).div_ceil(chunk) as u64)?;
        Ok(Batch { held: &self.held, chunk, offset, rows })
    }

    fn check(&self, first: usize, rows: usize) -> Result<()> {
        let Shared { len, window: Window { chunk, depth, .. }, .. } = *self.shared;
        if first > len || rows > len - first {
            return Err(Error::usage(format!("positions {first}..{first}+{rows} of {len} samples")));
        }
        if rows > chunk.saturating_mul(depth) {
            return Err(Error::usage(format!("{rows} rows at once from a ring of {depth} x {chunk}")));
        }
        Ok(())
    }

    /// Puts a chunk at the front; returns its number.
    fn go_to(&mut self, epoch: u32, chunk: u64) -> u64 {
        let wanted = self.shared.number(epoch, chunk, self.first);
        let window = self.first..self.first + self.shared.window.slots() as u64;
        let mut line = self.shared.line();
        if line.begun && window.contains(&wanted) {
            while self.first < wanted {
                line.drop_first(self.held.pop_front());
                self.first += 1;
            }
        } else {
            line.begin_at(wanted, self.held.drain(..));
            self.first = wanted;
        }
        self.shared.room.notify_all();
        wanted
    }

    /// Waits for all chunks with numbers below `end`.
    fn hold_until(&mut self, end: u64) -> Result<()> {
        while self.first + (self.held.len() as u64) < end {
            let Chunk { samples, outcome } = self.shared.take(&mut self.waited);
            self.held.push_back(samples);
            if let Err(error) = outcome {
                self.shared.line().begin_at(self.first, self.held.drain(..));
                self.shared.room.notify_all();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Bytes that a ring holds of samples that take `row` bytes each, labels included.
    pub fn bytes(window: Window, order: Order, access: Access, row: u64) -> u64 {
        let ahead = (window.chunk as u64).saturating_mul(window.slots() as u64);
        let decoded = match access {
            Access::Random => 0,
            Access::Blocks(block) => Decoded::most(order, block).saturating_mul(block),
        };
        let indices = window.loaders.saturating_mul(window.chunk).saturating_mul(size_of::<u64>());
        ahead.saturating_add(decoded).saturating_mul(row).saturating_add(indices as u64)
    }

    /// Samples per epoch.
    pub fn len(&self) -> usize {
        self.shared.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of the sample at a position of an epoch.
    pub fn index(&self, epoch: u32, position: usize) -> usize {
        self.shared.order(epoch).index(position)
    }

    /// Samples per chunk: at most this many are in one buffer.
    pub fn chunk(&self) -> usize {
        self.shared.window.chunk
    }

    /// How long requests have waited for data, in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// How long each loader has been busy reading, on average.
    pub fn busy(&self) -> Duration {
        let loaders = u32::try_from(self.loaders.len()).unwrap_or(u32::MAX);
        self.shared.line().read_for / loaders.max(1)
    }
}

impl Drop for Ring {
    /// Loaders finish the chunk they are at.
    fn drop(&mut self) {
        self.shared.line().ended = true;
        self.shared.room.notify_all();
        for loader in self.loaders.drain(..) {
            let _ = loader.join(); // a panic of a store was caught and handed to the consumer
        }
    }
}

/// Samples at successive positions of an epoch.
#[derive(Clone, Copy)]
pub struct Batch<'r> {
    held: &'r VecDeque<Samples>,
    chunk: usize,
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
        let place = self.offset + row;
        (&self.held[place / self.chunk], place % self.chunk)
    }

    /// The numbers of row `row`.
    pub fn row(&self, row: usize) -> Row<'r> {
        let (samples, index) = self.at(row);
        samples.row(index)
    }
}

/// What consumer and loaders share.
struct Shared {
    store: Arc<dyn Store>,
    len: usize,
    order: Order,
    seed: u64,
    window: Window,
    line: Mutex<Line>,
    /// Told when buffers have become free, and at the end.
    room: Condvar,
    /// Told when a chunk has been read.
    ready: Condvar,
}

/// A chunk as its loader left it.
struct Chunk {
    samples: Samples,
    outcome: Result<()>,
}

/// The chunks that the consumer has not taken yet. Every buffer is in here, with a loader, or with the consumer.
struct Line {
    /// Number of the first of `chunks`.
    first: u64,
    /// In order; none where a loader is still reading.
    chunks: VecDeque<Option<Chunk>>,
    free: Vec<Samples>,
    begun: bool,
    ended: bool,
    read_for: Duration,
}

impl Line {
    fn new(slots: usize) -> Self {
        Self {
            first: 0,
            chunks: VecDeque::with_capacity(slots),
            free: vec![Samples::default(); slots],
            begun: false,
            ended: false,
            read_for: Duration::ZERO,
        }
    }

    /// Forgets all chunks; the next to be read is `number`. A chunk that is being read will be dropped, unless its turn
    /// comes again.
    fn begin_at(&mut self, number: u64, held: impl Iterator<Item = Samples>) {
        self.begun = true;
        self.first = number;
        self.free.extend(held);
        self.free.extend(self.chunks.drain(..).flatten().map(|chunk| chunk.samples));
    }

    /// Gives a chunk back that the consumer held, or else the first it has not taken.
    fn drop_first(&mut self, held: Option<Samples>) {
        let samples = held.or_else(|| {
            self.first += 1;
            self.chunks.pop_front().flatten().map(|chunk| chunk.samples)
        });
        self.free.extend(samples);
    }

    /// The next chunk to be read and a buffer for it, if there is one.
    fn next(&mut self) -> Option<(u64, Samples)> {
        if !self.begun {
            return None;
        }
        let buffer = self.free.pop()?;
        let number = self.first + self.chunks.len() as u64;
        self.chunks.push_back(None);
        Some((number, buffer))
    }

    /// Takes a chunk that was read; drops it if it is not wanted any more.
    fn put(&mut self, number: u64, chunk: Chunk) {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.chunks.get_mut(place)) {
            Some(slot @ None) => *slot = Some(chunk),
            _ => self.free.push(chunk.samples),
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chunks per epoch.
    fn chunks(&self) -> u64 {
        self.len.div_ceil(self.window.chunk).max(1) as u64
    }

    /// The number of a chunk of an epoch in the course of all epochs; where all epochs are alike, the next such number
    /// from `first` on.
    fn number(&self, epoch: u32, chunk: u64, first: u64) -> u64 {
        let chunks = self.chunks();
        if self.order.changes() {
            u64::from(epoch) * chunks + chunk
        } else {
            first + (chunk + chunks - first % chunks) % chunks
        }
    }

    fn start_loader(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        Builder::new().name("schuss-loader".into()).spawn(move || shared.load_all()).map_err(|error| {
            Error::failure(format!("no thread can be started to read data: {error}"))
                .advise("let this user start more threads (ulimit -u)")
        })
    }

    /// A loader's life.
    fn load_all(&self) {
        let mut indices = Vec::with_capacity(self.window.chunk);
        while let Some((number, samples)) = self.next() {
            let begun = Instant::now();
            let chunk = self.load(number, samples, &mut indices);
            let mut line = self.line();
            line.read_for += begun.elapsed();
            line.put(number, chunk);
            self.room.notify_one();
            self.ready.notify_one();
        }
    }

    /// Waits for something to read; none at the end.
    fn next(&self) -> Option<(u64, Samples)> {
        let mut line = self.line();
        while !line.ended {
            if let Some(next) = line.next() {
                return Some(next);
            }
            line = self.room.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn load(&self, number: u64, mut samples: Samples, indices: &mut Vec<u64>) -> Chunk {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.list(number, indices);
            self.store.read(indices, &mut samples)
        }));
        let outcome = match outcome {
            Ok(Ok(())) if samples.len() != indices.len() => {
                let (got, wanted) = (samples.len(), indices.len());
                Err(Error::data(format!("the data gave {got} samples where {wanted} were to be read")))
            }
            Ok(outcome) => outcome,
            Err(panic) => Err(broken(&*panic)),
        };
        Chunk { samples, outcome }
    }

    fn order(&self, epoch: u32) -> EpochOrder {
        EpochOrder::new(self.order, self.len, self.seed, epoch)
    }

    /// Which samples a chunk holds.
    fn list(&self, number: u64, indices: &mut Vec<u64>) {
        let (epoch, chunk) = (number / self.chunks(), (number % self.chunks()) as usize);
        let order = self.order(epoch as u32);
        let first = chunk * self.window.chunk;
        let positions = first..self.len.min(first + self.window.chunk);
        indices.clear();
        indices.extend(positions.map(|position| order.index(position) as u64));
    }

    /// The next chunk, waiting for it; adds to `waited` for how long.
    fn take(&self, waited: &mut Duration) -> Chunk {
        let mut line = self.line();
        let mut began = None;
        loop {
            if let Some(Some(_)) = line.chunks.front()
                && let Some(chunk) = line.chunks.pop_front().flatten()
            {
                line.first += 1;
                *waited += began.map_or(Duration::ZERO, |began: Instant| began.elapsed());
                return chunk;
            }
            began.get_or_insert_with(Instant::now);
            line = self.ready.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What a panic in a store becomes.
fn broken(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    Error::data(format!("reading the data broke down: {said}"))
        .advise("check the data with `schuss data show`; if they are sound, this is a defect of schuss")
}

#[cfg(test)]
mod tests;
