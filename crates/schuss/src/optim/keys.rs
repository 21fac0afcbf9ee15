//! Numeric keys of an optimizer by name, for searches over their values.

use super::dialect::Dialect;
use super::method::{Descent, Group, Method};
use super::rule::Rule;
use super::solver::Solver;
use super::transform::Transform;
use crate::spec::{self, About, Item, names};
use crate::{Error, Result};
use std::fmt::Display;

/// Key of the learning rate.
const RATE: &str = "lr";
/// Key of weight decay.
const DECAY: &str = "weight_decay";
/// Digits after the first to which the rates of further groups are rounded.
pub(crate) const RATE_DIGITS: usize = 6;

impl Method {
    /// Returns the value of a key in the first part that has it.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        match self {
            Self::Descent(Descent { groups, .. }) => groups.iter().find_map(|group| group.number(key)),
            Self::Solver(solver) => solver.clone().lr().filter(|_| key == RATE).copied(),
        }
    }

    /// Returns the optimizer with another value of a key in every part that has it; learning rates of several parts keep
    /// their ratios. A transform that decays weights has the weight decay of its group, instead of the rule.
    ///
    /// # Errors
    /// A usage error if no part has the key, or the value is not valid.
    pub(crate) fn with_number(&self, key: &str, value: f64) -> Result<Self> {
        let before = self.number(key).ok_or_else(|| self.lacks(key))?;
        let mut method = self.clone();
        match &mut method {
            Self::Descent(Descent { groups, .. }) => {
                for group in groups {
                    if let Some(own) = group.number(key) {
                        let scaled = key == RATE && own != before && before > 0.0;
                        let scale = |own: f64| rounded(own * (value / before), RATE_DIGITS);
                        group.set(key, if scaled { scale(own) } else { value })?;
                    }
                }
            }
            Self::Solver(solver) => *solver = read(Solver::read, &with_key(solver, key, value)?)?,
        }
        Ok(method)
    }

    /// Returns the error for an optimizer without a key.
    fn lacks(&self, key: &str) -> Error {
        Error::usage(format!("optimizer `{self}` has no key `{key}`"))
            .because(crate::Cause::NoEffect)
            .advise("`schuss explain NAME` lists the keys of an optimizer")
    }

    /// Returns the default learning rate, in `dialect`, of the first part.
    pub(crate) fn default_rate(&self, dialect: Dialect) -> Option<f64> {
        let text = match self {
            Self::Descent(Descent { groups, .. }) => groups.first()?.rule.to_string(),
            Self::Solver(solver) => solver.to_string(),
        };
        let item = Item { args: vec![], ..Item::parse(&text).ok()? };
        let usual = match self {
            Self::Descent(_) => {
                Self::from(Rule::read_over(&item, dialect.defaults(&item.name)).and_then(Result::ok)?)
            }
            Self::Solver(_) => Self::from(Solver::read(&item).and_then(Result::ok)?),
        };
        usual.number(RATE)
    }

    /// Returns true if spec text gives a learning rate rather than leaving it to the default.
    pub(crate) fn gives_rate(text: &str) -> bool {
        const OTHER: f64 = 0.123_456_789;
        let gives = |item: &str| {
            let Ok(typed) = Item::parse(item) else { return false };
            let item = names::canonical("optimizer", &typed, Rule::NAMES);
            let rule = Rule::read_over(&item, &format!("{RATE}={OTHER}")).and_then(Result::ok);
            rule.is_some_and(|mut rule| rule.lr().is_some_and(|lr| *lr != OTHER))
        };
        text.split('/').any(|group| {
            let (first, last) = spec::chain(group.split_once('@').map_or(group, |(_, chain)| chain));
            first.into_iter().chain([last]).any(gives)
        })
    }
}

impl Group {
    /// Returns the value of a numeric key.
    fn number(&self, key: &str) -> Option<f64> {
        let decay = self.before.iter().filter(|_| key == DECAY).find_map(|transform| {
            decay_key(transform).and_then(|key| number(Transform::about, transform, key))
        });
        decay.or_else(|| number(Rule::about, &self.rule, key))
    }

    /// Sets the value of a numeric key.
    fn set(&mut self, key: &str, value: f64) -> Result<()> {
        let decay = self.before.iter_mut().filter(|_| key == DECAY);
        match decay.filter_map(|transform| decay_key(transform).map(|key| (transform, key))).next() {
            Some((transform, key)) => *transform = read(Transform::read, &with_key(transform, key, value)?)?,
            None => self.rule = read(Rule::read, &with_key(&self.rule, key, value)?)?,
        }
        Ok(())
    }
}

/// Returns the key of a transform that decays weights.
fn decay_key(transform: &Transform) -> Option<&'static str> {
    match transform {
        Transform::WeightDecay(_) => Some(DECAY),
        Transform::Decay(_) => Some("decay"),
        _ => None,
    }
}

/// Rounds to `digits` digits after the first.
pub(crate) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$e}").parse().unwrap_or(value)
}

/// Returns the value of a numeric key of a part.
fn number(about: fn(&Item, &str) -> Option<Result<About>>, part: &impl Display, key: &str) -> Option<f64> {
    let item = Item::parse(&part.to_string()).ok()?;
    let about = about(&item, "")?.ok()?;
    about.keys.iter().find(|known| known.name == key)?.value.parse().ok()
}

/// Returns the spec of a rule or solver with a key at `value`.
fn with_key(part: &impl Display, key: &str, value: f64) -> Result<Item> {
    let mut item = Item::parse(&part.to_string())?;
    item.args.retain(|(known, _)| known.as_deref() != Some(key));
    item.args.push((Some(key.to_owned()), value.to_string()));
    Ok(item)
}

/// Reads a part whose name is known.
fn read<T>(read: fn(&Item) -> Option<Result<T>>, item: &Item) -> Result<T> {
    read(item).unwrap_or_else(|| Err(Error::usage(format!("`{}` cannot be read from its spec", item.name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(text: &str) -> Method {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_set_in_every_part_that_has_it_and_rates_keep_their_ratio() {
        let set =
            |text: &str, key: &str, value: f64| method(text).with_number(key, value).map(|m| m.to_string());
        assert_eq!(set("sgd:lr=0.1,momentum=0.9", "lr", 0.02).unwrap(), "sgd:lr=0.02,momentum=0.9");
        assert_eq!(set("sgd", "momentum", 0.5).unwrap(), "sgd:lr=0.1,momentum=0.5");
        assert_eq!(
            set("clip-global-norm:1+adamw:lr=1e-3+ema:0.99", "lr", 0.01).unwrap(),
            "clip-global-norm:max_norm=1+adamw:lr=0.01+ema:decay=0.99"
        );
        let ratio = method("bias@sgd:lr=0.4/sgd:lr=0.1").with_number("lr", 0.2).unwrap();
        assert_eq!(ratio, method("bias@sgd:lr=0.2/sgd:lr=0.05"));
        assert_eq!(
            set("hidden@muon:lr=0.02/adamw:lr=1e-3", "lr", 0.6914).unwrap(),
            "hidden@muon:lr=0.6914/adamw:lr=0.03457"
        );
        assert_eq!(set("l-bfgs:lr=1", "lr", 0.5).unwrap(), method("l-bfgs:lr=0.5").to_string());
        for (text, key) in [("adam", "momentum"), ("cg", "lr"), ("freeze", "lr")] {
            let error = set(text, key, 0.1).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains("has no key"), "{error}");
        }
    }

    #[test]
    fn a_transform_that_decays_weights_has_the_weight_decay_of_its_group() {
        for (text, number, set) in [
            ("weight-decay:0.01+sgd", 0.01, "weight-decay:weight_decay=0.1+sgd:lr=0.1"),
            ("decay:0.02+sgd", 0.02, "decay:decay=0.1+sgd:lr=0.1"),
            ("clip-value:1+sgd", 0.0, "clip-value:value=1+sgd:lr=0.1,weight_decay=0.1"),
        ] {
            assert_eq!(method(text).number(DECAY), Some(number), "{text}");
            assert_eq!(method(text).with_number(DECAY, 0.1).unwrap().to_string(), set);
        }
    }

    #[test]
    fn a_rate_counts_as_given_by_key_position_or_alias_only() {
        for text in [
            "sgd:lr=0.1",
            "sgd:0.1",
            "adam:learning_rate=0.1",
            "bias@sgd/adam:lr=0.1",
            "clip-global-norm:1+adam:1e-3",
        ] {
            assert!(Method::gives_rate(text), "{text}");
        }
        for text in ["sgd", "sgd:momentum=0.9", "clip-global-norm:1+adam", "cg"] {
            assert!(!Method::gives_rate(text), "{text}");
        }
    }

    #[test]
    fn default_rates_are_those_of_the_dialect() {
        assert_eq!(method("adadelta:lr=7").default_rate(Dialect::Torch), Some(1.0));
        assert_eq!(method("adadelta:lr=7").default_rate(Dialect::Keras), Some(0.001));
        assert_eq!(method("freeze").default_rate(Dialect::Torch), None);
    }
}
