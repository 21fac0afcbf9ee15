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

    /// Number of training samples seen by the current trial.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    pub(crate) fn set_samples(&self, samples: u64) {
        self.samples.store(samples, Ordering::Relaxed);
    }
}

/// Stop conditions that updates check while they run: an interruption, or a checkpoint that is due.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    control: &'a Control,
    /// Time at which the next checkpoint is due.
    due: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(control: &'a Control, due: Option<Instant>) -> Self {
        Self { control, due }
    }

    /// Returns true if a stop was requested.
    pub(crate) fn interrupted(&self) -> bool {
        self.control.interrupted()
    }

    /// Returns true if a checkpoint is due.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }
}
