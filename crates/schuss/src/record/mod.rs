//! Records of a run as plain data: `summary.json` is [`Summary`], field by field.
//!
//! Values are fractions (not percentages), seconds and bytes; a non-finite number is `null`. New keys may appear
//! without a new schema number, so readers should ignore unknown keys.

mod divergence;
pub mod numbers;
mod rate;
mod recommendation;
mod surface;
mod trial;
mod tuning;
mod verdict;
mod waypoints;

pub use divergence::{DescentKind, Divergence, Stability};
pub use rate::RateRecord;
pub use recommendation::{
    CandidateRecord, Certainty, Comparison, QualityRecord, Recommendation, RecommendedRecipe, TestRecord,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
pub use surface::{PathRecord, SurfaceRecord};
pub use trial::{
    Best, BestRecord, BudgetRecord, CurvePoint, EpochRecord, Evaluation, EvaluationPoint, MemoryRecord,
    Overfitting, RecipeRecord, Role, Sheet, SlicesRecord, Status, TargetRecord, Timing, Trace, TrialRecord,
};
pub use tuning::{Bounds, JudgedBy, ProbePoint, Trials, TunedRecipe, TuningCost, TuningRecord};
pub use verdict::{
    FinalValues, Firm, Interval, IntervalKind, Look, Measure, NextLook, PairOutcome, PairVerdict,
    RecipeVerdict, Spending, TargetBound, Test, Verdict,
};
pub use waypoints::Waypoints;

/// Summary of a run: study, data, machine and results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this format: 1.
    pub schema: u32,
    /// Version of schuss that wrote it.
    pub schuss: Release,
    /// Title and notes of the study; a study made from flags alone has no notes.
    pub study: StudyRecord,
    /// The command line, as typed.
    pub command: String,
    /// Start time in UTC: `2026-11-21T09:30:00Z`.
    #[serde(default)]
    pub began: String,
    /// Working directory of the command, which relative paths refer to.
    #[serde(default)]
    pub directory: String,
    /// Folder of the run, relative to `directory` if inside it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// Data and network.
    pub workload: WorkloadRecord,
    /// The data actually used.
    pub data: DataRecord,
    /// Machine it ran on.
    pub machine: Machine,
    /// Warnings about the results, e.g. that there was only one seed.
    pub warnings: Vec<String>,
    /// One entry per recipe, aggregated over its seeds.
    pub groups: Vec<Group>,
    /// One entry per trial, in the order of the study, then one per probe of its tuning.
    pub trials: Trials,
    /// Tuning of the recipes, if they were tuned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<TuningRecord>,
    /// Order of the recipes and how sure it is; `None` in runs of earlier versions, and if it cannot be read, since it can
    /// be made anew from the trials.
    #[serde(default, deserialize_with = "if_readable")]
    pub verdict: Option<Verdict>,
    /// Error surfaces with the paths of optimizers over them (lecture 23).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<SurfaceRecord>,
    /// Further exhibits, each with a small table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exhibits: Vec<Exhibit>,
}

/// Reads a value of this type, or nothing.
fn if_readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(from)?).ok())
}

impl Summary {
    /// Returns the accuracy of always predicting the most common class, or combination of labels, of the evaluation
    /// split.
    pub fn chance(&self) -> Option<f64> {
        let mut rows = self.trials.iter().flat_map(|trial| &trial.epochs);
        let measured = || rows.find_map(|row| row.metrics.get("chance").copied().flatten());
        self.data.eval_chance().or_else(measured)
    }

    /// Returns the prediction whose accuracy is [`chance`](Self::chance).
    pub fn most_common(&self) -> &'static str {
        if self.data.labels.is_empty() {
            "the most common class"
        } else {
            "the most common combination of labels"
        }
    }
}

/// An exhibit besides the trials, with a small table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// One-line title.
    pub title: String,
    /// Explanation of the table.
    pub text: String,
    /// Column headers.
    pub header: Vec<String>,
    /// Rows, with one cell per column.
    pub rows: Vec<Vec<String>>,
}

/// Version and commit of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Semantic version.
    pub version: String,
    /// Commit it was built from, if known at build time.
    pub commit: Option<String>,
}

/// Description of a study.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyRecord {
    /// Name as on the command line, e.g. `lecture-25`; `compare` or `train` if made from flags alone.
    pub name: String,
    /// One-line title.
    pub title: String,
    /// Paragraphs of plain text shown beside the figures.
    pub notes: Vec<String>,
    /// Numbers of seeds at which it is decided which recipes go on; empty if the seeds are fixed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<usize>,
    /// True if recipes have unlike budgets on purpose, each as much training as it needs: they are then ranked all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_budgets: bool,
    /// True as long as recipes are still to be tuned before the race.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untuned: bool,
    /// True if several runs were merged, so that there is no run to continue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merged: bool,
}

/// Data and network, as canonical spec text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// Data spec, resolved.
    pub data: String,
    /// Model spec, resolved, e.g. `784-400-256-10`.
    pub model: String,
    /// Number of trainable parameters.
    pub parameters: usize,
}

/// The data actually used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Hash of shapes, pixels and labels.
    pub fingerprint: String,
    /// Human-readable origin.
    pub origin: String,
    /// Number of samples per split.
    pub counts: Counts,
    /// Number of classes; 0 if labels are not classes.
    pub classes: usize,
    /// Fraction of the most common class in each split: the accuracy of always predicting it. `None` if labels are not
    /// classes, or are known only once their samples are read; each trial's `test` has it for the split it was
    /// evaluated on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<Chance>,
    /// Names of the labels in multi-label data, each 0 or 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Split used for `eval_*` and the curves.
    pub eval_split: String,
    /// Splits that every seed draws anew; the counts, shares and the fingerprint are then those of seed 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resampled: Option<ResampledRecord>,
}

/// Splits that every seed draws anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResampledRecord {
    /// Folds and how often they are repeated, such as `5x2`; `None` if samples are drawn at random.
    pub folds: Option<String>,
    /// Names of the splits.
    pub splits: Vec<String>,
}

impl DataRecord {
    /// Returns the fraction of the most common class in the evaluation split, if it was known before training.
    pub fn eval_chance(&self) -> Option<f64> {
        self.chance.map(|chance| {
            if self.eval_split == "test" { chance.test } else { chance.validation.unwrap_or(chance.test) }
        })
    }
}

/// Fraction of the most common class per split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// In the training split.
    pub train: f64,
    /// In the validation split, held out for curves and choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// In the test split.
    pub test: f64,
}

/// Number of samples per split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Training samples.
    pub train: usize,
    /// Validation samples, held out for curves and choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Test samples; evaluated only at the end if there is a validation split.
    pub test: usize,
}

/// Machine that a run used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name of the processor.
    pub cpu: String,
    /// Cores available to this process.
    pub cores: usize,
    /// Instruction set used by the kernels.
    pub isa: String,
    /// Operating system and architecture.
    pub os: String,
}

/// The trials of one recipe over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Hash of everything in the trial but the seed.
    #[serde(alias = "recipe_id")]
    pub config_id: String,
    /// Name of the recipe in the study.
    pub name: String,
    /// Seeds, in order.
    pub seeds: Vec<u64>,
    /// Seconds of training per epoch.
    pub epoch_seconds: Option<Spread>,
    /// Seconds of training until the target; `None` unless every seed reached it.
    pub target_seconds: Option<Spread>,
    /// Running training loss of the last epoch.
    pub train_loss: Option<Spread>,
    /// Loss on the evaluation split after the last update.
    pub eval_loss: Option<Spread>,
    /// Accuracy on the evaluation split after the last update.
    pub eval_accuracy: Option<Spread>,
    /// Loss on the test split, evaluated once at the end, if the curves used another split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<Spread>,
    /// Accuracy on the test split, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<Spread>,
    /// Training samples per second.
    pub samples_per_second: Option<Spread>,
    /// Further metrics after the last update, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Spread>,
}

/// Median over seeds, with an interval that contains the true median with a probability of at least 95 %; below six seeds
/// there is none, and low and high are the range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Number of seeds.
    pub n: usize,
}

/// Results that a lecture printed after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRecord {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Running training loss of the epoch.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Test accuracy after the epoch.
    #[serde(default)]
    pub accuracy: Option<f64>,
}
