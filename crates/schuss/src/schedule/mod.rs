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
pub use linear::{Linear, Warmup};
pub use noam::Noam;
pub use one_cycle::{OneCycle, Strategy};
pub use plateau::{Direction, Plateau, Plateaus, ThresholdMode};
pub use step::{Multistep, Piecewise, Step};
pub use wsd::{Decay, Wsd};

pub(crate) use real::powf;

use crate::{Error, Result};
use part::{Knob, KnobSchedule};
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

/// What drives each knob: parts with `/` between them, each of a knob (`lr@`, which may be left out, `momentum@` or
/// `beta1@`, `beta2@`) and curves with `+`, which means then, between them.
///
/// A curve counts from 0 when its turn comes, and starts from the optimizer's value; its turn lasts as long as its own
/// length (`total_iters`, `t_max`, ...), or so many updates as the key `for` says, which all of them take. The last one
/// goes on to the end of the trial; with `for` it then stays where it is. This is `SequentialLR` of torch.
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

    /// The knobs for the update after so many, where the optimizer says `base`. For a schedule that is
    /// [resolved](Self::resolve): a length that is left out never ends.
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

    /// Refuses hyper-parameters that make no sense, naming the key.
    ///
    /// # Errors
    /// Usage errors (exit 2).
    pub fn check(&self) -> Result<()> {
        self.parts.iter().try_for_each(KnobSchedule::check)?;
        let driven: Vec<Knob> = self.parts.iter().flat_map(KnobSchedule::drives).collect();
        let twice = (1..driven.len()).find(|&index| driven[..index].contains(&driven[index]));
        match twice.map(|index| driven[index]) {
            Some(Knob::Momentum) => Err(Error::usage("two schedules drive momentum")
                .advise("one-cycle and cyclic leave it alone with cycle_momentum=false")),
            Some(knob) => Err(Error::usage(format!("two schedules drive {knob}"))
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

    /// Whether it ends with a trial of so many updates, as one does whose lengths were left out: a longer trial would have
    /// another schedule.
    pub fn ends_with(&self, updates: u64) -> bool {
        self.parts.iter().any(|part| part.ends_with(updates))
    }

    /// Whether every update has the optimizer's own values.
    pub fn is_constant(&self) -> bool {
        self.parts.iter().all(KnobSchedule::is_constant)
    }
}

impl<C: Into<Curve>> From<C> for Schedule {
    /// Drives the learning rate.
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
    /// Every key that is not at its default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let sign = if index == 0 { "" } else { "/" };
            write!(f, "{sign}{part}")?;
        }
        Ok(())
    }
}
