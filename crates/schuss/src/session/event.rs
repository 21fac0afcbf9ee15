//! What a session tells while it runs, at report points only: sinks are called in order, inline.

use super::Session;
use crate::Result;
use crate::record::{EpochRecord, EvaluationPoint};

/// Something worth telling.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// An epoch has ended, or is about to begin with row 0.
    Epoch(&'a EpochRecord),
    /// Weights were evaluated; also told for the ends of epochs, before their row.
    Evaluation(&'a EvaluationPoint),
    /// The losses of all updates since the last report point, in order.
    Losses(&'a [f32]),
}

/// Whoever listens.
pub trait Sink {
    /// Takes an event.
    ///
    /// # Errors
    /// If it cannot be written down; the session ends with that error.
    fn take(&mut self, event: &Event) -> Result<()>;

    /// Keeps the session as it is now: everything told before belongs to what it [saves](Session::save).
    ///
    /// # Errors
    /// As for `take`.
    fn checkpoint(&mut self, _session: &mut Session) -> Result<()> {
        Ok(())
    }
}

/// Nobody listens.
impl Sink for () {
    fn take(&mut self, _: &Event) -> Result<()> {
        Ok(())
    }
}

impl<F: FnMut(&Event) -> Result<()>> Sink for F {
    fn take(&mut self, event: &Event) -> Result<()> {
        self(event)
    }
}
