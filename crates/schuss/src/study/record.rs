//! What a run leaves behind, as plain data: `summary.json` is [`Summary`], field by field.
//!
//! Fractions, not percentages; seconds; bytes; a number that is not finite is `null`. New keys may appear
//! without a new schema number, so readers ignore keys they do not know.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

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
    /// The folder it was typed in, which relative paths begin from.
    #[serde(default)]
    pub directory: String,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// Hash of shapes, pixels and labels.
    pub fingerprint: String,
    /// Where it came from, for people.
    pub origin: String,
    /// Samples per split.
    pub counts: Counts,
    /// Number of classes; 1 / classes is the chance level. 0 where labels are no classes.
    pub classes: usize,
    /// The split that `eval_*` and the curves look at.
    pub eval_split: String,
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
    pub recipe_id: String,
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

/// One trial and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Name of the recipe in the study.
    pub name: String,
    /// Hash of everything in the trial but the seed.
    pub recipe_id: String,
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
    /// Weight updates done.
    pub updates: u64,
    /// Training samples seen.
    pub samples: u64,
    /// Seconds of training: evaluation and files excluded.
    pub train_seconds: f64,
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

/// Where a trial stopped being finite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Number of the update, from 1; 0 if the initial weights already overflow.
    pub update: u64,
    /// Name of the layer, as in the model file.
    pub layer: String,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Fraction classified correctly; none without classes.
    pub accuracy: Option<f64>,
    /// How well inputs were reconstructed, where they were to be.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub reconstruction: Option<Reconstruction>,
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

/// An error surface J(w1, w2), sampled on a grid, with the paths of optimizers over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurfaceRecord {
    /// Short name, e.g. `saddle`.
    pub name: String,
    /// One line.
    pub title: String,
    /// Its equation, as text.
    pub equation: String,
    /// What it teaches, one or two sentences.
    pub lesson: String,
    /// Range of w1, left to right.
    pub w1: [f64; 2],
    /// Range of w2, bottom to top.
    pub w2: [f64; 2],
    /// Points per side of the grid.
    pub size: usize,
    /// J on the grid, row after row from the bottom; `size * size` numbers.
    pub values: Vec<f64>,
    /// Known minima.
    pub minima: Vec<[f64; 2]>,
    /// One path per optimizer and start.
    pub paths: Vec<PathRecord>,
}

/// The way of one optimizer down a surface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathRecord {
    /// Name of the optimizer in the legend: `GD`, `SGD`, `momentum`, `Adam`.
    pub name: String,
    /// Its spec, e.g. `sgd:lr=0.1,momentum=0.9`.
    pub optimizer: String,
    /// Name of the start.
    pub start: String,
    /// Weights before the first and after every update.
    pub points: Vec<[f64; 2]>,
    /// J at those points.
    pub values: Vec<f64>,
    /// Adam only: bias-corrected first moment after every update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub m_hat: Vec<[f64; 2]>,
    /// Adam only: bias-corrected second moment after every update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub v_hat: Vec<[f64; 2]>,
    /// Adam only: effective step lr / (sqrt(v_hat) + eps) after every update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effective_step: Vec<[f64; 2]>,
    /// One sentence on where it ended.
    pub verdict: String,
}

/// `null` stands for a number that is not finite.
fn null_is_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn class() -> String {
    "class".into()
}
