//! Progress of an update that is carried out in several microbatches.

use crate::Error;
use crate::session::tally::Tally;
use crate::state::{State, StateCodec};
use std::io;

/// Reason why not all samples of an update were processed.
pub(super) enum Halt {
    /// A stop was requested; the progress so far.
    Stopped(Partial),
    /// Samples could not be read.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Halt {
    /// Returns None after a requested stop, and the error after a failure.
    pub(super) fn stopped<T>(found: Result<T, Self>) -> crate::Result<Option<T>> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Self::Stopped(_)) => Ok(None),
            Err(Self::Failed(error)) => Err(error),
        }
    }
}

/// Tally of an update and the divisor of its sums: the number of samples, or the sum of their class weights.
pub(super) struct Seen {
    pub(super) tally: Tally,
    pub(super) weight: f64,
}

/// Progress of an unfinished update. The gradients of its samples so far are in the sums of its path.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Partial {
    pub(super) tally: Tally,
    /// Divisor of the sums so far.
    pub(super) weight: f64,
    /// Number of samples processed.
    pub(super) done: usize,
}

impl State for Partial {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        let Self { tally: Tally { loss, minimised, correct, samples }, weight, done } = self;
        loss.code(codec)?;
        minimised.code(codec)?;
        correct.code(codec)?;
        samples.code(codec)?;
        weight.code(codec)?;
        done.code(codec)
    }
}
