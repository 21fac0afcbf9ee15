//! Seconds of calibrated trials: their updates times the seconds per update that were measured for their recipe.

use crate::record::{EpochRecord, Timing, Trace, TrialRecord};
use crate::study::statistics::epoch_seconds;
use crate::study::verdict::middle;
use std::collections::BTreeMap;

/// Times calibrated trials by the median speed over the seeds of their recipe: all of them
/// measure the same speed, so seeds differ in their updates alone.
pub(super) fn calibrate(trials: &mut [(usize, TrialRecord, Trace)]) {
    let mut speeds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (_, record, _) in trials.iter().filter(|(_, record, _)| record.timing == Timing::Calibrated) {
        let speed = record.slices.map(|slices| slices.seconds_per_update);
        speeds.entry(record.config_id.clone()).or_default().extend(speed);
    }
    speeds.values_mut().for_each(|speeds| speeds.sort_by(f64::total_cmp));
    for (_, record, trace) in trials {
        let measured = speeds.get(&record.config_id).filter(|_| record.timing == Timing::Calibrated);
        if let Some(speed) = measured.and_then(|speeds| middle(speeds)) {
            set(record, trace, speed);
        }
    }
}

/// Sets all training seconds of a trial to those of its updates.
fn set(record: &mut TrialRecord, trace: &mut Trace, seconds_per_update: f64) {
    let seconds = |updates: u64| updates as f64 * seconds_per_update;
    record.train_seconds = seconds(record.updates);
    let mut before = 0;
    for row in &mut record.epochs {
        row.train_seconds = seconds(row.updates.saturating_sub(before));
        before = row.updates;
    }
    let samples = |pair: &[EpochRecord]| pair[1].samples.saturating_sub(pair[0].samples);
    let full_epoch = record.epochs.windows(2).map(samples).max();
    record.epoch_seconds =
        record.epoch_seconds.and(full_epoch).and_then(|samples| epoch_seconds(&record.epochs, samples));
    let rate = record.samples as f64 / record.train_seconds;
    record.samples_per_second = Some(rate).filter(|rate| rate.is_finite() && record.samples > 0);
    if let Some(target) = &mut record.target {
        target.seconds = target.updates.map(seconds);
    }
    record.evaluations.iter_mut().for_each(|point| point.seconds = seconds(point.updates));
    trace.evaluations.iter_mut().for_each(|point| point.train_seconds = seconds(point.updates));
}
