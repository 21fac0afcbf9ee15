//! Standardised targets: whether a trial has them, and what is said of it.

use super::{Targets, Trial, spec};
use crate::loss::Loss;
use crate::{Error, Result};
use schuss_data::Dataset;
use schuss_data::text::listed;
use std::fmt;
use std::str::FromStr;

/// Whether numbers to predict are standardised for training: each less its mean, by its deviation over the training split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetScale {
    /// They are: outputs are compared with numbers of about 1, whatever the unit of the targets. Losses, metrics and
    /// predictions are in original units.
    Standard,
    /// Outputs are compared with the numbers as they are.
    None,
}

impl TargetScale {
    /// Refuses to standardise what has no size of its own.
    ///
    /// # Errors
    /// A usage error.
    pub(crate) fn check(self, targets: Targets, loss: &Loss) -> Result<()> {
        let refuse = |why: String| {
            let what = format!("target-scale `{self}` is for numbers to predict, but {why}");
            Err(Error::usage(what).at("--target-scale").advise("leave it out"))
        };
        match (self, targets) {
            (Self::None, _) => Ok(()),
            (Self::Standard, Targets::Class) => refuse("targets are classes".into()),
            (Self::Standard, Targets::Input) => refuse("the target is the input".into()),
            (Self::Standard, Targets::Real) if loss.power().is_none() => {
                refuse(format!("loss `{loss}` takes them as they are; mse, l1, huber and smooth-l1 do not"))
            }
            (Self::Standard, Targets::Real) => Ok(()),
        }
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
    /// Whether numbers to predict are standardised; none where none are told.
    pub fn target_scale(&self) -> Option<TargetScale> {
        let usual = match self.recipe.loss.power() {
            Some(_) => TargetScale::Standard,
            None => TargetScale::None,
        };
        (self.targets == Targets::Real).then(|| self.target_scale.unwrap_or(usual))
    }

    /// Says that targets are standardised, and by what.
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

    /// What may be wrong with the targets of a trial that diverged, and what to do about it.
    pub(crate) fn advice_on_targets(&self, data: &Dataset) -> Option<String> {
        let size = |(number, (mean, deviation)): (usize, (&f64, &f64))| {
            (mean + data.offsets.label(number)).abs().max(*deviation)
        };
        let sizes = data.scale.mean.iter().zip(&data.scale.deviation).enumerate().map(size);
        let largest = sizes.fold(0.0, f64::max);
        let is_raw = self.target_scale() == Some(TargetScale::None) && largest > LARGE_TARGET;
        let way_out = match self.recipe.loss.power() {
            Some(_) => {
                "--target-scale standard standardises them for training, and predictions stay in their units"
            }
            None => "a lower learning rate, or targets in a larger unit",
        };
        let size = significant(largest);
        is_raw.then(|| {
            format!("the targets are as large as {size}, and so are the errors and steps at first: {way_out}")
        })
    }
}

/// Targets above this size make steps of the usual learning rates too long.
const LARGE_TARGET: f64 = 10.0;

/// A number in at most four significant digits.
fn significant(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    if rounded == 0.0 || (1e-4..1e15).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}
