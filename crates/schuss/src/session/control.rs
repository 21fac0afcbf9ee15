//! The two wires between a running session and whoever started it: "stop" one way, "how far" the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Shared by the session, signal handlers and progress displays; cloning gives another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct Control {
    signal: Arc<AtomicUsize>,
    samples: Arc<AtomicU64>,
}

impl Control {
    /// The number of the signal that asked to stop; 0 while nobody has. Signal handlers write it.
    pub fn signal(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.signal)
    }

    /// Asks the session to stop after the present update; it is then `interrupted`.
    pub fn interrupt(&self) {
        self.signal.store(2, Ordering::Relaxed);
    }

    /// Whether someone asked to stop.
    pub fn interrupted(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// Training samples seen by the present trial.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    pub(crate) fn set_samples(&self, samples: u64) {
        self.samples.store(samples, Ordering::Relaxed);
    }
}

/// What updates look at while they run: whether they are to stop for good, or for a checkpoint.
#[derive(Clone, Copy)]
pub(crate) struct Watch<'a> {
    control: &'a Control,
    /// When the next checkpoint is due.
    due: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(control: &'a Control, due: Option<Instant>) -> Self {
        Self { control, due }
    }

    /// Whether someone asked to stop.
    pub(crate) fn interrupted(&self) -> bool {
        self.control.interrupted()
    }

    /// Whether a checkpoint is due.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }
}
