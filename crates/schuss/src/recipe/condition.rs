//! A bound on a metric: `eval_accuracy>=0.97`, `train_loss<0.1`.

use super::spec;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A metric that a trial may be stopped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Running loss on the training split, over the epoch so far.
    TrainLoss,
    /// Frozen loss on the evaluation split.
    EvalLoss,
    /// Frozen accuracy on the evaluation split.
    EvalAccuracy,
}

/// A metric, a comparison and a bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Condition {
    /// What is compared.
    pub metric: Metric,
    /// How.
    pub op: Op,
    /// With what.
    pub value: f64,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
    /// Above.
    Above,
    /// Below.
    Below,
}

const METRICS: [(&str, Metric); 3] = [
    ("train_loss", Metric::TrainLoss),
    ("eval_loss", Metric::EvalLoss),
    ("eval_accuracy", Metric::EvalAccuracy),
];

const OPS: [(&str, Op); 4] = [(">=", Op::AtLeast), ("<=", Op::AtMost), (">", Op::Above), ("<", Op::Below)];

impl Condition {
    /// Whether `value` fulfils the condition; a missing or NaN metric never does.
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
            Error::usage(format!("`{text}` is not a condition"))
                .advise("write metric, comparison and bound, for example 'eval_accuracy>=0.97'")
        };
        let (sign, op) = OPS.into_iter().find(|(sign, _)| text.contains(sign)).ok_or_else(form)?;
        let (name, bound) = text.split_once(sign).ok_or_else(form)?;
        let name = name.trim().to_lowercase().replace('-', "_");
        let known = METRICS.map(|(name, _)| name);
        let metric = METRICS.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric);
        let metric = metric.ok_or_else(|| spec::unknown("metric", &name, &known))?;
        let value: f64 = bound.trim().parse().map_err(|_| form())?;
        if !value.is_finite() {
            return Err(form());
        }
        Ok(Self { metric, op, value })
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
            ("eval_accuracy>0.5", "eval_accuracy>0.5", 0.6, 0.5),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.to_string(), canonical);
            assert!(condition.holds(Some(yes)) && !condition.holds(Some(no)));
            assert!(!condition.holds(None) && !condition.holds(Some(f64::NAN)));
        }
    }

    #[test]
    fn malformed_conditions_are_usage_errors() {
        for text in
            ["", "eval_accuracy", "acc>=1", "eval_accuracy>=", "eval_accuracy>=nan", "eval_loss=<1", ">=1"]
        {
            assert_eq!(text.parse::<Condition>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
