//! A single schedule, which gives a value for every update, and the table of all schedules.

use super::{
    Constant, Cosine, CosineRestarts, Cyclic, Exponential, InverseTime, Linear, Multistep, Noam, OneCycle,
    Piecewise, Plateau, Polynomial, Rex, Step, Warmup, Wsd,
};
use crate::spec::{self, Choice};
use crate::{Error, Place, Result};

/// Interface of a curve. Its updates count from 0, whatever its position in a chain.
pub(super) trait Anneal: Choice {
    /// Returns the knob at update `t` for an optimizer value of `base`. Without a length, a curve never ends.
    fn value(&self, t: u64, base: f64) -> f64;

    /// Returns the momentum at update `t`, if a curve for the learning rate cycles momentum too.
    fn momentum(&self, _t: u64) -> Option<f64> {
        None
    }

    /// Returns the number of updates after which the curve is complete, if its keys define one.
    fn length(&self) -> Option<u64> {
        None
    }

    /// Fills in omitted lengths for a duration of `updates`.
    fn resolve(&mut self, _updates: u64) {}
}

macro_rules! declare {
    ($($(#[doc = $line:literal])* $curve:ident,)*) => {
        spec::choices! {
            /// A single schedule.
            pub enum Curve ("schedule", always &[]) {
                $($(#[doc = $line])* $curve,)*
            }
        }

        impl Curve {
            pub(super) fn check(&self) -> Result<()> {
                let checked = match self { $(Self::$curve(curve) => curve.check(),)* };
                checked.map_err(|error| error.at(Place::Api(format!("schedule `{self}`"))))
            }

            pub(super) fn value(&self, t: u64, base: f64) -> f64 {
                match self { $(Self::$curve(curve) => curve.value(t, base),)* }
            }

            pub(super) fn momentum(&self, t: u64) -> Option<f64> {
                match self { $(Self::$curve(curve) => curve.momentum(t),)* }
            }

            pub(super) fn length(&self) -> Option<u64> {
                match self { $(Self::$curve(curve) => curve.length(),)* }
            }

            pub(super) fn resolve(&mut self, updates: u64) {
                match self { $(Self::$curve(curve) => curve.resolve(updates),)* }
            }
        }
    };
}

// The table: one row each.
declare! {
    /// The optimizer's own value, or a multiple of it at first.
    Constant,
    /// Linear rise to the optimizer's own value.
    Warmup,
    /// A straight line.
    Linear,
    /// A cut at regular intervals.
    Step,
    /// A cut at each milestone.
    Multistep,
    /// A separate factor at each boundary.
    Piecewise,
    /// The same factor at every update.
    Exponential,
    /// Decay as the reciprocal of time.
    InverseTime,
    /// Decay to 0 along a power.
    Polynomial,
    /// Decay along half a cosine.
    Cosine,
    /// Repeated half cosines.
    CosineRestarts,
    /// One rise, then a fall below the start.
    OneCycle,
    /// Repeated rise and fall.
    Cyclic,
    /// Warm-up, then decay as one over the square root of time.
    Noam,
    /// Warm-up, stable phase, decay.
    Wsd,
    /// Slow decay, then fast.
    Rex,
    /// A cut whenever the loss stops improving.
    Plateau,
}

/// Returns the fraction of `length` completed at update `t`, from 0 to 1.
pub(super) fn progress(t: u64, length: u64) -> f64 {
    (t as f64 / length as f64).min(1.0)
}

/// Refuses counts of 0; `None` is an omitted length.
pub(super) fn counts(keys: &[(&str, Option<u64>)]) -> Result<()> {
    match keys.iter().find(|(_, count)| *count == Some(0)) {
        Some((key, _)) => Err(Error::usage(format!("{key} must be at least 1"))
            .advise(format!("add it to the schedule: {key}=30"))),
        None => Ok(()),
    }
}
