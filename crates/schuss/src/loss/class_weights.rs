//! One weight per class: `class_weights=1:2:0.5`.

use crate::recipe::spec::non_negative;
use crate::{Error, Result};

/// The weight of a class; none given means all 1.
pub(super) fn of(weights: &[f64], class: usize) -> f64 {
    weights.get(class).copied().unwrap_or(1.0)
}

/// Refuses weights that no sum can be divided by.
pub(super) fn check(weights: &[f64]) -> Result<()> {
    weights.iter().try_for_each(|&weight| non_negative(&[("class_weights", weight)]))?;
    if !weights.is_empty() && weights.iter().all(|&weight| weight == 0.0) {
        return Err(Error::usage("class_weights are all 0"));
    }
    Ok(())
}

/// Refuses more or fewer weights than classes.
pub(super) fn check_count(weights: &[f64], classes: usize) -> Result<()> {
    match weights.len() {
        0 => Ok(()),
        count if count == classes => Ok(()),
        count => Err(Error::usage(format!("{count} class_weights stand against {classes} classes"))),
    }
}
