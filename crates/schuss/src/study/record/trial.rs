//! What is known of one trial.

use super::ReferenceRecord;
use crate::recipe::UpdateRule;
use crate::schedule::Schedule;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// One trial and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Name of the recipe in the study.
    pub name: String,
    /// Hash of everything in the trial but the seed.
    #[serde(alias = "recipe_id")]
    pub config_id: String,
    /// Seed of initial weights and order.
    pub seed: u64,
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
    /// Whether anything else of ours ran at the same time.
    pub timing: Timing,
    /// How it ended.
    pub status: Status,
    /// Where it stopped being finite.
    pub diverged: Option<Divergence>,
    /// Whether it learned anything: better than chance, and no exploded loss. Unknown where it did not come to its end.
    #[serde(default)]
    pub learned: Option<bool>,
    /// Whether the evaluation loss rose for good after its lowest, while the training loss still fell.
    #[serde(default)]
    pub overfitted: bool,
    /// When it was to end.
    #[serde(default)]
    pub budget: BudgetRecord,
    /// Weight updates done.
    pub updates: u64,
    /// Training samples seen.
    pub samples: u64,
    /// Seconds of training: evaluation and files excluded.
    pub train_seconds: f64,
    /// Of them in a typical epoch: the median over the full ones.
    #[serde(default)]
    pub epoch_seconds: Option<f64>,
    /// Seconds from the trial's start to its end, everything included.
    pub wall_seconds: f64,
    /// Seconds the step waited for data.
    pub load_wait_seconds: f64,
    /// Training samples per second of training.
    pub samples_per_second: Option<f64>,
    /// Largest resident memory of the process during the trial, if the system tells.
    pub peak_rss_bytes: Option<u64>,
    /// What the trial's buffers take.
    pub memory: MemoryRecord,
    /// The target and when it was reached.
    pub target: Option<TargetRecord>,
    /// One row per epoch; row 0 is the evaluation before any update.
    pub epochs: Vec<EpochRecord>,
    /// Result on the test split at the end.
    pub test: Option<Evaluation>,
    /// Weights after the last update, relative to the run folder.
    pub model: Option<String>,
    /// The weights with the lowest evaluation loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestRecord>,
    /// Hash of weights and optimizer state at the end: 128-bit XXH3, 32 hex digits.
    #[serde(default)]
    pub state: String,
    /// Loss of every single update, relative to the run folder: little-endian f32.
    pub losses: Option<String>,
    /// Picture of inputs and their reconstructions, relative to the run folder: PNG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconstructions: Option<String>,
    /// Figures a lecture printed for this trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceRecord>,
    /// Seconds per epoch a lecture printed for this trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_seconds: Option<f64>,
}

impl TrialRecord {
    /// Whether more epochs make it go on: it ended since its own were used up, and its schedule was not made for these.
    pub fn can_be_extended(&self) -> bool {
        let made_for_these = |schedule: Schedule| schedule.ends_with(self.budget.updates);
        self.status == Status::Finished
            && self.budget.max_updates.is_none()
            && !self.recipe.schedule.parse().is_ok_and(made_for_these)
    }

    /// Whether `other` does the same on `train` samples, whatever it is called: `batch:100` is `epoch` on 48.
    pub fn is_same_recipe(&self, other: &Self, train: usize) -> bool {
        let samples = |record: &RecipeRecord| Some(record.update.parse::<UpdateRule>().ok()?.samples(train));
        let rest = |trial: &Self| {
            let recipe = RecipeRecord { update: String::new(), ..trial.recipe.clone() };
            let target =
                trial.target.clone().map(|target| (target.metric, target.op, target.value.to_bits()));
            (trial.network.clone(), recipe, target, trial.budget)
        };
        samples(&self.recipe) == samples(&other.recipe) && rest(self) == rest(other)
    }
}

/// The resolved recipe, each choice as canonical spec text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeRecord {
    /// Update rule: `epoch`, `batch:100`, `sample`.
    pub update: String,
    /// Order of samples.
    pub order: String,
    /// Optimizer: the learning rate, and every key that is not at its default.
    pub optimizer: String,
    /// Learning-rate schedule.
    pub schedule: String,
    /// Loss.
    pub loss: String,
    /// Initial weights.
    pub init: String,
    /// Samples per group of batch statistics, where typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<usize>,
    /// What outputs are compared with: `class`, or `input` for an autoencoder.
    #[serde(default = "class")]
    pub targets: String,
    /// Whether these are standardised, where they are numbers: `standard` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_scale: Option<String>,
    /// Noise on the inputs; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
    /// Precision of matrix products.
    pub matmul_precision: String,
}

/// Whether anything else of ours ran at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Timing {
    /// Nothing else: the seconds are worth comparing.
    Alone,
    /// Other trials ran beside it.
    Shared,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It used up its epochs or updates.
    Finished,
    /// It reached its target.
    Target,
    /// It met its `--stop` condition.
    Stopped,
    /// A weight or a loss stopped being finite.
    Diverged,
    /// Someone pressed Ctrl-C.
    Interrupted,
    /// Something outside training went wrong.
    Failed,
}

impl Status {
    /// Whether the trial came to its end, by its budget or a condition.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Target | Self::Stopped)
    }
}

/// Where a trial stopped being finite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Number of the update, from 1; 0 if the initial weights already overflow.
    pub update: u64,
    /// Name of the layer, as in the model file.
    pub layer: String,
}

/// When a trial was to end, if no condition ended it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRecord {
    /// Epochs at most.
    pub epochs: u32,
    /// Updates at most, where given.
    pub max_updates: Option<u64>,
    /// The updates that this makes.
    pub updates: u64,
}

impl BudgetRecord {
    /// Whether trials with the one and with the other had as much to train with: as many epochs or as many updates.
    pub fn is_like(&self, other: &Self) -> bool {
        let same_epochs = (self.epochs, self.max_updates) == (other.epochs, other.max_updates);
        same_epochs || self.updates == other.updates
    }
}

/// Bytes of each kind of buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRecord {
    /// Weights and biases.
    pub parameters: usize,
    /// Gradient sums.
    pub gradients: usize,
    /// Momentum, second moments and the like.
    pub optimizer_state: usize,
    /// Activations, their gradients and the gathered inputs of one microbatch.
    pub activations: usize,
    /// Weights and optimizer state as they were at the last report point, in case training diverges.
    pub copy: usize,
    /// The data set.
    pub data: usize,
}

impl MemoryRecord {
    /// All of it.
    pub fn total(&self) -> usize {
        let Self { parameters, gradients, optimizer_state, activations, copy, data } = self;
        parameters + gradients + optimizer_state + activations + copy + data
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

/// The state of a trial after an epoch.
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
    /// Those of them in which the step waited for samples to be read; left out where it never did.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub load_wait_seconds: f64,
    /// Seconds since the trial's start, everything included.
    pub elapsed_seconds: f64,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// Where a trial's evaluation loss was lowest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epochs begun by then.
    pub epoch: u32,
    /// Weight updates by then.
    pub updates: u64,
    /// The loss.
    pub eval_loss: f64,
}

/// The weights there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestRecord {
    /// Their file, relative to the run folder.
    pub model: String,
    /// When, and the loss.
    #[serde(flatten)]
    pub best: Best,
}

/// Loss and accuracy over a whole split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean loss.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// Fraction classified correctly, of several labels the fraction all of whose labels are right; none without
    /// classes or labels.
    pub accuracy: Option<f64>,
    /// Share of the commonest class, or of the commonest combination of labels: the accuracy of always answering it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// The class that was answered to every sample, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_class: Option<usize>,
    /// How right several labels were.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelQuality>,
    /// How well inputs were reconstructed, where they were to be.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub reconstruction: Option<Reconstruction>,
    /// How far predicted numbers are off, where numbers are predicted.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<DeviationRecord>,
}

/// How far predicted numbers are from the true ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviationRecord {
    /// Mean absolute error, in the units of the data.
    #[serde(deserialize_with = "null_is_nan")]
    pub mae: f64,
    /// Share of the variance that is explained, the mean over outputs; none where one of them does not vary.
    pub r2: Option<f64>,
}

/// How right several labels were, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelQuality {
    /// Share of the labels of all samples that are right.
    pub label_accuracy: f64,
    /// Mean of the F1 scores of all labels.
    pub f1_macro: f64,
}

/// How well numbers in 0..=1 were reconstructed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconstruction {
    /// Mean squared error.
    #[serde(deserialize_with = "null_is_nan")]
    pub mse: f64,
    /// Peak signal-to-noise ratio in decibels, 10 log₁₀(1 / mse).
    #[serde(deserialize_with = "null_is_nan")]
    pub psnr: f64,
    /// Mean structural similarity; none for images smaller than 7 x 7.
    pub ssim: Option<f64>,
}

/// An evaluation at some point of training; `metrics.jsonl` has one per line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationPoint {
    /// Epochs begun so far.
    pub epoch: u32,
    /// Weight updates since the start.
    pub updates: u64,
    /// Training samples since the start.
    pub samples: u64,
    /// Seconds of training since the start.
    pub train_seconds: f64,
    /// Running training loss of this epoch so far; none before the first update.
    pub train_loss: Option<f64>,
    /// Loss on the evaluation split.
    pub eval_loss: Option<f64>,
    /// Accuracy on the evaluation split.
    pub eval_accuracy: Option<f64>,
    /// How well inputs were reconstructed, where they were to be.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub reconstruction: Option<Reconstruction>,
    /// How far predicted numbers are off, where numbers are predicted.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<DeviationRecord>,
}

/// What a trial recorded between its epochs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Loss of every single update, if kept.
    pub losses: Vec<f32>,
    /// Every evaluation, those of the epochs included.
    pub evaluations: Vec<EvaluationPoint>,
    /// Inputs and their reconstructions at the end.
    pub reconstructions: Option<Sheet>,
}

/// Pictures side by side in rows: inputs, inputs with noise where there is any, reconstructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// PNG.
    pub png: Vec<u8>,
    /// What each row shows, from the top.
    pub rows: Vec<&'static str>,
}

/// `null` stands for a number that is not finite.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn class() -> String {
    "class".into()
}
