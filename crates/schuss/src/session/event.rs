//! Events of a running session, at report points only: sinks are called in order, inline.

use super::Session;
use crate::Result;
use crate::record::{EpochRecord, EvaluationPoint};

/// Event of a running session.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// An epoch has ended, or row 0 before the first epoch.
    Epoch(&'a EpochRecord),
    /// Weights were evaluated; also sent at the end of an epoch, before its row.
    Evaluation(&'a EvaluationPoint),
    /// Losses of all updates since the last report point, in order.
    Losses(&'a [f32]),
}

/// Receiver of events.
pub trait Sink {
    /// Receives an event.
    ///
    /// # Errors
    /// If the event cannot be recorded; the session ends with that error.
    fn take(&mut self, event: &Event) -> Result<()>;

    /// Saves a checkpoint of the session; all events sent before belong to the state it [saves](Session::save).
    ///
    /// # Errors
    /// As for `take`.
    fn checkpoint(&mut self, _session: &mut Session) -> Result<()> {
        Ok(())
    }
}

/// Ignores all events.
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
