//! Schedules: from the number of an update to the learning rate, the momentum, the second beta.
//!
//! A schedule is one file, or one of a family: its hyper-parameters as plain data, its equation, its value in closed
//! form. To add one, write it and a row in the table of `curve.rs`. This file puts them one after the other, for every
//! knob of the optimizer.

mod constant;
mod cosine;
mod curve;
mod cyclic;
mod decay;
#[cfg(test)]
mod golden;
mod linear;
mod noam;
mod one_cycle;
mod part;
mod plateau;
mod real;
mod step;
#[cfg(test)]
mod tests;
mod wsd;

pub use constant::Constant;
pub use cosine::{Cosine, CosineRestarts};
pub use curve::Curve;
pub use cyclic::{Cyclic, Mode};
pub use decay::{Exponential, InverseTime, Polynomial, Rex};
pub use linear::{Linear, Warmup};
pub use noam::Noam;
pub use one_cycle::{OneCycle, Strategy};
pub use plateau::{Direction, Plateau, Plateaus, ThresholdMode};
pub use step::{Multistep, Piecewise, Step};
pub use wsd::{Decay, Wsd};

use crate::{Error, Result};
use part::{Knob, Part};
use std::fmt;
use std::str::FromStr;

/// What a schedule may drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knobs {
    /// Learning rate.
    pub lr: f64,
    /// sgd's momentum, Adam's beta1.
    pub momentum: f64,
    /// Adam's beta2.
    pub beta2: f64,
}

/// What drives each knob: `warmup:500+cosine:t_max=6000/beta1@linear:start_factor=1,end_factor=0.5`.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    parts: Vec<Part>,
}

impl Schedule {
    /// Names of all schedules.
    pub const NAMES: &'static [&'static str] = Curve::NAMES;

    /// The knobs for the update after so many, where the optimizer says `base`. For a schedule that is
    /// [resolved](Self::resolve): a length that is left out never ends.
    pub fn at(&self, update: u64, base: Knobs, plateaus: &Plateaus) -> Knobs {
        let mut knobs = base;
        for (index, part) in self.parts.iter().enumerate() {
            let (curve, t) = part.active(update);
            let t = if let Curve::Plateau(_) = curve { plateaus.cuts(index) } else { t };
            let knob = part.knob.of(&mut knobs);
            *knob = curve.value(t, *knob);
            if let (Knob::Lr, Some(momentum)) = (part.knob, curve.momentum(t)) {
                knobs.momentum = momentum;
            }
        }
        knobs
    }

    /// Refuses hyper-parameters that make no sense, naming the key.
    ///
    /// # Errors
    /// Usage errors (exit 2).
    pub fn check(&self) -> Result<()> {
        self.parts.iter().try_for_each(Part::check)?;
        let driven: Vec<Knob> = self.parts.iter().flat_map(Part::drives).collect();
        let twice = driven.iter().enumerate().find(|(index, knob)| driven[..*index].contains(knob));
        match twice {
            Some((_, Knob::Momentum)) => Err(Error::usage("two schedules drive momentum")
                .advise("one-cycle and cyclic leave it alone with cycle_momentum=false")),
            Some((_, knob)) => Err(Error::usage(format!("two schedules drive {knob}"))
                .advise("join them with `+`, which means then")),
            None => Ok(()),
        }
    }

    /// The same for a trial of so many `updates`, with the lengths that were left out (t_max, total_iters, total_steps,
    /// ...) filled in: what is left of the trial.
    #[must_use]
    pub fn resolve(&self, updates: u64) -> Self {
        let mut resolved = self.clone();
        resolved.parts.iter_mut().for_each(|part| part.resolve(updates));
        resolved
    }

    /// Whether every update has the optimizer's own values.
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(Part::is_constant)
    }
}

impl<C: Into<Curve>> From<C> for Schedule {
    /// Drives the learning rate.
    fn from(curve: C) -> Self {
        Self { parts: vec![Part::from(curve.into())] }
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
    /// Every key that is not at its default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let sign = if index == 0 { "" } else { "/" };
            write!(f, "{sign}{part}")?;
        }
        Ok(())
    }
}
