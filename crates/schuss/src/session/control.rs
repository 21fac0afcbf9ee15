//! Handle to a running session: requests a stop and reads the progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

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
