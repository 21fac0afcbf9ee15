//! The noise of the machine, and what it adds to calibrated times.

use super::median::middle;
use super::recipe::Recipe;
use crate::record::{SlicesRecord, Timing, TrialRecord};

/// Number of independent slices that the speed of a calibrated trial is worth at most: as the updates from one to the next
/// triple, the last stands for two thirds of them, the one before for two ninths, and so on, and 1 / Σ w² = 2.
const SLICES: usize = 2;

/// Standard error of a median over that of a mean, for many normal values.
const MEDIAN: f64 = 1.253_314_137_315_500_3;

/// 97.5 % quantile of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// Returns the noise of the machine: the relative standard deviation of the seconds per update from one slice of a trial
/// to another, of the median trial. `None` if no trial has several slices.
pub(super) fn noise<'a>(trials: impl IntoIterator<Item = &'a TrialRecord>) -> Option<f64> {
    let spreads = trials.into_iter().filter_map(|trial| trial.slices?.spread);
    let mut spreads: Vec<f64> = spreads.filter(|spread| spread.is_finite()).collect();
    spreads.sort_by(f64::total_cmp);
    middle(&spreads)
}

/// Returns the relative standard error of the seconds per update that all times of a recipe share, on a machine with this
/// noise; `None` if its times are not calibrated.
pub(super) fn shared_error(recipe: &Recipe, noise: Option<f64>) -> Option<f64> {
    let calibrated = recipe.trials.iter().filter(|trial| trial.timing == Timing::Calibrated);
    let slices: Vec<SlicesRecord> = calibrated.filter_map(|trial| trial.slices).collect();
    let worth: usize = slices.iter().map(|slices| slices.count.min(SLICES)).sum();
    let of_median = if slices.len() > 2 { MEDIAN } else { 1.0 };
    (worth > 0).then(|| of_median * noise.unwrap_or(0.0) / (worth as f64).sqrt())
}
