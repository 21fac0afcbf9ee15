//! Loader threads that read the chunks of a queue, and the state they share with its members.

use super::Window;
use super::grid::Grid;
use super::queue::{Chunk, ChunkQueue};
use crate::stream::order::{EpochOrder, Order};
use crate::{Error, Result, Samples, Store};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Threads that read a store's samples in one order; they stop when this is dropped.
pub(super) struct Reader {
    shared: Arc<Shared>,
    loaders: Vec<JoinHandle<()>>,
}

/// State shared by loaders and members.
struct Shared {
    source: ChunkSource,
    grid: Grid,
    line: Mutex<ChunkQueue>,
    /// Wakes one loader when there is something to read, and all loaders at the end.
    room: Condvar,
    /// Notified when a chunk has been read.
    ready: Condvar,
}

/// Source of the chunks: the store and its reading order.
#[derive(Clone)]
pub(super) struct ChunkSource {
    pub(super) store: Arc<dyn Store>,
    pub(super) order: Order,
    pub(super) seed: u64,
    pub(super) window: Window,
}

impl ChunkSource {
    /// Returns the number of samples per epoch.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.store.len()).unwrap_or(usize::MAX)
    }

    pub(super) fn order(&self, epoch: u32) -> EpochOrder {
        EpochOrder::new(self.order, self.len(), self.seed, epoch)
    }
}

impl Reader {
    /// Starts threads that begin to read with the first request.
    pub(super) fn start(source: ChunkSource) -> Result<Self> {
        let (len, access) = (source.len(), source.store.access());
        let window = source.window.fitted(source.order, len, access);
        let grid = Grid::new(source.order, len, window);
        let line = Mutex::new(ChunkQueue::new(window.slots()));
        let (room, ready) = (Condvar::new(), Condvar::new());
        let source = ChunkSource { window, ..source };
        let mut reader = Self {
            shared: Arc::new(Shared { source, grid, line, room, ready }),
            loaders: Vec::with_capacity(window.loaders),
        };
        for _ in 0..window.loaders {
            reader.loaders.push(reader.shared.start_loader()?);
        }
        Ok(reader)
    }

    pub(super) fn source(&self) -> &ChunkSource {
        &self.shared.source
    }

    pub(super) fn grid(&self) -> &Grid {
        &self.shared.grid
    }

    /// Returns the running number of a chunk over all epochs; if all epochs are alike, the next number for it
    /// from `first` on.
    pub(super) fn number(&self, epoch: u32, chunk: u64, first: u64) -> u64 {
        let chunks = self.shared.grid.chunks();
        if self.shared.source.order.changes() {
            u64::from(epoch) * chunks + chunk
        } else {
            first + (chunk + chunks - first % chunks) % chunks
        }
    }

    /// Adds a member and returns its number.
    pub(super) fn join(&self) -> usize {
        self.shared.line().join()
    }

    /// Pauses a member: it stops reading for now.
    pub(super) fn leave(&self, member: usize) {
        self.shared.change(|line| line.leave(member));
    }

    /// Stops the loaders until the next request, and waits for them to finish the chunks they are at.
    pub(super) fn rest(&self) {
        let mut line = self.shared.line();
        while !line.rest() {
            line = self.shared.ready.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// See [`ChunkQueue::go_to`].
    pub(super) fn go_to(&self, member: usize, wanted: u64) -> bool {
        self.shared.change(|line| line.go_to(member, wanted))
    }

    /// Waits for a chunk and returns it. Adds the time waited to `waited`, except while other members are too
    /// far behind for the chunk to be read.
    pub(super) fn take(&self, number: u64, waited: &mut Duration) -> Chunk {
        let mut line = self.shared.line();
        let mut began = None;
        loop {
            if let Some(chunk) = line.chunk(number) {
                *waited += began.map_or(Duration::ZERO, |began: Instant| began.elapsed());
                return chunk.clone();
            }
            if line.has_room_for(number) {
                began.get_or_insert_with(Instant::now);
            }
            line = self.shared.ready.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Reader {
    /// Loaders finish the chunk they are at.
    fn drop(&mut self) {
        self.shared.line().ended = true;
        self.shared.room.notify_all();
        for loader in self.loaders.drain(..) {
            let _ = loader.join(); // a panic in a store was caught and passed on to the member
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, ChunkQueue> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue, and wakes a loader only if there is something to read: loaders woken for nothing
    /// would take cores from every training step.
    fn change<T>(&self, change: impl FnOnce(&mut ChunkQueue) -> T) -> T {
        let mut line = self.line();
        let outcome = change(&mut line);
        if line.has_next() {
            self.room.notify_one();
        }
        outcome
    }

    fn start_loader(self: &Arc<Self>) -> Result<JoinHandle<()>> {
        let shared = Arc::clone(self);
        Builder::new().name("schuss-loader".into()).spawn(move || shared.load_all()).map_err(|error| {
            Error::failure(format!("cannot start a thread to read data: {error}"))
                .advise("let this user start more threads (ulimit -u)")
        })
    }

    /// Runs the loop of a loader thread.
    fn load_all(&self) {
        let mut indices = Vec::with_capacity(self.source.window.chunk);
        while let Some((number, samples)) = self.next() {
            let chunk = self.load(number, samples, &mut indices);
            self.change(|line| line.put(number, chunk));
            self.ready.notify_all();
        }
    }

    /// Waits for a chunk to read, and wakes another loader if there are more; `None` at the end.
    fn next(&self) -> Option<(u64, Arc<Samples>)> {
        let mut line = self.line();
        while !line.ended {
            if let Some(next) = line.next() {
                if line.has_next() {
                    self.room.notify_one();
                }
                return Some(next);
            }
            line = self.room.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn load(&self, number: u64, mut samples: Arc<Samples>, indices: &mut Vec<u64>) -> Chunk {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            self.list(number, indices);
            self.read(indices, Arc::make_mut(&mut samples))
        }));
        Chunk { samples, outcome: outcome.unwrap_or_else(|panic| Err(broken(&*panic))) }
    }

    fn read(&self, indices: &[u64], samples: &mut Samples) -> Result<()> {
        self.source.store.read(indices, samples)?;
        if samples.len() != indices.len() {
            let (got, wanted) = (samples.len(), indices.len());
            return Err(Error::data(format!("expected {wanted} samples from the data, got {got}")));
        }
        Ok(())
    }

    /// Lists the sample indices of a chunk.
    fn list(&self, number: u64, indices: &mut Vec<u64>) {
        let (epoch, chunk) = (number / self.grid.chunks(), number % self.grid.chunks());
        let order = self.source.order(epoch as u32);
        let positions = self.grid.start(chunk)..self.grid.start(chunk + 1);
        indices.clear();
        indices.extend(positions.map(|position| order.index(position) as u64));
    }
}

/// Converts a panic in a store into an error.
fn broken(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    Error::data(format!("reading the data failed: {said}"))
        .advise("check the data with `schuss data show`; if they are fine, this is a bug in schuss")
}
