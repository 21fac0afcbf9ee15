//! One schedule by itself: a value per update; and the table of them all.

use super::{
    Constant, Cosine, CosineRestarts, Cyclic, Exponential, InverseTime, Linear, Multistep, Noam, OneCycle,
    Piecewise, Plateau, Polynomial, Rex, Step, Warmup, Wsd,
};
use crate::recipe::spec::{self, Choice};
use crate::{Error, Result};

/// What a curve's own file provides. Its updates count from 0, wherever in a chain it stands.
pub(super) trait Anneal: Choice {
    /// The knob at update `t`, where the optimizer says `base`. A length that is still left out never ends.
    fn value(&self, t: u64, base: f64) -> f64;

    /// The momentum at update `t`, if a curve for the learning rate cycles that too.
    fn momentum(&self, _t: u64) -> Option<f64> {
        None
    }

    /// After how many updates it has done what it does, if its keys say so.
    fn length(&self) -> Option<u64> {
        None
    }

    /// Gives the lengths that were left out, for a stretch of `updates`.
    fn resolve(&mut self, _updates: u64) {}
}

macro_rules! declare {
    ($($(#[doc = $line:literal])* $curve:ident,)*) => {
        spec::choices! {
            /// One schedule by itself.
            pub enum Curve ("schedule", always &[]) {
                $($(#[doc = $line])* $curve,)*
            }
        }

        impl Curve {
            pub(super) fn check(&self) -> Result<()> {
                let checked = match self { $(Self::$curve(curve) => curve.check(),)* };
                checked.map_err(|error| error.at(format!("schedule `{self}`")))
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
    /// The optimizer's own value, or a share of it for a while.
    Constant,
    /// Up to the optimizer's own value.
    Warmup,
    /// A straight line.
    Linear,
    /// A cut every so many updates.
    Step,
    /// A cut at each of some updates.
    Multistep,
    /// A factor of its own at each of some updates.
    Piecewise,
    /// The same share off at every update.
    Exponential,
    /// Down as the reciprocal of time.
    InverseTime,
    /// Down to 0 along a power.
    Polynomial,
    /// Down along half a cosine.
    Cosine,
    /// Half cosines, one after the other.
    CosineRestarts,
    /// Up once and down below where it began.
    OneCycle,
    /// Up and down, again and again.
    Cyclic,
    /// Up, then down as one over the square root of time.
    Noam,
    /// Warm up, stay, decay.
    Wsd,
    /// Down slowly, then fast.
    Rex,
    /// A cut whenever the loss stops falling.
    Plateau,
}

/// The share of `length` that is over at update `t`, from 0 to 1.
pub(super) fn progress(t: u64, length: u64) -> f64 {
    (t as f64 / length as f64).min(1.0)
}

/// Refuses counts of 0; `None` is a length that was left out.
pub(super) fn counts(keys: &[(&str, Option<u64>)]) -> Result<()> {
    match keys.iter().find(|(_, count)| *count == Some(0)) {
        Some((key, _)) => Err(Error::usage(format!("{key} must be at least 1"))
            .advise(format!("name it behind the schedule: {key}=30"))),
        None => Ok(()),
    }
}
