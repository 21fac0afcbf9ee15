//! Optimizers: from a gradient to new weights.
//!
//! A rule is one file: its hyper-parameters as plain data, its equation, and its arithmetic written once for
//! `f64` (reference, error surfaces) and every vector the kernels know. To add one, write the file and a row in
//! the table at `rules!` below.

mod adam;
#[cfg(test)]
mod golden;
mod linear;
mod sgd;
mod state;
mod strategy;

pub use adam::Adam;
pub use sgd::Sgd;
pub use state::{Reference, State};

pub(crate) use linear::{IDENTITY, Linear, Square};
pub(crate) use state::{Sweep, WithinProduct, take};
pub(crate) use strategy::Strategy;

use crate::recipe::spec::{self, Item};
use crate::{Error, Result};
use schuss_kernels::sweep::Elementwise;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::str::FromStr;

/// What a rule's own file provides.
trait Descend: Default + PartialEq + Serialize + DeserializeOwned {
    /// Its name in specs.
    const NAME: &'static str;

    /// Names of the numbers it keeps per weight.
    fn slots(&self) -> &'static [&'static str];

    /// Refuses hyper-parameters that make no sense.
    fn check(&self) -> Result<()>;

    /// Update `t` (from 1) as a linear map, if it is one.
    fn linear(&self, _t: u64) -> Option<Linear> {
        None
    }

    /// Shows `visitor` the arithmetic of update `t` (from 1).
    fn visit<V: Visitor>(&self, t: u64, visitor: V) -> V::Output;
}

/// Whoever wants to run an update's arithmetic, whatever its number of slots.
pub(crate) trait Visitor {
    /// What it returns.
    type Output;

    /// Runs `update`, which has `S` slots.
    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) -> Self::Output;
}

/// The table of rules: one row each.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident,)*) => {
        /// The rule that owns the learning rate.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $rule($rule),)*
        }

        impl Rule {
            /// Names of all rules.
            pub const NAMES: &'static [&'static str] = &[$($rule::NAME,)*];

            /// Names of the numbers kept per weight.
            pub fn slots(&self) -> &'static [&'static str] {
                match self { $(Self::$rule(rule) => rule.slots(),)* }
            }

            /// Refuses hyper-parameters that make no sense, naming the key.
            ///
            /// # Errors
            /// Usage errors (exit 2).
            pub fn check(&self) -> Result<()> {
                match self { $(Self::$rule(rule) => rule.check(),)* }
            }

            /// Update `t` (from 1) as a linear map, if it is one.
            pub(crate) fn linear(&self, t: u64) -> Option<Linear> {
                match self { $(Self::$rule(rule) => rule.linear(t),)* }
            }

            pub(crate) fn visit<V: Visitor>(&self, t: u64, visitor: V) -> V::Output {
                match self { $(Self::$rule(rule) => rule.visit(t, visitor),)* }
            }
        }

        $(impl From<$rule> for Rule {
            fn from(rule: $rule) -> Self {
                Self::$rule(rule)
            }
        })*

        impl FromStr for Rule {
            type Err = Error;

            /// `sgd:lr=0.1,momentum=0.9`; keys left out keep their defaults.
            fn from_str(text: &str) -> Result<Self> {
                let item = Item::parse(text)?;
                let rule = match item.name.as_str() {
                    $($rule::NAME => Self::$rule(spec::read_keys("optimizer", &item)?),)*
                    name => return Err(spec::unknown("optimizer", name, Self::NAMES)),
                };
                rule.check()?;
                Ok(rule)
            }
        }

        impl fmt::Display for Rule {
            /// The learning rate, and every key that is not at its default.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&match self { $(Self::$rule(rule) => spec::write_keys($rule::NAME, rule, &["lr"]),)* })
            }
        }
    };
}

rules! {
    /// Gradient descent, with or without momentum.
    Sgd,
    /// Adaptive moments.
    Adam,
}

impl Default for Rule {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

/// Refuses negative, infinite and NaN values.
fn non_negative(keys: &[(&str, f64)]) -> Result<()> {
    match keys.iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
        Some((key, value)) => {
            Err(Error::usage(format!("{key} must be a finite number, at least 0, not {value}")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_survive_a_round_trip_and_leave_defaults_out() {
        for (text, canonical) in [
            ("sgd", "sgd:lr=0.1"),
            ("SGD:lr=1e-4,momentum=.9", "sgd:lr=0.0001,momentum=0.9"),
            ("sgd:momentum=0.9,nesterov=true", "sgd:lr=0.1,momentum=0.9,nesterov=true"),
            ("adam:lr=0.0001", "adam:lr=0.0001"),
            ("adam:weight-decay=0.01", "adam:lr=0.001,weight_decay=0.01"),
            ("adam:eps=1e-7", "adam:lr=0.001,eps=1e-7"),
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), canonical);
            assert_eq!(canonical.parse::<Rule>().unwrap(), rule);
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_key_named_and_the_nearest_suggested() {
        for (text, part) in [
            ("sgd:momentm=0.9", "did you mean `momentum`?"),
            ("adm", "did you mean `adam`?"),
            ("sgd:lr=-1", "lr must be"),
            ("sgd:lr=nan", "lr"),
            ("sgd:lr=inf", "lr"),
            ("sgd:lr=ten", "ten"),
            ("sgd:nesterov=true", "nesterov needs momentum"),
            ("adam:beta1=1", "beta1 must be"),
            ("adam:eps=0", "eps must be positive"),
            ("sgd:lr=0.1,lr=0.2", "twice"),
        ] {
            let error = text.parse::<Rule>().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
    }
}
