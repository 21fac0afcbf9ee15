//! What a run leaves behind, as plain data: `summary.json` is [`Summary`], field by field.
//!
//! Fractions, not percentages; seconds; bytes; a number that is not finite is `null`. New keys may appear
//! without a new schema number, so readers ignore keys they do not know.

mod surface;
mod trial;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
pub use surface::{PathRecord, SurfaceRecord};
pub use trial::{
    Best, BestRecord, BudgetRecord, DeviationRecord, Divergence, EpochRecord, Evaluation, EvaluationPoint,
    LabelQuality, MemoryRecord, RecipeRecord, Reconstruction, Sheet, Status, TargetRecord, Timing, Trace,
    TrialRecord,
};

/// A run: what was compared, on what, where, and what came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this format: 1.
    pub schema: u32,
    /// What wrote it.
    pub schuss: Release,
    /// Title and notes of the study; flags alone make a study without notes.
    pub study: StudyRecord,
    /// The command line, as typed.
    pub command: String,
    /// When it began, in UTC: `2026-11-21T09:30:00Z`.
    #[serde(default)]
    pub began: String,
    /// The folder it was typed in, which relative paths begin from.
    #[serde(default)]
    pub directory: String,
    /// The folder of the run, as the command names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// What was trained on.
    pub workload: WorkloadRecord,
    /// The data really used.
    pub data: DataRecord,
    /// Where it ran.
    pub machine: Machine,
    /// What a careful reader should know, e.g. that there was one seed only.
    pub warnings: Vec<String>,
    /// One entry per recipe: its seeds taken together.
    pub groups: Vec<Group>,
    /// One entry per trial, in the order of the study.
    pub trials: Vec<TrialRecord>,
    /// Error surfaces with the paths of optimizers over them (lecture 23).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<SurfaceRecord>,
    /// Further things shown, each by a small table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exhibits: Vec<Exhibit>,
}

/// Something shown by a small table besides the trials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exhibit {
    /// One line.
    pub title: String,
    /// What it shows.
    pub text: String,
    /// Heads of the columns.
    pub header: Vec<String>,
    /// As many cells per row as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// Version and commit of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Semantic version.
    pub version: String,
    /// Commit it was built from, if known then.
    pub commit: Option<String>,
}

/// What a study says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyRecord {
    /// Name as on the command line, e.g. `lecture-25`; `compare` or `train` when flags alone made it.
    pub name: String,
    /// One line.
    pub title: String,
    /// Paragraphs of plain text that stand beside the figures.
    pub notes: Vec<String>,
}

/// Data and network, as canonical spec text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadRecord {
    /// Data spec, resolved.
    pub data: String,
    /// Model spec, resolved, e.g. `784-400-256-10`.
    pub model: String,
    /// Trainable numbers.
    pub parameters: usize,
}

/// The data really used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Hash of shapes, pixels and labels.
    pub fingerprint: String,
    /// Where it came from, for people.
    pub origin: String,
    /// Samples per split.
    pub counts: Counts,
    /// Number of classes; 0 where labels are no classes.
    pub classes: usize,
    /// Share of the commonest class in each split: the accuracy of always answering it. None where labels are no
    /// classes, or known only once their samples are read; each trial's `test` has that of the split it was evaluated on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<Chance>,
    /// Names of the labels, where there are several at once, each 0 or 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The split that `eval_*` and the curves look at.
    pub eval_split: String,
}

impl DataRecord {
    /// Share of the commonest class in the split that curves look at, if it was known before training.
    pub fn eval_chance(&self) -> Option<f64> {
        self.chance.map(|chance| {
            if self.eval_split == "test" { chance.test } else { chance.validation.unwrap_or(chance.test) }
        })
    }
}

/// Share of the commonest class per split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Of what is trained on.
    pub train: f64,
    /// Of what is held out for curves and choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// Of what is evaluated on.
    pub test: f64,
}

/// Samples per split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Trained on.
    pub train: usize,
    /// Held out for curves and choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<usize>,
    /// Evaluated on, at the end where there is a validation split.
    pub test: usize,
}

/// Where it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processor's own name for itself.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Instruction set the kernels run on.
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
    /// Seconds of training until the target; none unless every seed reached it.
    pub target_seconds: Option<Spread>,
    /// Running training loss of the last epoch.
    pub train_loss: Option<Spread>,
    /// Loss on the evaluation split after the last update.
    pub eval_loss: Option<Spread>,
    /// Accuracy on the evaluation split after the last update.
    pub eval_accuracy: Option<Spread>,
    /// Loss on the test split, looked at once at the end, where the curves looked at another split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_loss: Option<Spread>,
    /// Accuracy there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<Spread>,
    /// Training samples per second.
    pub samples_per_second: Option<Spread>,
    /// Further metrics after the last update, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Spread>,
}

/// Median over seeds, with the range in which 95 % of medians would fall (the whole range below six seeds).
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

/// What a lecture printed after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceRecord {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Its running training loss.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Its test accuracy.
    #[serde(default)]
    pub accuracy: Option<f64>,
}
