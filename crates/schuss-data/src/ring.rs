//! Reading ahead: loader threads bring the samples of an order into memory before they are asked for.
//!
//! The positions of all epochs, one epoch after the other, are cut into chunks; every epoch begins a new one. Where an
//! order mixes blocks, what it mixes at a time may be a chunk: a store that finds each sample by itself then reads every
//! block from front to end. Loaders
//! fill a fixed number of chunk buffers in that order, past the end of an epoch into the next. Whoever consumes them
//! gives buffers back by asking for later positions, so that in steady state nothing is allocated.

mod window;

use crate::decoded::Decoded;
use crate::order::{EpochOrder, Groups, Order};
use crate::{Access, Error, Result, Row, Samples, Store};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};
pub use window::{Demand, Window};

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
        let window = window.fitted(order, len, access);
        let store = match access {
            Access::Random => store,
            Access::Blocks(block) => Arc::new(Decoded::new(store, block, order)),
        };
        let grid = Grid::new(order, len, window);
        let line = Mutex::new(Line::new(window.slots()));
        let (room, ready) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { store, len, order, seed, window, grid, line, room, ready });
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
    /// positions beyond the epoch's end and for such as lie in more chunks than the window holds; `chunk` times `depth`
    /// rows never do in an order without blocks.
    pub fn rows(&mut self, epoch: u32, first: usize, rows: usize) -> Result<Batch<'_>> {
        let (chunk, count) = self.chunks(first, rows)?;
        let from = self.go_to(epoch, chunk);
        self.hold_until(from + count)?;
        Ok(Batch { held: &self.held, offset: first - self.shared.grid.start(chunk), rows })
    }

    /// The chunks that positions lie in: the first, and how many.
    fn chunks(&self, first: usize, rows: usize) -> Result<(u64, u64)> {
        let Shared { len, window, grid, .. } = *self.shared;
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

/// How the positions of an epoch are cut into chunks.
#[derive(Clone, Copy)]
enum Grid {
    /// Of one length each, but for the last.
    Even { len: usize, chunk: usize },
    /// The groups that an order mixes.
    Groups(Groups),
}

impl Grid {
    fn new(order: Order, len: usize, window: Window) -> Self {
        let groups = Groups::of(order, len as u64).filter(|_| window.groups);
        groups.map_or(Self::Even { len, chunk: window.chunk }, Self::Groups)
    }

    /// Chunks per epoch.
    fn chunks(&self) -> u64 {
        match self {
            Self::Even { len, chunk } => len.div_ceil(*chunk).max(1) as u64,
            Self::Groups(groups) => groups.count(),
        }
    }

    fn chunk_at(&self, position: usize) -> u64 {
        match self {
            Self::Even { chunk, .. } => (position / chunk) as u64,
            Self::Groups(groups) => groups.at(position as u64),
        }
    }

    /// Position of a chunk's first sample, or the epoch's end.
    fn start(&self, chunk: u64) -> usize {
        match self {
            Self::Even { len, chunk: length } => (chunk as usize).saturating_mul(*length).min(*len),
            Self::Groups(groups) => groups.start(chunk) as usize,
        }
    }
}

/// What consumer and loaders share.
struct Shared {
    store: Arc<dyn Store>,
    len: usize,
    order: Order,
    seed: u64,
    window: Window,
    grid: Grid,
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

    /// The number of a chunk of an epoch in the course of all epochs; where all epochs are alike, the next such number
    /// from `first` on.
    fn number(&self, epoch: u32, chunk: u64, first: u64) -> u64 {
        let chunks = self.grid.chunks();
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
        let (epoch, chunk) = (number / self.grid.chunks(), number % self.grid.chunks());
        let order = self.order(epoch as u32);
        let positions = self.grid.start(chunk)..self.grid.start(chunk + 1);
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
