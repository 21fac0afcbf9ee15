//! Handle to a running session: requests a stop and reads the progress.

use crate::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Number in place of that of a signal after the time limit.
const TIME_IS_UP: usize = usize::MAX;

/// Handle shared by the session, signal handlers and progress displays; clones refer to the same session.
#[derive(Clone, Debug, Default)]
pub struct Control {
    signal: Arc<AtomicUsize>,
    samples: Arc<AtomicU64>,
}

impl Control {
    /// Number of the signal that requested a stop, or 0; written by signal handlers.
    pub fn signal(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.signal)
    }

    /// Requests a stop after this time, as [`interrupt`](Self::interrupt) does.
    ///
    /// # Errors
    /// A failure if the system has no thread left to wait.
    pub fn interrupt_after(&self, time: Duration) -> Result<()> {
        let signal = Arc::downgrade(&self.signal);
        let wait = move || {
            std::thread::sleep(time);
            if let Some(signal) = signal.upgrade() {
                let _ = signal.compare_exchange(0, TIME_IS_UP, Ordering::Relaxed, Ordering::Relaxed);
            }
        };
        let waiting = std::thread::Builder::new().spawn(wait);
        waiting
            .map(drop)
            .map_err(|error| Error::failure("no thread can wait for the time limit").with_source(error))
    }

    /// Returns true if a stop was requested because the time is up.
    pub fn time_is_up(&self) -> bool {
        self.signal.load(Ordering::Relaxed) == TIME_IS_UP
    }

    /// Requests a stop after the current update; the trial then ends as `interrupted`.
    pub fn interrupt(&self) {
        self.signal.store(2, Ordering::Relaxed);
    }

    /// Returns true if a stop was requested.
    pub fn interrupted(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// Number of training samples seen by the current trial, or by all trials that take turns.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Returns a handle to another session that the same signal stops.
    pub(crate) fn beside(&self) -> Self {
        Self { signal: Arc::clone(&self.signal), samples: Arc::default() }
    }

    pub(crate) fn set_samples(&self, samples: u64) {
        self.samples.store(samples, Ordering::Relaxed);
    }
}

/// Stop conditions that updates check while they run: an interruption, or a checkpoint that is due.
#[derive(Clone, Copy, Debug)]
pub struct Watch<'a> {
    control: &'a Control,
    /// Time at which the next checkpoint is due.
    due: Option<Instant>,
    /// Number of questions until a stop, in tests.
    #[cfg(test)]
    patience: Option<&'a std::cell::Cell<usize>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(control: &'a Control, due: Option<Instant>) -> Self {
        Self {
            control,
            due,
            #[cfg(test)]
            patience: None,
        }
    }

    /// Creates a watch that requests a stop after as many questions as there is patience.
    #[cfg(test)]
    pub(crate) fn with_patience(control: &'a Control, patience: &'a std::cell::Cell<usize>) -> Self {
        Self { patience: Some(patience), ..Self::new(control, None) }
    }

    /// Returns true if a stop was requested.
    pub fn interrupted(&self) -> bool {
        #[cfg(test)]
        if let Some(patience) = self.patience {
            match patience.get().checked_sub(1) {
                Some(left) => patience.set(left),
                None => self.control.interrupt(),
            }
        }
        self.control.interrupted()
    }

    /// Returns true if a checkpoint is due.
    pub fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }
}
