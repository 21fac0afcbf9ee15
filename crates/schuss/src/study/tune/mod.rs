//! Tuning: every recipe of a comparison gets the same number of probes for its learning rate and other choices.
//!
//! Probes are trials with part of the budget and with seeds of their own, judged by their loss on the validation split.
//! They start at Sobol points of published ranges (`space`), which widen until the best is inside; the best go on to a
//! longer rung, as in successive halving (`search`, `rungs`). The race then runs every recipe at its best and at the rate
//! that suits most of them (`choice`).

mod choice;
mod probes;
mod profile;
mod rate;
mod rungs;
mod search;
pub(super) mod sobol;
mod space;
#[cfg(test)]
mod tests;

pub use space::ranges;

pub(super) use choice::{record, tuned};
pub(super) use probes::{Prober, TUNING, judged};
pub(super) use rungs::{check, search};
pub(super) use space::Space;

use crate::optim::Dialect;
use crate::{Error, Result, spec};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Fraction of the training samples held out to judge probes by, unless another is given.
pub const HELD_OUT: &str = "0.1";

/// Choices to tune for every recipe of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// What to tune.
    pub keys: Vec<TuneKey>,
    /// Library whose default rates are in the middle of the ranges.
    #[serde(default)]
    pub dialect: Dialect,
    /// The same rate for all recipes, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_rate: Option<f64>,
    /// Fewest seeds to probe each value with.
    #[serde(default = "one_seed")]
    pub seeds: usize,
    /// True if the time that tuning takes counts in the times to the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
}

fn one_seed() -> usize {
    1
}

impl Tune {
    /// Returns true if learning rates are tuned.
    pub(super) fn has_rate(&self) -> bool {
        self.keys.contains(&TuneKey::Lr)
    }

    /// Returns the names of what is tuned: `lr`, `lr and momentum`.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name()).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }
}

impl FromStr for Tune {
    type Err = Error;

    /// Parses names separated by commas: `lr,momentum`.
    fn from_str(text: &str) -> Result<Self> {
        let mut keys = vec![];
        for name in text.split(',') {
            let key = name.parse()?;
            if keys.contains(&key) {
                return Err(Error::usage(format!("duplicate `{key}` in `{text}`")));
            }
            keys.push(key);
        }
        Ok(Self { keys, dialect: Dialect::default(), same_rate: None, seeds: 1, counts: false })
    }
}

/// A choice that can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TuneKey {
    /// Learning rate of the optimizer.
    Lr,
    /// Momentum of the optimizer.
    Momentum,
    /// Weight decay of the optimizer.
    WeightDecay,
    /// Samples per update.
    Batch,
}

impl TuneKey {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); sobol::DIMENSIONS] = [
        ("lr", Self::Lr),
        ("momentum", Self::Momentum),
        ("weight_decay", Self::WeightDecay),
        ("batch", Self::Batch),
    ];

    /// Returns the name, which is that of the optimizer's key.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for TuneKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase().replace('-', "_");
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        let known = Self::ALL.map(|(known, _)| known);
        found.map(|(_, key)| key).ok_or_else(|| spec::unknown("choice to tune", &name, &known))
    }
}

impl fmt::Display for TuneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
