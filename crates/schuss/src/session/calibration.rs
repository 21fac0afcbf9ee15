//! Speed of a trial that runs beside others, measured in slices in which it has the machine for itself.

use super::progress::Progress;
use super::{Control, Outcome, Session, Sink};
use crate::Result;
use crate::record::{EpochRecord, SlicesRecord};
use std::time::Duration;

/// Time before each measurement, in which caches fill and threads start.
const WARM_UP: Duration = Duration::from_millis(10);

/// Growth of the number of updates from one measurement to the next.
const GROWTH: u64 = 3;

impl Session {
    /// Returns true if the speed is to be measured: at the beginning, and whenever the number of updates has tripled, so
    /// that measurements cover beginning, middle and end of the trial wherever that is.
    pub(crate) fn calibration_is_due(&self) -> bool {
        let Progress { updates, calibrated_at, calibration, .. } = &self.progress;
        !calibration.has_ended() || *updates >= GROWTH * calibrated_at
    }

    /// Does what [`turn_with`](Self::turn_with) does on so many threads, and measures the speed; afterwards the session has
    /// `share` threads again. To be called while nothing else runs.
    ///
    /// # Errors
    /// As for [`turn_with`](Self::turn_with), or if threads cannot be started.
    pub(crate) fn calibrate_with(
        &mut self,
        control: &Control,
        sink: &mut dyn Sink,
        time: Duration,
        threads: usize,
        share: usize,
    ) -> Result<Option<Outcome>> {
        self.engine.set_threads(threads)?;
        let mut before = self.progress.slices.total();
        let mut ended = self.turn_with(control, sink, WARM_UP)?;
        if ended.is_none() {
            before = self.progress.slices.total();
            ended = self.turn_with(control, sink, time)?;
        }
        let progress = &mut self.progress;
        progress.calibration.add(progress.slices.total().since(before));
        progress.calibrated_at = progress.updates;
        self.engine.set_threads(share)?;
        Ok(ended.map(|outcome| self.outcome(outcome.status)))
    }
}

impl Outcome {
    /// Returns the outcome with seconds as its updates take at a measured speed.
    pub(super) fn at_speed(mut self, speed: SlicesRecord) -> Self {
        let seconds = |updates: u64| updates as f64 * speed.seconds_per_update;
        self.train_seconds = seconds(self.updates);
        let mut before = 0;
        for EpochRecord { updates, train_seconds, .. } in &mut self.epochs {
            *train_seconds = seconds(updates.saturating_sub(before));
            before = *updates;
        }
        if let Some(target) = &mut self.target {
            target.seconds = target.updates.map(seconds);
        }
        (self.slices, self.is_calibrated) = (Some(speed), true);
        self
    }
}
