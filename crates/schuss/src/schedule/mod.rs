//! Schedules: learning rate, momentum and second beta as functions of the update count.
//!
//! Each schedule, or family of schedules, has its own file with its hyper-parameters as plain data, its equation and
//! its value in closed form. To add one, write that file and add a row to the table in `curve.rs`. This file chains
//! schedules and assigns them to the optimizer's knobs.

mod constant;
mod cosine;
mod curve;
mod cyclic;
mod decay;
mod describe;
#[cfg(test)]
mod golden;
mod linear;
mod noam;
mod one_cycle;
mod part;
mod plateau;
pub(crate) mod real;
mod step;
#[cfg(test)]
mod tests;
mod wsd;

pub use constant::Constant;
pub use cosine::{Cosine, CosineRestarts};
pub use curve::Curve;
pub use cyclic::{Cyclic, Mode};
pub use decay::{Exponential, InverseTime, Polynomial, Rex};
pub use describe::Outlook;

pub(crate) use describe::CurveOverTrial;
pub use linear::{Linear, Warmup};
pub use noam::Noam;
pub use one_cycle::{OneCycle, Strategy};
pub use plateau::{Direction, Plateau, Plateaus, ThresholdMode};
pub use step::{Multistep, Piecewise, Step};
pub use wsd::{Decay, Wsd};

pub(crate) use real::powf;

use crate::{Cause, Error, Result};
use part::{Knob, KnobSchedule};
use std::fmt;
use std::str::FromStr;

/// Optimizer values that a schedule can drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knobs {
    /// Learning rate.
    pub lr: f64,
    /// Momentum of SGD, or beta1 of Adam.
    pub momentum: f64,
    /// Beta2 of Adam.
    pub beta2: f64,
}

/// Schedule of every knob: parts separated by `/`, each a knob (`lr@`, which may be omitted, `momentum@` or `beta1@`,
/// `beta2@`) followed by curves joined with `+`, which run one after the other.
///
/// Each curve counts updates from 0 and starts from the optimizer's value. It runs for its own length (`total_iters`,
/// `t_max`, ...) or for the number of updates given by the key `for`, which every curve accepts. The last curve runs to
/// the end of the trial; with `for` it holds its value after that many updates. This is PyTorch's `SequentialLR`.
///
/// # Example
/// ```
/// use schuss::schedule::{Knobs, Plateaus, Schedule};
///
/// # fn main() -> schuss::Result<()> {
/// let typed: Schedule = "warmup:500+cosine/beta1@linear:1,0.5,6000".parse()?;
/// let schedule = typed.resolve(6000);
/// let cosine = "warmup:total_iters=500+cosine:t_max=5500";
/// assert!(schedule.to_string().starts_with(cosine));
///
/// let optimizer = Knobs { lr: 0.1, momentum: 0.9, beta2: 0.999 };
/// let first = schedule.at(0, optimizer, &Plateaus::default());
/// assert_eq!(first, Knobs { lr: 0.0, momentum: 0.9, beta2: 0.999 });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    parts: Vec<KnobSchedule>,
}

impl Schedule {
    /// Names of all schedules.
    pub const NAMES: &'static [&'static str] = Curve::NAMES;

    /// Returns the knobs after `update` updates for an optimizer whose own values are `base`. Meant for a
    /// [resolved](Self::resolve) schedule: a curve without a length never ends.
    pub fn at(&self, update: u64, base: Knobs, plateaus: &Plateaus) -> Knobs {
        let mut knobs = base;
        for (index, part) in self.parts.iter().enumerate() {
            let (curve, t) = part.active(update);
            let t = if matches!(curve, Curve::Plateau(_)) { plateaus.cuts(index) } else { t };
            let knob = part.knob.of(&mut knobs);
            *knob = curve.value(t, *knob);
            if let (Knob::Lr, Some(momentum)) = (part.knob, curve.momentum(t)) {
                knobs.momentum = momentum;
            }
        }
        knobs
    }

    /// Checks the hyper-parameters.
    ///
    /// # Errors
    /// Usage errors (exit 2) that name the key.
    pub fn check(&self) -> Result<()> {
        self.parts.iter().try_for_each(KnobSchedule::check)?;
        let driven: Vec<Knob> = self.parts.iter().flat_map(KnobSchedule::drives).collect();
        let twice = (1..driven.len()).find(|&index| driven[..index].contains(&driven[index]));
        match twice.map(|index| driven[index]) {
            Some(Knob::Momentum) => Err(Error::usage("two schedules drive momentum")
                .because(Cause::Conflict)
                .advise("one-cycle and cyclic leave it alone with cycle_momentum=false")),
            Some(knob) => Err(Error::usage(format!("two schedules drive {knob}"))
                .because(Cause::Conflict)
                .advise("chain them with `+`, one after the other")),
            None => Ok(()),
        }
    }

    /// Returns a copy for a trial of `updates` updates, in which omitted lengths (t_max, total_iters, total_steps, ...)
    /// are set to the rest of the trial.
    #[must_use]
    pub fn resolve(&self, updates: u64) -> Self {
        let mut resolved = self.clone();
        resolved.parts.iter_mut().for_each(|part| part.resolve(updates));
        resolved
    }

    /// Returns true if the schedule ends exactly with a trial of `updates` updates, as it does if its lengths were
    /// omitted: a longer trial would have a different schedule.
    pub fn ends_with(&self, updates: u64) -> bool {
        self.parts.iter().any(|part| part.ends_with(updates))
    }

    /// Returns true if a curve waits for a plateau of the evaluation loss.
    pub(crate) fn waits(&self) -> bool {
        self.parts.iter().any(|part| part.plateau().is_some())
    }

    /// Returns true if no update uses the optimizer's own value of a key: `lr`, `momentum`, `beta1` or `beta2`.
    pub(crate) fn replaces(&self, key: &str) -> bool {
        key.parse().is_ok_and(|knob| self.parts.iter().any(|part| part.replaces(knob)))
    }

    /// Returns true if every update uses the optimizer's own values.
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(KnobSchedule::is_constant)
    }
}

impl<C: Into<Curve>> From<C> for Schedule {
    /// Schedule of the learning rate.
    fn from(curve: C) -> Self {
        Self { parts: vec![KnobSchedule::from(curve.into())] }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::from(Constant::default())
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Result<_> = text.split('/').map(str::parse).collect();
        let schedule = Self { parts: parts? };
        schedule.check()?;
        Ok(schedule)
    }
}

impl fmt::Display for Schedule {
    /// Writes every key that is not at its default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let sign = if index == 0 { "" } else { "/" };
            write!(f, "{sign}{part}")?;
        }
        Ok(())
    }
}
