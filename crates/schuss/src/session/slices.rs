//! Speed of a trial, slice by slice.

use super::progress::Progress;
use crate::record::SlicesRecord;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Minimum duration of a slice, as long as the trial has few.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// Maximum number of slices; as many are joined in pairs, and later ones are twice as long.
const MOST: usize = 256;

/// Training seconds and updates of consecutive slices of a trial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Slices {
    /// Number of times that slices were joined in pairs.
    joined: u32,
    ended: Vec<Slice>,
    current: Slice,
}

/// Some updates and their time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Slice {
    pub(super) seconds: f64,
    pub(super) updates: u64,
}

impl Slice {
    fn and(self, other: Self) -> Self {
        Self { seconds: self.seconds + other.seconds, updates: self.updates.saturating_add(other.updates) }
    }

    /// Returns what was added to an earlier total.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            seconds: self.seconds - earlier.seconds,
            updates: self.updates.saturating_sub(earlier.updates),
        }
    }

    pub(super) fn seconds_per_update(self) -> Option<f64> {
        (self.updates > 0).then(|| self.seconds / self.updates as f64)
    }
}

impl Slices {
    /// Adds some updates; ends the current slice if it is long enough.
    pub(super) fn add(&mut self, part: Slice) {
        self.current = self.current.and(part);
        let length = SLICE.as_secs_f64() * f64::from(self.joined).exp2();
        if self.current.seconds < length || self.current.updates == 0 {
            return;
        }
        self.ended.push(std::mem::take(&mut self.current));
        if self.ended.len() >= MOST {
            self.join();
        }
    }

    /// Joins the slices in pairs.
    fn join(&mut self) {
        let pairs = self.ended.len() / 2;
        for pair in 0..pairs {
            self.ended[pair] = self.ended[2 * pair].and(self.ended[2 * pair + 1]);
        }
        self.ended.truncate(pairs);
        self.joined += 1;
    }

    /// Makes room for all slices, so that adding one allocates nothing.
    pub(super) fn reserve(&mut self) {
        self.ended.reserve_exact(MOST.saturating_sub(self.ended.len()));
    }

    /// Returns all updates and their time, those of a diverged trial included.
    pub(super) fn total(&self) -> Slice {
        self.ended.iter().fold(self.current, |sum, slice| sum.and(*slice))
    }

    /// Returns the median over the slices, or the mean of a trial shorter than one.
    pub(super) fn record(&self) -> Option<SlicesRecord> {
        let all = if self.ended.is_empty() { std::slice::from_ref(&self.current) } else { &self.ended };
        let mut speeds = Vec::with_capacity(all.len());
        speeds.extend(all.iter().filter_map(|slice| slice.seconds_per_update()));
        record(speeds)
    }
}

/// Returns the median of the seconds per update of slices, and their spread; `None` if there are none.
pub(super) fn record(mut slices: Vec<f64>) -> Option<SlicesRecord> {
    slices.sort_unstable_by(f64::total_cmp);
    let count = slices.len();
    let last = count.checked_sub(1)?;
    let quantile = |share: f64| {
        let place = share * last as f64;
        let (below, above) = (slices[place.floor() as usize], slices[place.ceil() as usize]);
        below + place.fract() * (above - below)
    };
    let seconds_per_update = quantile(0.5);
    let spread = (count > 1).then(|| (quantile(0.84) - quantile(0.16)) / 2.0 / seconds_per_update);
    Some(SlicesRecord { count, seconds_per_update, spread })
}

/// A part of a slice, while it is timed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lap {
    began: Instant,
    /// Number of updates before it.
    updates: u64,
}

impl Lap {
    /// Returns true if it is as long as a slice.
    pub(super) fn is_long(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= SLICE
    }
}

impl Progress {
    /// Starts the clock.
    pub(super) fn lap(&self) -> Lap {
        Lap { began: Instant::now(), updates: self.updates }
    }

    /// Stops the clock and counts the time; returns a lap that starts at that moment.
    pub(super) fn end_lap(&mut self, lap: Lap) -> Lap {
        let next = self.lap();
        let seconds = next.began.duration_since(lap.began).as_secs_f64();
        self.train_seconds += seconds;
        self.slices.add(Slice { seconds, updates: next.updates - lap.updates });
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_few_however_long_the_trial_and_keep_every_second_and_update() {
        let mut slices = Slices::default();
        for _ in 0..100_000 {
            slices.add(Slice { seconds: 0.03, updates: 6 });
        }
        assert!((MOST / 2..MOST).contains(&slices.ended.len()), "{}", slices.ended.len());
        let all = slices.total();
        assert!((all.seconds - 3_000.0).abs() < 1e-6 && all.updates == 600_000);
        let record = slices.record().unwrap();
        assert!((record.seconds_per_update - 0.005).abs() < 1e-9 && record.spread.unwrap() < 1e-9);
    }

    #[test]
    fn the_spread_is_that_of_two_thirds_of_the_slices_about_their_median() {
        let mut slices = Slices::default();
        assert_eq!(slices.record(), None);
        slices.add(Slice { seconds: 0.02, updates: 10 });
        assert_eq!(slices.record(), Some(SlicesRecord { count: 1, seconds_per_update: 0.002, spread: None }));
        let mut slices = Slices::default();
        for percent in 0..=100 {
            slices.add(Slice { seconds: 0.1 + 0.001 * f64::from(percent), updates: 1 });
        }
        let SlicesRecord { count, seconds_per_update, spread } = slices.record().unwrap();
        assert_eq!(count, 101);
        assert!((seconds_per_update - 0.15).abs() < 1e-9);
        assert!((spread.unwrap() - 0.034 / 0.15).abs() < 1e-9, "{spread:?}");
    }
}
