//! Metrics of one's own, found in studies by a registered name.

use super::METRICS;
use super::metric::{Metric, Prediction, Task};
use crate::record::{EpochRecord, Evaluation, EvaluationPoint};
use crate::spec::Registry;
use crate::{Error, Result};
use serde::Serialize;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// A user-defined metric, measured at every evaluation of the trials that name it.
///
/// # Example
/// ```
/// use schuss::metrics::{Custom, CustomMetric, CustomTally, Prediction, Task};
/// use std::sync::Arc;
///
/// /// Largest error of any predicted number.
/// #[derive(Debug)]
/// struct LargestError;
///
/// impl CustomMetric for LargestError {
///     fn name(&self) -> String {
///         "largest_error".to_owned()
///     }
///
///     fn begin(&self, task: &Task) -> Option<Box<dyn CustomTally>> {
///         task.numbers.map(|_| Box::new(Largest(0.0)) as Box<dyn CustomTally>)
///     }
/// }
///
/// #[derive(Debug)]
/// struct Largest(f64);
///
/// impl CustomTally for Largest {
///     fn take(&mut self, prediction: &Prediction) {
///         if let Prediction::Numbers { actual, predicted } = prediction {
///             self.0 = actual.iter().zip(*predicted).map(|(a, p)| (a - p).abs()).fold(self.0, f64::max);
///         }
///     }
///
///     fn value(&self) -> Option<f64> {
///         Some(self.0)
///     }
/// }
///
/// # fn main() -> schuss::Result<()> {
/// let metric = Custom::register(Arc::new(LargestError))?;
/// let trial = schuss::Trial { metrics: vec![metric], ..schuss::Trial::default() };
/// # assert_eq!(trial.metrics[0].name(), "largest_error");
/// # Ok(())
/// # }
/// ```
pub trait CustomMetric: Debug + Send + Sync {
    /// Returns its name in studies and records, which includes its parameters.
    fn name(&self) -> String;

    /// Begins an evaluation; `None` if the metric does not apply to the task.
    fn begin(&self, task: &Task) -> Option<Box<dyn CustomTally>>;
}

/// Sums of a [`CustomMetric`] over the predictions of one evaluation, made and used by the thread that evaluates.
pub trait CustomTally: Debug + Send {
    /// Adds a prediction: one per sample of each kind that the task has, in the order of the split.
    fn take(&mut self, prediction: &Prediction);

    /// Returns the value over all predictions; `None` if it is undefined.
    fn value(&self) -> Option<f64>;
}

static OWN: Registry<dyn CustomMetric> = Registry::new("metric");

/// A [`CustomMetric`] as a choice of trials.
#[derive(Clone, Debug)]
pub struct Custom(Arc<dyn CustomMetric>);

impl Custom {
    /// Registers a metric under its name for this process: studies and runs to be resumed then find it. Another one of
    /// the same name is replaced.
    ///
    /// # Errors
    /// A usage error for a name that specs cannot hold, or that records use for something else.
    pub fn register<T: CustomMetric + 'static>(metric: Arc<T>) -> Result<Self> {
        let name = metric.name();
        if is_taken(&name) || is_reading(&name) {
            return Err(Error::usage(format!("records use the name `{name}` for something else"))
                .advise("another name for the metric"));
        }
        OWN.register(name, metric.clone())?;
        Ok(Self(metric))
    }

    /// Returns the metrics registered under comma-separated names.
    ///
    /// # Errors
    /// A usage error for a name that is not registered.
    pub(crate) fn find_all(names: &str) -> Result<Vec<Self>> {
        let find = |name: &str| match OWN.find(name.trim()) {
            Some(metric) => Ok(Self(metric)),
            None if is_reading(name.trim()) => {
                Err(Error::usage(format!("`{}` is no metric but read by an instrument", name.trim()))
                    .advise("--instrument"))
            }
            None if is_taken(name.trim()) => Err(Error::usage(format!("`{}` needs no choice", name.trim()))
                .advise("leave it out: it is measured wherever it applies")),
            None => Err(OWN.missing(name.trim())),
        };
        names.split(',').map(find).collect()
    }

    /// Returns its name.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// Begins an evaluation; `None` if the metric does not apply to the task.
    pub(super) fn begin(&self, task: &Task) -> Option<Box<dyn Metric>> {
        let tally = self.0.begin(task)?;
        Some(Box::new(Own { name: self.name(), tally }))
    }
}

impl PartialEq for Custom {
    /// Compares identity, not behaviour.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Display for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A metric of one's own while an evaluation runs.
#[derive(Debug)]
struct Own {
    name: String,
    tally: Box<dyn CustomTally>,
}

impl Metric for Own {
    fn take(&mut self, prediction: &Prediction) {
        self.tally.take(prediction);
    }

    fn report(&self, evaluation: &mut Evaluation) {
        evaluation.metrics.insert(self.name.clone(), self.tally.value());
    }
}

/// Returns true if a name in records has another meaning: that of a built-in metric, or a key beside the metrics.
fn is_taken(name: &str) -> bool {
    let keys =
        |record: serde_json::Result<serde_json::Value>| record.is_ok_and(|record| record.get(name).is_some());
    METRICS.iter().any(|row| row.names.contains(&name))
        || ["accuracy", "chance", "only_class", "evaluations"].contains(&name)
        || keys(json(&Evaluation::default()))
        || keys(json(&EvaluationPoint::default()))
        || keys(json(&EpochRecord::default()))
}

/// Keys with which the readings of instruments begin, among the metrics of an evaluation.
pub(crate) const READINGS: [&str; 5] = ["update_ratio", "dead_units", "sharpness", "noise_scale", "plane"];

/// Returns true if a name is that of an instrument or of one of its readings, or could be.
fn is_reading(name: &str) -> bool {
    let name = name.replace('-', "_");
    let is_of = |key: &&str| {
        name.strip_prefix(*key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
    };
    READINGS.iter().any(is_of)
}

fn json(record: &impl Serialize) -> serde_json::Result<serde_json::Value> {
    serde_json::to_value(record)
}
