//! Events of a running session, at report points only: sinks are called in order, inline.

use super::Session;
use crate::Result;
use crate::record::{EpochRecord, EvaluationPoint};

/// Event of a running session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An epoch has ended, or row 0 before the first epoch.
    Epoch(&'a EpochRecord),
    /// Weights were evaluated; also sent at the end of an epoch, before its row.
    Evaluation(&'a EvaluationPoint),
    /// Trained weights at a report point, before its evaluation, if an instrument asks for them.
    Weights(&'a [f32]),
    /// Losses of all updates since the last such event, in order.
    Losses(&'a [f32]),
}

/// Receiver of the events of one session.
///
/// Its methods are called one at a time, from the thread that runs the session, at report points only, while the clock
/// of the trial stands; training goes on when they return. They may take their time, but nothing they do changes a
/// result. An error ends the session at once, with that error: no further event is sent, and the trial can be resumed
/// from its last checkpoint. To end a trial early without an error, interrupt its [`Control`](super::Control).
pub trait Sink {
    /// Receives an event. Losses come first, then the evaluation of a report point, then the row of an epoch that ends
    /// there.
    ///
    /// # Errors
    /// If the event cannot be recorded.
    fn take(&mut self, event: &Event) -> Result<()>;

    /// Saves a checkpoint of the session, where its limits ask for one and when it is interrupted. All events sent
    /// before belong to the state it [saves](Session::save). By default nothing is saved.
    ///
    /// # Errors
    /// If the checkpoint cannot be written.
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
