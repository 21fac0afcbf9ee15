//! Standardisation of numeric targets, and the messages about it.

use super::Trial;
use crate::loss::{Loss, Targets};
use crate::spec;
use crate::{Cause, Error, Place, Result};
use schuss_data::Dataset;
use schuss_data::text::listed;
use std::fmt;
use std::str::FromStr;

/// Scaling of numeric targets for training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetScale {
    /// Subtract the mean and divide by the standard deviation over the training split, so that targets are about 1,
    /// whatever their unit. Losses, metrics and predictions are in original units.
    Standard,
    /// Use the targets as they are.
    None,
}

impl TargetScale {
    /// Returns where the scale has no effect and what it is for, if it does not suit these targets.
    pub(crate) fn misfit(self, targets: Targets, loss: &Loss) -> Option<String> {
        let why = match (self, targets) {
            (Self::None, _) => return None,
            (Self::Standard, Targets::Class) => "on classes, it is for numbers to predict".to_owned(),
            (Self::Standard, Targets::Input) => "where the target is the input".to_owned(),
            (Self::Standard, Targets::Real) if loss.power().is_none() => {
                format!("on loss `{loss}`, it is for mse, l1, huber and smooth-l1")
            }
            (Self::Standard, Targets::Real) => return None,
        };
        Some(why)
    }

    /// Checks that targets can be standardised.
    ///
    /// # Errors
    /// A usage error.
    pub(crate) fn check(self, targets: Targets, loss: &Loss) -> Result<()> {
        let refuse = |why| {
            Error::usage(format!("target_scale has no effect {why}"))
                .because(Cause::NoEffect)
                .at(Place::flag("target-scale"))
                .advise("leave it out")
        };
        self.misfit(targets, loss).map_or(Ok(()), |why| Err(refuse(why)))
    }
}

impl FromStr for TargetScale {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "standard" => Ok(Self::Standard),
            "none" => Ok(Self::None),
            other => Err(spec::unknown("target scale", other, &["standard", "none"])),
        }
    }
}

impl fmt::Display for TargetScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standard => "standard",
            Self::None => "none",
        })
    }
}

impl Trial {
    /// Returns the scaling of numeric targets; `None` for other targets.
    pub fn target_scale(&self) -> Option<TargetScale> {
        let usual = match self.recipe.loss.power() {
            Some(_) => TargetScale::Standard,
            None => TargetScale::None,
        };
        (self.targets == Targets::Real).then(|| self.target_scale.unwrap_or(usual))
    }

    /// Returns a note that targets are standardised, with their means and deviations.
    pub fn scale_note(&self, data: &Dataset) -> Option<String> {
        if self.target_scale() != Some(TargetScale::Standard) {
            return None;
        }
        let scale = |(number, (mean, deviation)): (usize, (&f64, &f64))| {
            let mean = mean + data.offsets.label(number);
            format!("mean {}, deviation {}", significant(mean), significant(*deviation))
        };
        let scales = data.scale.mean.iter().zip(&data.scale.deviation).enumerate().map(scale);
        let listed = listed(scales, data.scale.mean.len());
        Some(format!(
            "targets: standardised for training ({listed}); losses, metrics and predictions are in original units"
        ))
    }

    /// Returns advice for a diverged trial whose targets are large and not standardised.
    pub(crate) fn advice_on_targets(&self, data: &Dataset) -> Option<String> {
        let size = |(number, (mean, deviation)): (usize, (&f64, &f64))| {
            (mean + data.offsets.label(number)).abs().max(*deviation)
        };
        let sizes = data.scale.mean.iter().zip(&data.scale.deviation).enumerate().map(size);
        let largest = sizes.fold(0.0, f64::max);
        let is_raw = self.target_scale() == Some(TargetScale::None) && largest > LARGE_TARGET;
        let way_out = match self.recipe.loss.power() {
            Some(_) => {
                "--target-scale standard standardises them for training; predictions stay in original units"
            }
            None => "use a lower learning rate, or targets in a larger unit",
        };
        let size = significant(largest);
        is_raw.then(|| {
            format!("the targets are as large as {size}, which makes the first errors and steps as large: {way_out}")
        })
    }
}

/// Target size above which steps at the usual learning rates are too large.
const LARGE_TARGET: f64 = 10.0;

/// Formats a number with at most four significant digits.
fn significant(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    if rounded == 0.0 || (1e-4..1e15).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}
