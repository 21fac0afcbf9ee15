//! Record of a trial.

use super::divergence::Divergence;
use super::{ReferenceRecord, TargetBound, Waypoints};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A trial and its results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Name of the recipe in the study.
    pub name: String,
    /// Hash of everything in the trial but the seed.
    #[serde(alias = "recipe_id")]
    pub config_id: String,
    /// Seed of initial weights and order, and of the splits if they are drawn anew.
    pub seed: u64,
    /// 128-bit XXH3 over the indices of the samples held out for this seed, if it draws its own splits: 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<String>,
    /// Model spec, resolved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network: String,
    /// The resolved recipe, each choice as canonical spec text.
    pub recipe: RecipeRecord,
    /// Name of the arithmetic that fixes the bits, e.g. `f32-fma-1`.
    pub arithmetic: String,
    /// Name of the path the optimizer ran on, e.g. `fused`.
    pub strategy: String,
    /// Threads of the step.
    pub threads: usize,
    /// Timing conditions.
    pub timing: Timing,
    /// Outcome.
    pub status: Status,
    /// Point at which a value became non-finite, if one did.
    pub diverged: Option<Divergence>,
    /// True if it learned something: better than chance, and no exploded loss. `None` if it did not run to its end.
    #[serde(default)]
    pub learned: Option<bool>,
    /// True if the evaluation loss rose for good after its lowest, while the training loss still fell.
    #[serde(default)]
    pub overfitted: bool,
    /// Point from which it rose, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overfitting: Option<Overfitting>,
    /// Budget.
    #[serde(default)]
    pub budget: BudgetRecord,
    /// Weight updates done.
    pub updates: u64,
    /// Training samples seen.
    pub samples: u64,
    /// Seconds of training: evaluation and files excluded.
    pub train_seconds: f64,
    /// Speed of the updates, slice by slice; absent in records made before it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<SlicesRecord>,
    /// Seconds of training in a typical epoch: the median over full epochs.
    #[serde(default)]
    pub epoch_seconds: Option<f64>,
    /// Seconds from the trial's start to its end, everything included.
    pub wall_seconds: f64,
    /// Seconds the step waited for data.
    pub load_wait_seconds: f64,
    /// Training samples per second of training.
    pub samples_per_second: Option<f64>,
    /// Peak resident memory of the process during the trial, if the system reports it.
    pub peak_rss_bytes: Option<u64>,
    /// Memory of the trial's buffers.
    pub memory: MemoryRecord,
    /// The target and when it was reached.
    pub target: Option<TargetRecord>,
    /// Every evaluation, with the value of the target's metric, or of the loss if there is no target.
    #[serde(default)]
    pub evaluations: Vec<CurvePoint>,
    /// Part that it plays in the run.
    #[serde(default)]
    pub role: Role,
    /// One row per epoch; row 0 is the evaluation before any update.
    pub epochs: Vec<EpochRecord>,
    /// Result on the test split at the end.
    pub test: Option<Evaluation>,
    /// Weights after the last update, relative to the run folder.
    pub model: Option<String>,
    /// Weights with the lowest evaluation loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestRecord>,
    /// Hash of weights and optimizer state at the end: 128-bit XXH3, 32 hex digits.
    #[serde(default)]
    pub state: String,
    /// Loss of every single update, relative to the run folder: little-endian f32.
    pub losses: Option<String>,
    /// Image of inputs and their reconstructions, relative to the run folder: PNG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconstructions: Option<String>,
    /// Results that a lecture printed for this trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceRecord>,
    /// Seconds per epoch that a lecture printed for this trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_seconds: Option<f64>,
}

/// The resolved recipe: its choices as canonical spec text, by their keys in study files. Absent ones are unset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecipeRecord(Map<String, Value>);

impl RecipeRecord {
    /// Returns a choice as text.
    pub fn get(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// Replaces a choice.
    pub fn set(&mut self, key: &str, text: &str) {
        self.0.insert(key.to_owned(), Value::from(text));
    }
}

impl FromIterator<(&'static str, Value)> for RecipeRecord {
    fn from_iter<I: IntoIterator<Item = (&'static str, Value)>>(choices: I) -> Self {
        Self(choices.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// Part that a trial plays in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Compared with the other recipes.
    #[default]
    Race,
    /// Tried a choice for a recipe.
    Probe,
}

/// An evaluation, written as an array: updates, seconds of training, value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u64, f64, Option<f64>)", into = "(u64, f64, Option<f64>)")]
pub struct CurvePoint {
    /// Weight updates since the start.
    pub updates: u64,
    /// Seconds of training since the start.
    pub seconds: f64,
    /// Value of the metric; `None` if it was not finite.
    pub value: Option<f64>,
}

impl From<(u64, f64, Option<f64>)> for CurvePoint {
    fn from((updates, seconds, value): (u64, f64, Option<f64>)) -> Self {
        Self { updates, seconds, value }
    }
}

impl From<CurvePoint> for (u64, f64, Option<f64>) {
    fn from(CurvePoint { updates, seconds, value }: CurvePoint) -> Self {
        (updates, seconds, value)
    }
}

/// Timing conditions of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Timing {
    /// One trial after the other, each with the whole machine.
    Alone,
    /// Trials took turns of a tenth of a second with the whole machine, in random order, so that a machine that slows down
    /// slows all.
    Interleaved,
    /// Trials ran at the same time: seconds are updates times the seconds per update of the recipe, the median over its
    /// seeds, measured in slices in which a trial had the whole machine.
    Calibrated,
    /// Other trials ran at the same time: seconds cannot be compared.
    Shared,
}

/// Seconds per update of the slices of a trial: consecutive parts of its training, of a tenth of a second or, in long
/// trials, of a few.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlicesRecord {
    /// Number of slices.
    pub count: usize,
    /// Median over the slices; of a calibrated trial the mean, weighted by the updates that each slice stands for.
    pub seconds_per_update: f64,
    /// Half the distance between the percentiles 16 and 84 over the median, which is the relative standard deviation of
    /// normal values; `None` for a single slice.
    pub spread: Option<f64>,
}

/// Outcome of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Used up its epochs or updates.
    Finished,
    /// Reached its target.
    Target,
    /// Met its `--stop` condition or its `--early-stop` criterion.
    Stopped,
    /// A weight or a loss became non-finite.
    Diverged,
    /// Interrupted with Ctrl-C.
    Interrupted,
    /// Failed with an error outside training.
    Failed,
}

impl Status {
    /// Returns true if the trial ran to its end, by its budget or a condition.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Target | Self::Stopped)
    }
}

/// Budget of a trial, which ends it unless a condition does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRecord {
    /// Maximum number of epochs.
    pub epochs: u32,
    /// Maximum number of updates, if given.
    pub max_updates: Option<u64>,
    /// Resulting number of updates.
    pub updates: u64,
}

impl BudgetRecord {
    /// Returns true if both budgets allow as much training: the same number of epochs or of updates.
    pub fn is_like(&self, other: &Self) -> bool {
        let same_epochs = (self.epochs, self.max_updates) == (other.epochs, other.max_updates);
        same_epochs || self.updates == other.updates
    }
}

/// Memory by kind of buffer, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRecord {
    /// Weights and biases.
    pub parameters: usize,
    /// Gradient sums.
    pub gradients: usize,
    /// Optimizer state: momentum buffers, second moments, etc.
    pub optimizer_state: usize,
    /// Activations, their gradients and the gathered inputs of one microbatch.
    pub activations: usize,
    /// Copy of weights and optimizer state at the last report point, in case training diverges.
    pub copy: usize,
    /// Most that instruments hold while they measure.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub instruments: usize,
    /// The data set.
    pub data: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_nothing(bytes: &usize) -> bool {
    *bytes == 0
}

impl MemoryRecord {
    /// Returns the total.
    pub fn total(&self) -> usize {
        let Self { parameters, gradients, optimizer_state, activations, copy, instruments, data } = self;
        parameters + gradients + optimizer_state + activations + copy + instruments + data
    }
}

/// A target such as `eval_accuracy>=0.96` and when it was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// `eval_accuracy`, `eval_loss` or `train_loss`.
    pub metric: String,
    /// `>=`, `<=`, `>` or `<`.
    pub op: String,
    /// The bound.
    pub value: f64,
    /// Seconds of training when first seen reached; `null` if not reached.
    pub seconds: Option<f64>,
    /// Updates when first seen reached.
    pub updates: Option<u64>,
}

impl TargetRecord {
    /// Returns the target without when it was reached.
    pub fn bound(&self) -> TargetBound {
        TargetBound { metric: self.metric.clone(), op: self.op.clone(), value: self.value }
    }
}

/// State of a trial after an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epochs begun so far; the last may be partial. 0 is before any update.
    pub epoch: u32,
    /// Weight updates since the start.
    pub updates: u64,
    /// Training samples since the start.
    pub samples: u64,
    /// Running: sample-weighted mean of each update's loss at the weights before it.
    pub train_loss: Option<f64>,
    /// Frozen: mean loss over the whole evaluation split.
    pub eval_loss: Option<f64>,
    /// Frozen: fraction of the evaluation split classified correctly.
    pub eval_accuracy: Option<f64>,
    /// Further metrics by name.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// Seconds of training in this epoch.
    pub train_seconds: f64,
    /// Part of `train_seconds` spent waiting for samples to be read; omitted if 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub load_wait_seconds: f64,
    /// Seconds since the trial's start, everything included.
    pub elapsed_seconds: f64,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// Point at which a trial's evaluation loss was lowest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epochs begun by then.
    pub epoch: u32,
    /// Weight updates by then.
    pub updates: u64,
    /// The loss.
    pub eval_loss: f64,
}

/// Point from which a trial over-fitted: the lowest of its evaluation losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overfitting {
    /// Point of training, and the loss.
    #[serde(flatten)]
    pub lowest: Best,
    /// Rise of the loss from there to the last evaluation, in % of the lowest: Prechelt's generalisation loss.
    pub generalisation_loss: f64,
}

/// Weights with the lowest evaluation loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestRecord {
    /// Weights file, relative to the run folder.
    pub model: String,
    /// Point of training, and the loss.
    #[serde(flatten)]
    pub best: Best,
}

/// Loss and metrics over a whole split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean loss.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Fraction classified correctly; with several labels, the fraction with all labels correct. `None` without classes
    /// or labels.
    pub accuracy: Option<f64>,
    /// Fraction of the most common class, or of the most common combination of labels: the accuracy of always
    /// predicting it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Class predicted for every sample, if there was only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_class: Option<usize>,
    /// Further metrics by name, beside the other keys.
    #[serde(flatten, deserialize_with = "numbers")]
    pub metrics: BTreeMap<String, Option<f64>>,
}

impl Evaluation {
    /// Enters a further metric.
    pub(crate) fn enter(&mut self, name: &str, value: Option<f64>) {
        self.metrics.insert(name.to_owned(), value);
    }

    /// Returns a further metric, if it was measured and is defined.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).copied().flatten()
    }
}

/// An evaluation at some point of training; `metrics.jsonl` has one per line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvaluationPoint {
    /// Epochs begun so far.
    pub epoch: u32,
    /// Weight updates since the start.
    pub updates: u64,
    /// Training samples since the start.
    pub samples: u64,
    /// Seconds of training since the start.
    pub train_seconds: f64,
    /// Running training loss of this epoch so far; `None` before the first update.
    pub train_loss: Option<f64>,
    /// Loss on the evaluation split.
    pub eval_loss: Option<f64>,
    /// Accuracy on the evaluation split.
    pub eval_accuracy: Option<f64>,
    /// Standard error of the rise of `eval_loss` above the lowest so far, by resampling the evaluated samples; `None` if
    /// it is the lowest.
    #[serde(default)]
    pub rise_error: Option<f64>,
    /// Further metrics by name, beside the other keys.
    #[serde(flatten, deserialize_with = "numbers")]
    pub metrics: BTreeMap<String, Option<f64>>,
}

impl TrialRecord {
    /// Returns the evaluations at the ends of epochs, with the seconds of training up to there.
    pub fn ends_of_epochs(&self) -> Vec<EvaluationPoint> {
        let mut seconds = 0.0;
        let point = |row: &EpochRecord| {
            seconds += row.train_seconds;
            EvaluationPoint {
                epoch: row.epoch,
                updates: row.updates,
                samples: row.samples,
                train_seconds: seconds,
                train_loss: row.train_loss,
                eval_loss: row.eval_loss,
                eval_accuracy: row.eval_accuracy,
                rise_error: None,
                metrics: row.metrics.clone(),
            }
        };
        self.epochs.iter().map(point).collect()
    }
}

impl EvaluationPoint {
    /// Returns the point of the curve of a metric.
    pub(crate) fn on_curve(&self, metric: &str) -> CurvePoint {
        let value = self.value(metric).filter(|value| value.is_finite());
        CurvePoint { updates: self.updates, seconds: self.train_seconds, value }
    }

    /// Returns a metric by its name in a target.
    pub(crate) fn value(&self, metric: &str) -> Option<f64> {
        match metric {
            "eval_accuracy" => self.eval_accuracy,
            "eval_loss" => self.eval_loss,
            "train_loss" => self.train_loss,
            _ => None,
        }
    }
}

/// Recordings of a trial between epochs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Loss of every single update, if kept.
    pub losses: Vec<f32>,
    /// Weights at the ends of epochs, if kept.
    pub path: Waypoints,
    /// Every evaluation, including those after epochs.
    pub evaluations: Vec<EvaluationPoint>,
    /// Inputs and their reconstructions at the end.
    pub reconstructions: Option<Sheet>,
}

/// Images in rows: inputs, noisy inputs if there is noise, reconstructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// PNG.
    pub png: Vec<u8>,
    /// Row captions, from the top.
    pub rows: Vec<&'static str>,
}

/// Reads `null`, which stands for a non-finite number, as NaN.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Reads the numbers among the keys of a record that have no field, and leaves out everything else.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Option<f64>>, D::Error> {
    let all = BTreeMap::<String, Value>::deserialize(deserializer)?;
    let numbers = all.into_iter().filter(|(_, value)| value.is_number() || value.is_null());
    Ok(numbers.map(|(name, value)| (name, value.as_f64())).collect())
}
