//! Speed of a trial that runs beside others, measured while it has the machine for itself.

use super::slices::{SLICE, Slice, record};
use super::{Control, Outcome, Session, Sink};
use crate::Result;
use crate::record::SlicesRecord;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time before each measurement, in which caches fill and threads start.
const WARM_UP: Duration = Duration::from_millis(10);

/// Growth of the number of updates from one measurement to the next.
const GROWTH: u64 = 3;

/// Measured slices of a trial, in order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Calibration(Vec<Measured>);

/// A slice in which the trial had the machine for itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Measured {
    slice: Slice,
    /// Number of updates before it.
    began: u64,
}

impl Calibration {
    /// Returns true at the beginning, until a whole slice is measured, and whenever the number of updates has tripled:
    /// that covers beginning, middle and end of a trial, wherever its end is.
    fn is_due(&self, updates: u64) -> bool {
        let seconds: f64 = self.0.iter().map(|measured| measured.slice.seconds).sum();
        let end = self.0.last().map_or(0, |last| last.began.saturating_add(last.slice.updates));
        seconds < SLICE.as_secs_f64() || updates >= end.saturating_mul(GROWTH)
    }

    fn add(&mut self, measured: Measured) {
        if measured.slice.updates > 0 {
            self.0.push(measured);
        }
    }

    /// Returns the mean seconds per update of a trial of so many updates: a slice stands for the updates up to the next
    /// one, the first also for those before it. `None` if nothing was measured, or no update is left.
    pub(super) fn record(&self, updates: u64) -> Option<SlicesRecord> {
        let speeds = self.0.iter().filter_map(|measured| measured.slice.seconds_per_update());
        let speeds: Vec<f64> = speeds.collect();
        let ends = self.0.iter().skip(1).map(|next| next.began.min(updates)).chain([updates]);
        let (mut seconds, mut before) = (0.0, 0);
        for (speed, end) in speeds.iter().zip(ends) {
            seconds += speed * end.saturating_sub(before) as f64;
            before = end;
        }
        let slices = record(speeds).filter(|_| updates > 0)?;
        Some(SlicesRecord { seconds_per_update: seconds / updates as f64, ..slices })
    }
}

impl Session {
    /// Returns true if the speed is to be measured next.
    pub(crate) fn calibration_is_due(&self) -> bool {
        self.progress.calibration.is_due(self.progress.updates)
    }

    /// Does what [`turn_with`](Self::turn_with) does on so many threads, and measures the speed; afterwards the session
    /// has `share` threads again. To be called while nothing else runs.
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
        let mut start = self.mark();
        let mut ended = self.turn_with(control, sink, WARM_UP)?;
        if ended.is_none() {
            start = self.mark();
            ended = self.turn_with(control, sink, time)?;
        }
        let slice = self.mark().slice.since(start.slice);
        self.progress.calibration.add(Measured { slice, ..start });
        self.engine.set_threads(share)?;
        Ok(ended.map(|outcome| self.outcome(outcome.status)))
    }

    /// Returns all slices so far, joined, and the number of updates.
    fn mark(&self) -> Measured {
        Measured { slice: self.progress.slices.total(), began: self.progress.updates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trial whose updates take `speed(updates)` seconds, measured where that is due, 5 updates at a time.
    fn course(updates: u64, speed: impl Fn(u64) -> f64) -> Calibration {
        let mut calibration = Calibration::default();
        for began in (0..updates).step_by(5) {
            if calibration.is_due(began) {
                calibration.add(Measured { slice: Slice { seconds: 5.0 * speed(began), updates: 5 }, began });
            }
        }
        calibration
    }

    #[test]
    fn a_trial_is_measured_at_its_beginning_middle_and_end_wherever_its_end_is() {
        for end in [100, 1_000, 4_321, 100_000] {
            let began: Vec<u64> = course(end, |_| 0.03).0.iter().map(|measured| measured.began).collect();
            assert!(began[0] == 0 && *began.last().unwrap() >= end / 4 && began.len() <= 12, "{began:?}");
            assert!(began.iter().any(|at| (end / 12..=end / 3).contains(at)), "{end}: {began:?}");
        }
    }

    #[test]
    fn slices_count_by_the_updates_that_they_stand_for() {
        // twice as fast from update 1,000 on
        let speed = |updates: u64| if updates < 1_000 { 0.06 } else { 0.03 };
        let record = course(20_000, speed).record(20_000).unwrap();
        let exact = (60.0 + 0.03 * 19_000.0) / 20_000.0;
        assert!((record.seconds_per_update / exact - 1.0).abs() < 0.06, "{record:?} {exact}");
        assert_eq!(course(1_000, speed).record(1_000).unwrap().seconds_per_update, 0.06);
    }

    #[test]
    fn a_trial_without_updates_has_no_speed_and_one_that_diverged_that_of_those_left() {
        assert_eq!(Calibration::default().record(7), None);
        let calibration = course(100, |_| 0.03);
        assert_eq!(calibration.record(0), None);
        assert!((calibration.record(7).unwrap().seconds_per_update - 0.03).abs() < 1e-12);
    }
}
