//! A team of threads that all run the same function: one fork and one join per product.
//!
//! Members spin for a few microseconds between jobs and then sleep, so that a step of a dozen short jobs pays
//! about a microsecond each, and an idle team costs nothing.

use crate::Isa;
use std::cell::UnsafeCell;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Polls before a waiting thread goes to sleep: a few microseconds.
const SPINS: usize = 4_000;

/// Work that one thread finishes before another has woken: about a microsecond.
const SOLO: usize = 16_384;

type Job = *const (dyn Fn(usize) + Sync);

/// A team of `threads` workers; the caller is worker 0.
pub struct Team {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    isa: Isa,
}

struct Shared {
    /// Number of jobs handed out so far; a change tells the workers to start.
    generation: AtomicU64,
    /// Workers that have not finished the present job.
    pending: AtomicUsize,
    /// The present job; written by the leader while `pending` is 0, read by workers while it is not.
    job: UnsafeCell<Option<Job>>,
    /// Threads asleep on either condition.
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
    /// A team of `threads` (at least 1) workers on the best instruction set of the machine.
    ///
    /// # Errors
    /// If the system refuses to start so many threads.
    pub fn new(threads: usize) -> io::Result<Self> {
        Self::with_isa(threads, Isa::detect())
    }

    /// A team whose kernels run on `isa`.
    ///
    /// # Errors
    /// If the system refuses to start so many threads.
    pub fn with_isa(threads: usize, isa: Isa) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            generation: AtomicU64::new(0),
            pending: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let mut team = Self { shared, handles: vec![], isa };
        for worker in 1..threads {
            team.handles.push(spawn(&team.shared, worker)?); // on failure `team` stops those already there
        }
        Ok(team)
    }

    /// Number of workers.
    pub fn threads(&self) -> usize {
        self.handles.len() + 1
    }

    /// The instruction set the kernels run on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Calls `job(worker)` once for every worker, 0 being this thread, and returns when all have finished.
    /// `work` is about how many multiply-adds it all takes: below a microsecond's worth this thread does everyone's part.
    ///
    /// # Panics
    /// If the job panicked on any worker.
    pub fn run(&mut self, work: usize, job: impl Fn(usize) + Sync) {
        if self.handles.is_empty() || work < SOLO {
            return (0..self.threads()).for_each(job);
        }
        let job: &(dyn Fn(usize) + Sync) = &job;
        // SAFETY: only the lifetime changes; `run` returns after the last worker has let go of the job.
        let job: Job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        // SAFETY: `pending` is 0, so no worker looks at the job now.
        unsafe { *self.shared.job.get() = Some(job) };
        self.shared.pending.store(self.handles.len(), Ordering::Relaxed);
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
        self.shared.wake_sleepers();
        // SAFETY: the job is borrowed from this very call.
        let mine = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(0) }));
        self.shared.wait_until(|shared| shared.pending.load(Ordering::SeqCst) == 0);
        if let Err(panic) = mine {
            std::panic::resume_unwind(panic);
        }
        assert!(!self.shared.panicked.swap(false, Ordering::Relaxed), "a worker of the team panicked");
    }

    /// Splits `0..total` into one contiguous range per worker and calls `job(range)` on each.
    pub fn split(&mut self, work: usize, total: usize, job: impl Fn(Range<usize>) + Sync) {
        let threads = self.threads();
        self.run(work, |worker| {
            let range = share(total, worker, threads);
            if !range.is_empty() {
                job(range);
            }
        });
    }

    /// Calls `job(index, chunk)` for every chunk of `len` elements of `data`, spread over the workers.
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
                // SAFETY: chunks do not overlap, each index goes to one worker, and `data` is borrowed mutably.
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
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
        self.shared.wake_sleepers();
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

/// The part of `0..total` that belongs to `worker` of `threads`: contiguous, sizes differing by at most one.
pub(crate) fn share(total: usize, worker: usize, threads: usize) -> Range<usize> {
    total * worker / threads..total * (worker + 1) / threads
}

fn spawn(shared: &Arc<Shared>, worker: usize) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name(format!("schuss-{worker}")).spawn(move || shared.serve(worker))
}

impl Shared {
    /// The life of a worker: wait for the next job, run it, say so.
    fn serve(&self, worker: usize) {
        let mut seen = 0;
        loop {
            self.wait_until(|shared| shared.generation.load(Ordering::SeqCst) != seen);
            seen += 1;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            // SAFETY: the leader wrote the job before it raised `generation`, and leaves it until `pending` is 0.
            let job = unsafe { (*self.job.get()).expect("a job stands before its generation is raised") };
            // SAFETY: the leader keeps the job alive until `pending` is 0.
            if catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(worker) })).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            if self.pending.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wake_sleepers();
            }
        }
    }

    /// Spins for a while, then sleeps until `ready`.
    fn wait_until(&self, ready: impl Fn(&Self) -> bool) {
        for _ in 0..SPINS {
            if ready(self) {
                return;
            }
            std::hint::spin_loop();
        }
        let mut guard = self.guard();
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !ready(self) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whoever changes what others wait for calls this afterwards. A sleeper first counts itself and then looks
    /// once more; we change first and then look at the count: one of the two sees the other (both are `SeqCst`).
    fn wake_sleepers(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            let _guard = self.guard();
            self.wake.notify_all();
        }
    }

    fn guard(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_runs_every_job_once() {
        for threads in [1, 2, 3, 7] {
            let mut team = Team::new(threads).unwrap();
            let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            for round in 0..2_000 {
                if round % 500 == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(2)); // lets the others fall asleep
                }
                team.run(usize::MAX, |worker| {
                    counts[worker].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 2_000), "{threads} threads");
        }
    }

    #[test]
    fn chunks_cover_a_slice_once_whatever_the_threads() {
        for threads in [1, 2, 5] {
            let mut data = vec![0; 103];
            Team::new(threads).unwrap().for_chunks(usize::MAX, &mut data, 10, |index, chunk| {
                chunk.iter_mut().for_each(|x| *x += index + 1);
            });
            assert!(data.iter().enumerate().all(|(i, &x)| x == i / 10 + 1));
        }
    }

    #[test]
    fn a_panic_on_a_worker_reaches_the_caller_and_the_team_lives_on() {
        let mut team = Team::new(2).unwrap();
        let crash = catch_unwind(AssertUnwindSafe(|| team.run(usize::MAX, |worker| assert_eq!(worker, 0))));
        assert!(crash.is_err());
        let count = AtomicUsize::new(0);
        team.run(usize::MAX, |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
