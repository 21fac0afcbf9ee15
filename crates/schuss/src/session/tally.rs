//! Losses and counts of updates.

use serde::{Deserialize, Serialize};

/// Losses and counts of an update's samples, at the weights before it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Sum of the losses, in the units of the targets.
    pub loss: f64,
    /// Sum of the minimised losses, in the units in which outputs and targets are compared; gradients belong to it.
    #[serde(skip)]
    pub minimised: f64,
    /// Number of samples whose class was predicted correctly.
    pub correct: u64,
    /// Number of samples.
    pub samples: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.minimised += other.minimised;
        self.correct += other.correct;
        self.samples += other.samples;
    }

    /// Adds a sample with its loss in the units of its targets, and the loss that is minimised. Losses are added one by
    /// one, so that the sum does not depend on the microbatch.
    pub fn count(&mut self, loss: f64, minimised: f64, correct: bool) {
        self.samples += 1;
        self.loss += loss;
        self.minimised += minimised;
        self.correct += u64::from(correct);
    }

    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    /// Mean of the loss to which the gradient belongs.
    pub(crate) fn mean_minimised(&self) -> f64 {
        self.minimised / self.samples as f64
    }

    /// Returns the tally for samples of total weight `weight`: the loss becomes their number times the weighted mean.
    pub fn weighed(self, weight: f64) -> Self {
        let samples = self.samples as f64;
        let weighed = |loss: f64| loss / weight * samples;
        if weight == samples {
            self
        } else {
            Self { loss: weighed(self.loss), minimised: weighed(self.minimised), ..self }
        }
    }
}
