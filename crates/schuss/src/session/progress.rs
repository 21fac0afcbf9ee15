//! How far a trial is, and what is known so far.

use super::tally::Tally;
use crate::record::{Best, Divergence, EpochRecord, Evaluation, Status, TargetRecord};
use serde::{Deserialize, Serialize};

/// How far the trial is, and what is known so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Epochs begun.
    pub(super) epoch: u32,
    /// Samples of the present epoch seen.
    pub(super) position: usize,
    /// Updates done and samples seen since the start.
    pub(super) updates: u64,
    pub(super) samples: u64,
    /// The same at the last report point.
    pub(super) reported: [u64; 2],
    /// Whether these weights are to be evaluated before the next update.
    pub(super) evaluation_is_due: bool,
    /// What the updates of the present epoch saw.
    pub(super) tally: Tally,
    pub(super) train_seconds: f64,
    /// `train_seconds` when the present epoch began.
    pub(super) epoch_began: f64,
    /// Seconds in all before the session began or went on.
    pub(super) wall_seconds: f64,
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) target: Option<TargetRecord>,
    pub(super) diverged: Option<Divergence>,
    pub(super) evaluation: Option<Evaluation>,
    pub(super) best: Option<Best>,
    pub(super) ended: Option<Status>,
}

impl Progress {
    /// Enters what some updates saw, up to the first whose loss is not finite; whether there was none.
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
