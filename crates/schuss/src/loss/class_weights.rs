//! Class weights, one per class: `class_weights=1:2:0.5`.

use crate::spec::non_negative;
use crate::{Cause, Error, Result};

/// Returns the weight of a class, which is 1 if no weights are given.
pub(super) fn of(weights: &[f64], class: usize) -> f64 {
    weights.get(class).copied().unwrap_or(1.0)
}

/// Refuses invalid weights, and weights that are all 0: sums are divided by their sum.
pub(super) fn check(weights: &[f64]) -> Result<()> {
    weights.iter().try_for_each(|&weight| non_negative(&[("class_weights", weight)]))?;
    if !weights.is_empty() && weights.iter().all(|&weight| weight == 0.0) {
        return Err(Error::usage("class_weights are all 0"));
    }
    Ok(())
}

/// Checks that there is one weight per class.
pub(super) fn check_count(weights: &[f64], classes: usize) -> Result<()> {
    match weights.len() {
        0 => Ok(()),
        count if count == classes => Ok(()),
        count => {
            let what = format!("class_weights has {count} values, but there are {classes} classes");
            Err(Error::usage(what).because(Cause::Mismatch))
        }
    }
}
