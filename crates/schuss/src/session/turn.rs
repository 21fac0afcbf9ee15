//! Turns of sessions that share the machine.

use super::{Control, Outcome, Session, Sink};
use crate::Result;
use schuss_data::Feed;
use std::time::{Duration, Instant};

/// Bound of the stretches of a call: updates begin before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) samples: usize,
    pub(super) end: Option<Instant>,
}

impl Default for Extent {
    /// No bound.
    fn default() -> Self {
        Self { samples: usize::MAX, end: None }
    }
}

impl Session {
    /// Trains, and evaluates where [`run`](Self::run) does, until `time` has passed and the current update is done;
    /// returns the outcome once the trial has ended. Between turns neither the clock nor a thread of the session runs,
    /// so that sessions can take turns. The bits are those of one run.
    ///
    /// # Errors
    /// As for [`run_with`](Self::run_with).
    pub fn turn_with(
        &mut self,
        control: &Control,
        sink: &mut dyn Sink,
        time: Duration,
    ) -> Result<Option<Outcome>> {
        let end = Instant::now().checked_add(time);
        let mut ended = self.begin(control, sink)?;
        while ended.is_none() {
            ended = self.stretch(control, sink, Extent { end, ..Extent::default() })?;
            if end.is_some_and(|end| Instant::now() >= end) {
                break;
            }
        }
        self.rest();
        self.stop_clock();
        Ok(ended.map(|status| self.outcome(status)))
    }

    /// Stops reading ahead until samples are needed again.
    fn rest(&self) {
        let feeds = [Some(&self.train), Some(&self.eval), self.test.as_ref(), self.for_statistics.as_ref()];
        feeds.into_iter().flatten().for_each(Feed::rest);
    }
}
