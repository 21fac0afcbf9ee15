//! What updates see of their samples, and how far one has come that was stopped.

use crate::Error;
use crate::state::{State, StateCodec};
use schuss_kernels::rows::Score;
use serde::{Deserialize, Serialize};
use std::io;

/// What an update saw of its samples, at the weights before it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// In the units of the targets.
    pub(crate) loss: f64,
    /// In the units that outputs are compared in: the loss that gradients belong to.
    #[serde(skip)]
    pub(crate) minimised: f64,
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
        self.minimised += other.minimised;
        self.correct += other.correct;
        self.samples += other.samples;
    }

    /// What some scores add up to; losses are added one by one, so that the sum does not depend on the microbatch.
    pub(crate) fn count(&mut self, scores: &[Score]) {
        scores.iter().for_each(|score| self.count_one(*score, score.loss));
    }

    /// The same for a sample whose loss is `loss` in the units of its targets.
    pub(crate) fn count_one(&mut self, score: Score, loss: f64) {
        self.samples += 1;
        self.loss += loss;
        self.minimised += score.loss;
        self.correct += u64::from(score.correct);
    }

    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    /// The loss that the gradient belongs to.
    pub(crate) fn mean_minimised(&self) -> f64 {
        self.minimised / self.samples as f64
    }

    /// The same where samples weighed `weight` together: the loss becomes their number times the weighted mean.
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

/// How far an update has come: what it saw so far of how many samples. Their gradients are in its path's sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Partial {
    pub(super) tally: Tally,
    /// What their sums are divided by.
    pub(super) weight: f64,
    pub(super) done: usize,
}

/// But for the loss that is minimised, which stands beside it where it is another than the one that is told.
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
