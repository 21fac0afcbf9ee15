//! Team of threads that share the parts of a job: one fork and one join per product.
//!
//! A job has a fixed number of parts, and any free thread takes the next one. So a thread that the system
//! holds up delays a job by the part it is on, not by its whole share. Members spin for a few microseconds
//! between jobs and then sleep, so that a step of a dozen short jobs costs about a microsecond per job, and
//! an idle team costs nothing.

use crate::Isa;
use crate::bf16::Setting;
use crate::sync::{
    Arc, AtomicBool, AtomicUsize, Builder, Condvar, JoinHandle, Mutex, MutexGuard, Ordering, UnsafeCell,
    spin_loop,
};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

/// Parts of a job per thread: more parts balance better, fewer parts repeat less packing.
const PARTS_PER_THREAD: usize = 2;

/// Polls before a waiting thread goes to sleep: a few microseconds.
const SPINS: usize = if cfg!(loom) { 1 } else { 4_000 };

/// Cost of reading and writing one number, in multiply-adds.
pub const PASS_WORK: usize = 8;

type Job = *const (dyn Fn(usize) + Sync);

/// Team of `threads` workers; the caller is worker 0.
pub struct Team {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    isa: Isa,
    /// Mode of products in bf16, if any.
    pub(crate) bf16: Setting,
}

struct Shared {
    /// Number of parts of every job.
    parts: usize,
    /// Next part to take; `parts` or more while there is none.
    next: AtomicUsize,
    /// Number of finished parts of the current job.
    done: AtomicUsize,
    /// The current job. The leader writes it while no part can be taken; a thread that has taken a part reads
    /// it, and the leader releases it only once all parts are done.
    job: UnsafeCell<Option<Job>>,
    /// Number of threads asleep on either condition.
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
    stop: AtomicBool,
    panicked: AtomicBool,
}

// SAFETY: `job` is the only part that is not `Sync`; see its comment for who touches it when.
unsafe impl Sync for Shared {}
// SAFETY: as above; a job is only called while the leader that owns it waits for it.
unsafe impl Send for Shared {}

impl Team {
    /// Starts a team of `threads` (at least 1) workers on the best instruction set of the machine.
    ///
    /// # Errors
    /// If the system refuses to start so many threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        Self::with_isa(threads, Isa::detect())
    }

    /// Starts a team whose kernels run on `isa`.
    ///
    /// # Errors
    /// If the system refuses to start so many threads.
    pub fn with_isa(threads: usize, isa: Isa) -> io::Result<Self> {
        let parts = if threads > 1 { threads * PARTS_PER_THREAD } else { 1 };
        let shared = Arc::new(Shared {
            parts,
            next: AtomicUsize::new(parts),
            done: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let mut team = Self { shared, handles: vec![], isa, bf16: Setting::default() };
        for worker in 1..threads {
            team.handles.push(spawn(&team.shared, worker)?); // on failure, dropping `team` stops those already started
        }
        Ok(team)
    }

    /// Returns the number of workers.
    pub fn threads(&self) -> usize {
        self.handles.len() + 1
    }

    /// Returns the instruction set the kernels run on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Returns the number of parts of a job.
    pub fn parts(&self) -> usize {
        self.shared.parts
    }

    /// Calls `job(part)` once for every part, on any thread, and returns when all have finished. `work` is
    /// the approximate total cost in multiply-adds: below a few microseconds' worth, the calling thread does
    /// every part.
    ///
    /// # Panics
    /// If the job panicked on any thread.
    pub fn run(&mut self, work: usize, job: impl Fn(usize) + Sync) {
        if self.handles.is_empty() || work < self.isa.solo_work() {
            return (0..self.parts()).for_each(job);
        }
        let job: &(dyn Fn(usize) + Sync) = &job;
        // SAFETY: only the lifetime changes; `run` returns after the last part, and nobody calls the job later.
        let job: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        // SAFETY: no part can be taken now (`next` is at least `parts`) and all are done, so nobody reads the job.
        self.shared.job.with_mut(|place| unsafe { *place = Some(job) });
        self.shared.done.store(0, Ordering::Relaxed);
        self.shared.next.swap(0, Ordering::Release); // comes after a late worker's count; loom doubts it of a store
        self.shared.wake_sleepers();
        while self.shared.take_part() {}
        self.shared.wait_until(|shared| shared.done.load(Ordering::Acquire) == shared.parts);
        assert!(!self.shared.panicked.swap(false, Ordering::Relaxed), "a part of the team's job panicked");
    }

    /// Splits `0..total` into one contiguous range per part and calls `job(range)` on each.
    pub fn split(&mut self, work: usize, total: usize, job: impl Fn(Range<usize>) + Sync) {
        let parts = self.parts();
        self.run(work, |part| {
            let range = share(total, part, parts);
            if !range.is_empty() {
                job(range);
            }
        });
    }

    /// Calls `job(index, chunk)` for every chunk of `len` elements of `data`, spread over the threads.
    pub fn for_chunks<T: Send>(
        &mut self,
        work: usize,
        data: &mut [T],
        len: usize,
        job: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let (start, total) = (SharedPointer(data.as_mut_ptr()), data.len());
        self.split(work, total.div_ceil(len.max(1)), |chunks| {
            let start = &start;
            for index in chunks {
                let from = index * len;
                // SAFETY: chunks do not overlap, each index goes to one part, and `data` is borrowed mutably.
                let chunk =
                    unsafe { std::slice::from_raw_parts_mut(start.0.add(from), len.min(total - from)) };
                job(index, chunk);
            }
        });
    }
}

struct SharedPointer<T>(*mut T);

// SAFETY: used by `for_chunks` alone, which hands out disjoint parts of a slice of `Send` elements.
unsafe impl<T: Send> Sync for SharedPointer<T> {}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Team({} threads, {})", self.threads(), self.isa.name())
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake_sleepers();
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

/// Returns the share of `0..total` that belongs to `part` of `parts`: contiguous, sizes differing by at most
/// one.
pub(crate) fn share(total: usize, part: usize, parts: usize) -> Range<usize> {
    total * part / parts..total * (part + 1) / parts
}

fn spawn(shared: &Arc<Shared>, worker: usize) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    Builder::new().name(format!("schuss-{worker}")).spawn(move || shared.serve())
}

impl Shared {
    /// Runs the loop of a worker: waits for parts to take, and takes them.
    fn serve(&self) {
        loop {
            self.wait_until(|shared| {
                shared.next.load(Ordering::Acquire) < shared.parts || shared.stop.load(Ordering::Acquire)
            });
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            while self.take_part() {}
        }
    }

    /// Takes and runs the next part; returns true if there was one.
    fn take_part(&self) -> bool {
        let part = self.next.fetch_add(1, Ordering::Acquire);
        if part >= self.parts {
            return false;
        }
        // SAFETY: the job was written before `next` was set to 0, and stays until this part is done too.
        let job = self.job.with(|place| unsafe { *place });
        // SAFETY: the leader keeps what the job borrows alive until all parts are done.
        let call = || job.map(|job| unsafe { (*job)(part) });
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.panicked.store(true, Ordering::Relaxed);
        }
        if self.done.fetch_add(1, Ordering::Release) + 1 == self.parts {
            self.wake_sleepers();
        }
        true
    }

    /// Spins for a while, then sleeps until `ready`.
    fn wait_until(&self, ready: impl Fn(&Self) -> bool) {
        for _ in 0..SPINS {
            if ready(self) {
                return;
            }
            spin_loop();
        }
        let mut guard = self.guard();
        self.sleepers.fetch_add(1, Ordering::AcqRel);
        while !ready(self) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes sleeping threads; to be called after changing anything that others wait for. A sleeper counts
    /// itself and then looks once more; we change first and then look at the count. Both write the count, so
    /// the later of the two sees what the earlier one did before: we the sleeper, or the sleeper our change.
    fn wake_sleepers(&self) {
        if self.sleepers.fetch_add(0, Ordering::AcqRel) > 0 {
            let _guard = self.guard();
            self.wake.notify_all();
        }
    }

    fn guard(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;
