//! Conditions on a metric, such as `eval_accuracy>=0.97` or `train_loss<0.1`.

use crate::loss::{Loss, Targets};
use crate::spec;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Metric that a condition can refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Metric {
    /// Running loss on the training split, averaged over the epoch so far.
    TrainLoss,
    /// Loss on the evaluation split with fixed weights.
    EvalLoss,
    /// Accuracy on the evaluation split with fixed weights.
    EvalAccuracy,
}

/// A metric, a comparison operator and a bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Condition {
    /// Metric to compare.
    pub metric: Metric,
    /// Comparison operator.
    pub op: Op,
    /// Bound.
    pub value: f64,
}

/// Comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
}

const METRICS: [(&str, Metric); 3] = [
    ("train_loss", Metric::TrainLoss),
    ("eval_loss", Metric::EvalLoss),
    ("eval_accuracy", Metric::EvalAccuracy),
];

const OPS: [(&str, Op); 4] = [(">=", Op::AtLeast), ("<=", Op::AtMost), (">", Op::Above), ("<", Op::Below)];

/// Names of the evaluation metrics in other libraries.
const ALIASES: [(&str, Metric); 5] = [
    ("val_loss", Metric::EvalLoss),
    ("val_accuracy", Metric::EvalAccuracy),
    ("val_acc", Metric::EvalAccuracy),
    ("accuracy", Metric::EvalAccuracy),
    ("acc", Metric::EvalAccuracy),
];

/// Parses `0.97`, or `97%` for an accuracy; `None` if it is not a finite number.
fn read_bound(metric: Metric, bound: &str, text: &str) -> Result<Option<f64>> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    match bound.strip_suffix('%') {
        None => Ok(number(bound)),
        // equals the parsed decimal: 97 / 100 is the f64 nearest to 0.97
        Some(percent) if metric == Metric::EvalAccuracy => Ok(number(percent).map(|percent| percent / 100.0)),
        Some(percent) => {
            Err(Error::usage(format!("`{text}`: {metric} is not a fraction, so it cannot be given in %"))
                .advise(format!("give a number without %, such as {metric}<{}", percent.trim())))
        }
    }
}

impl Condition {
    /// Checks that an accuracy bound can be met: accuracy lies in 0..=1.
    fn check_share(&self) -> Result<()> {
        let possible = match self.op {
            Op::AtLeast => self.value <= 1.0,
            Op::Above => self.value < 1.0,
            Op::AtMost => self.value >= 0.0,
            Op::Below => self.value > 0.0,
        };
        if self.metric != Metric::EvalAccuracy || possible {
            return Ok(());
        }
        let error = Error::usage(format!("`{self}` cannot be met: accuracy is a fraction from 0 to 1"));
        Err(if self.value > 1.0 && self.value <= 100.0 {
            let share = spec::write_number(self.value / 100.0);
            error.advise(format!(
                "'{}{}{share}' or '{}{}{}%'",
                self.metric, self.op, self.metric, self.op, self.value
            ))
        } else {
            error.advise("'eval_accuracy>=0.97'")
        })
    }

    /// Checks that a trial can meet the condition: there is no accuracy for numeric targets, and most losses are never
    /// negative.
    ///
    /// # Errors
    /// Usage errors.
    pub fn check(&self, targets: Targets, loss: &Loss) -> Result<()> {
        let wrong = |why: String| Error::usage(format!("`{self}` cannot be met: {why}"));
        if self.metric == Metric::EvalAccuracy {
            return match targets {
                Targets::Class => Ok(()),
                Targets::Real => Err(wrong("a regression has no accuracy".into())
                    .advise("'eval_loss<0.1', or --targets class")),
                Targets::Input => {
                    Err(wrong("an autoencoder has no accuracy".into()).advise("'eval_loss<0.1'"))
                }
            };
        }
        let negative = match self.op {
            Op::AtMost => self.value < 0.0,
            Op::Below => self.value <= 0.0,
            Op::AtLeast | Op::Above => false,
        };
        if negative && !loss.can_be_negative() {
            return Err(
                wrong(format!("the loss {loss} is never below 0")).advise(format!("'{}<0.1'", self.metric))
            );
        }
        Ok(())
    }

    /// Returns true if `value` meets the condition; a missing or NaN metric never does.
    pub fn holds(&self, value: Option<f64>) -> bool {
        value.is_some_and(|value| match self.op {
            Op::AtLeast => value >= self.value,
            Op::AtMost => value <= self.value,
            Op::Above => value > self.value,
            Op::Below => value < self.value,
        })
    }
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = || {
            Error::usage(format!("`{text}` is not a condition")).advise(
                "write metric, comparison and bound, for example 'eval_accuracy>=0.97'; to name the column to \
                 predict, use --label",
            )
        };
        let plain = text.replace('≥', ">=").replace('≤', "<=");
        let (sign, op) = OPS.into_iter().find(|(sign, _)| plain.contains(sign)).ok_or_else(form)?;
        let (name, bound) = plain.split_once(sign).ok_or_else(form)?;
        let name = name.trim().to_lowercase().replace('-', "_");
        let known = METRICS.map(|(name, _)| name);
        let metric = [&METRICS[..], &ALIASES].concat().into_iter().find(|(known, _)| *known == name);
        let (_, metric) = metric.ok_or_else(|| spec::unknown("metric", &name, &known))?;
        let condition = Self { metric, op, value: read_bound(metric, bound.trim(), text)?.ok_or_else(form)? };
        condition.check_share()?;
        Ok(condition)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = METRICS.iter().find(|(_, metric)| metric == self);
        f.write_str(row.map_or("", |(name, _)| name))
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = OPS.iter().find(|(_, op)| op == self);
        f.write_str(row.map_or("", |(sign, _)| sign))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.metric, self.op, spec::write_number(self.value))
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.to_string()
    }
}

impl TryFrom<String> for Condition {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_survive_a_round_trip_and_decide() {
        for (text, canonical, yes, no) in [
            ("eval_accuracy>=0.97", "eval_accuracy>=0.97", 0.97, 0.969),
            ("Train-Loss < .1", "train_loss<0.1", 0.09, 0.1),
            ("eval_loss<=1", "eval_loss<=1", 1.0, 1.1),
            ("eval_accuracy>=97%", "eval_accuracy>=0.97", 0.97, 0.969),
            ("val_accuracy ≥ 97.5 %", "eval_accuracy>=0.975", 0.975, 0.97),
            ("eval_accuracy>=1", "eval_accuracy>=1", 1.0, 0.999),
            ("eval_accuracy>0.5", "eval_accuracy>0.5", 0.6, 0.5),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.to_string(), canonical);
            assert!(condition.holds(Some(yes)) && !condition.holds(Some(no)));
            assert!(!condition.holds(None) && !condition.holds(Some(f64::NAN)));
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused_with_what_can() {
        for (text, advice) in [
            ("eval_accuracy>=97", "'eval_accuracy>=97%'"),
            ("eval_accuracy>=1.5", "'eval_accuracy>=0.015'"),
            ("eval_accuracy>1", "0 to 1"),
            ("eval_accuracy<0", "0 to 1"),
            ("eval_accuracy>=120%", "0 to 1"),
        ] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(advice), "{text}: {error}");
        }
        let check = |text: &str, targets, loss: &str| {
            text.parse::<Condition>().unwrap().check(targets, &loss.parse().unwrap()).is_ok()
        };
        assert!(!check("eval_loss<-1", Targets::Class, "cross-entropy"));
        assert!(!check("train_loss<=-0.5", Targets::Real, "mse"));
        assert!(check("eval_loss<=0", Targets::Real, "mse"));
        assert!(check("eval_loss<-1", Targets::Class, "poisson"));
        assert!(!check("eval_accuracy>=0.5", Targets::Real, "mse"));
        assert!(check("eval_accuracy>=0.5", Targets::Class, "mse"));
    }

    #[test]
    fn malformed_conditions_are_usage_errors() {
        for text in [
            "",
            "eval_accuracy",
            "f1>=1",
            "loss<1",
            "eval_loss<3%",
            "eval_accuracy>=",
            "eval_accuracy>=nan",
            "eval_loss=<1",
            ">=1",
        ] {
            assert_eq!(text.parse::<Condition>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
