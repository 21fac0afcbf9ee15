//! One schedule by itself: a value per update; and the table of them all.

use super::{
    Constant, Cosine, CosineWarmRestarts, Cyclic, Exponential, InverseTime, Linear, Multistep, Noam,
    OneCycle, Plateau, Polynomial, Rex, Step, Warmup, Wsd,
};
use crate::recipe::spec::{self, Item};
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// What a curve's own file provides. Its updates count from 0, wherever in a chain it stands.
pub(super) trait Anneal: Default + PartialEq + Serialize + DeserializeOwned {
    /// Its name in specs.
    const NAME: &'static str;

    /// Refuses hyper-parameters that make no sense.
    fn check(&self) -> Result<()>;

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

/// The table of curves: one row each.
macro_rules! curves {
    ($($(#[$doc:meta])* $curve:ident,)*) => {
        /// One schedule by itself.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Curve {
            $($(#[$doc])* $curve($curve),)*
        }

        impl Curve {
            /// Names of all curves.
            pub(super) const NAMES: &'static [&'static str] = &[$($curve::NAME,)*];

            pub(super) fn read(item: &Item) -> Result<Self> {
                match item.name.as_str() {
                    $($curve::NAME => spec::read_keys("schedule", item).map(Self::$curve),)*
                    name => Err(spec::unknown("schedule", name, Self::NAMES)),
                }
            }

            pub(super) fn name(&self) -> &'static str {
                match self { $(Self::$curve(_) => $curve::NAME,)* }
            }

            pub(super) fn check(&self) -> Result<()> {
                let checked = match self { $(Self::$curve(curve) => curve.check(),)* };
                checked.map_err(|error| error.at(format!("schedule `{}`", self.name())))
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

        $(impl From<$curve> for Curve {
            fn from(curve: $curve) -> Self {
                Self::$curve(curve)
            }
        })*

        impl fmt::Display for Curve {
            /// The name, and every key that is not at its default.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&match self { $(Self::$curve(curve) => spec::write_keys($curve::NAME, curve, &[]),)* })
            }
        }
    };
}

curves! {
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
    /// The same share off at every update.
    Exponential,
    /// Down as the reciprocal of time.
    InverseTime,
    /// Down to 0 along a power.
    Polynomial,
    /// Down along half a cosine.
    Cosine,
    /// Half cosines, one after the other.
    CosineWarmRestarts,
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
pub(super) fn progress(t: u64, length: Option<u64>) -> f64 {
    length.map_or(0.0, |length| (t as f64 / length as f64).min(1.0))
}

/// Refuses negative, infinite and NaN values.
pub(super) fn non_negative(keys: &[(&str, f64)]) -> Result<()> {
    all(keys, |value| value.is_finite() && value >= 0.0, "a finite number, at least 0")
}

/// Refuses what is no positive number.
pub(super) fn positive(keys: &[(&str, f64)]) -> Result<()> {
    all(keys, |value| value.is_finite() && value > 0.0, "a finite number above 0")
}

/// Refuses momenta of 1 and more, which would never forget.
pub(super) fn momenta(keys: &[(&str, f64)]) -> Result<()> {
    all(keys, |value| (0.0..1.0).contains(&value), "at least 0 and below 1")
}

/// Refuses counts of 0; `None` is a length that was left out.
pub(super) fn counts(keys: &[(&str, Option<u64>)]) -> Result<()> {
    match keys.iter().find(|(_, count)| *count == Some(0)) {
        Some((key, _)) => Err(Error::usage(format!("{key} must be given, and be at least 1"))),
        None => Ok(()),
    }
}

fn all(keys: &[(&str, f64)], holds: impl Fn(f64) -> bool, wanted: &str) -> Result<()> {
    match keys.iter().find(|(_, value)| !holds(*value)) {
        Some((key, value)) => Err(Error::usage(format!("{key} must be {wanted}, not {value}"))),
        None => Ok(()),
    }
}
