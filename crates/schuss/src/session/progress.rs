//! Progress of a trial and its results so far.

use super::calibration::Calibration;
use super::slices::Slices;
use super::tally::Tally;
use crate::recipe::EarlyStopState;
use crate::record::{Best, Divergence, EpochRecord, Evaluation, Status, TargetRecord};
use serde::{Deserialize, Serialize};

/// Progress of the trial and its results so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Number of epochs begun.
    pub(super) epoch: u32,
    /// Number of samples of the current epoch seen.
    pub(super) position: usize,
    /// Number of updates since the start.
    pub(super) updates: u64,
    /// Number of samples seen since the start.
    pub(super) samples: u64,
    /// `updates` and `samples` at the last report point.
    pub(super) reported: [u64; 2],
    /// True if the weights must be evaluated before the next update.
    pub(super) evaluation_is_due: bool,
    /// Sum of the tallies of the current epoch.
    pub(super) tally: Tally,
    pub(super) train_seconds: f64,
    /// `train_seconds` in slices.
    #[serde(default)]
    pub(super) slices: Slices,
    /// Those in which the trial had the machine for itself, if it runs beside others.
    #[serde(default)]
    pub(super) calibration: Calibration,
    /// `train_seconds` at the start of the current epoch.
    pub(super) epoch_began: f64,
    /// Wall-clock seconds up to the time `began` of the session.
    pub(super) wall_seconds: f64,
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) target: Option<TargetRecord>,
    pub(super) diverged: Option<Divergence>,
    pub(super) evaluation: Option<Evaluation>,
    pub(super) best: Option<Best>,
    /// Losses of the evaluation with the lowest loss, by groups of samples.
    #[serde(default)]
    pub(super) lowest_losses: Vec<f64>,
    #[serde(default)]
    pub(super) early_stop: EarlyStopState,
    pub(super) ended: Option<Status>,
}

impl Progress {
    /// Adds the tallies of some updates, up to the first whose loss is not finite; returns true if all are finite.
    pub(super) fn enter(&mut self, seen: &[Tally], losses: &mut Vec<f32>) -> bool {
        for tally in seen {
            self.updates += 1;
            if !tally.loss.is_finite() {
                return false;
            }
            losses.push(tally.mean_loss() as f32);
            self.position += tally.samples as usize;
            self.samples += tally.samples;
            self.tally.add(*tally);
        }
        true
    }
}
