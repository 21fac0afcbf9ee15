//! What updates see of their samples, and how far one has come that was stopped.

use crate::Error;
use crate::keep::{Keep, Keeper};
use schuss_kernels::rows::Score;
use serde::{Deserialize, Serialize};
use std::io;

/// What an update saw of its samples, at the weights before it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) loss: f64,
    pub(crate) correct: u64,
    pub(crate) samples: u64,
}

/// Why the samples of an update were not all looked at.
pub(super) enum Halt {
    /// It was asked to: how far it came.
    Stopped(Partial),
    /// Some could not be read.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Halt {
    /// Nothing where it was only asked to stop.
    pub(super) fn stopped<T>(found: Result<T, Self>) -> crate::Result<Option<T>> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(Self::Stopped(_)) => Ok(None),
            Err(Self::Failed(error)) => Err(error),
        }
    }
}

/// What an update saw, and what its sums are divided by: the number of samples, but for class weights.
pub(super) struct Seen {
    pub(super) tally: Tally,
    pub(super) weight: f64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.samples += other.samples;
    }

    /// What some scores add up to; losses are added one by one, so that the sum does not depend on the microbatch.
    pub(crate) fn count(&mut self, scores: &[Score]) {
        self.samples += scores.len() as u64;
        for score in scores {
            self.loss += score.loss;
            self.correct += u64::from(score.correct);
        }
    }

    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    /// The same where samples weighed `weight` together: the loss becomes their number times the weighted mean.
    pub(super) fn weighed(self, weight: f64) -> Self {
        let samples = self.samples as f64;
        if weight == samples { self } else { Self { loss: self.loss / weight * samples, ..self } }
    }
}

/// How far an update has come: what it saw so far of how many samples. Their gradients are in its path's sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Partial {
    pub(super) tally: Tally,
    /// What their sums are divided by.
    pub(super) weight: f64,
    pub(super) done: usize,
}

impl Keep for Partial {
    fn keep(&mut self, keeper: &mut Keeper) -> io::Result<()> {
        let Self { tally: Tally { loss, correct, samples }, weight, done } = self;
        loss.keep(keeper)?;
        correct.keep(keeper)?;
        samples.keep(keeper)?;
        weight.keep(keeper)?;
        done.keep(keeper)
    }
}
