//! Losses and counts of updates, and the progress of a stopped update.

use crate::Error;
use crate::state::{State, StateCodec};
use schuss_kernels::rows::Score;
use serde::{Deserialize, Serialize};
use std::io;

/// Losses and counts of an update's samples, at the weights before it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Sum of the losses, in the units of the targets.
    pub(crate) loss: f64,
    /// Sum of the minimised losses, in the units in which outputs and targets are compared; gradients belong to it.
    #[serde(skip)]
    pub(crate) minimised: f64,
    pub(crate) correct: u64,
    pub(crate) samples: u64,
}

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

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.minimised += other.minimised;
        self.correct += other.correct;
        self.samples += other.samples;
    }

    /// Adds some scores; losses are added one by one, so that the sum does not depend on the microbatch.
    pub(crate) fn count(&mut self, scores: &[Score]) {
        scores.iter().for_each(|score| self.count_one(*score, score.loss));
    }

    /// Adds the score of a sample whose loss is `loss` in the units of its targets.
    pub(crate) fn count_one(&mut self, score: Score, loss: f64) {
        self.samples += 1;
        self.loss += loss;
        self.minimised += score.loss;
        self.correct += u64::from(score.correct);
    }

    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    /// Mean of the loss to which the gradient belongs.
    pub(crate) fn mean_minimised(&self) -> f64 {
        self.minimised / self.samples as f64
    }

    /// Returns the tally for samples of total weight `weight`: the loss becomes their number times the weighted mean.
    pub(super) fn weighed(self, weight: f64) -> Self {
        let samples = self.samples as f64;
        let weighed = |loss: f64| loss / weight * samples;
        if weight == samples {
            self
        } else {
            Self { loss: weighed(self.loss), minimised: weighed(self.minimised), ..self }
        }
    }
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

/// Without the minimised loss, which is stored separately if it differs from the reported one.
impl State for Partial {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        let Self { tally: Tally { loss, correct, samples, .. }, weight, done } = self;
        loss.code(codec)?;
        correct.code(codec)?;
        samples.code(codec)?;
        weight.code(codec)?;
        done.code(codec)
    }
}
