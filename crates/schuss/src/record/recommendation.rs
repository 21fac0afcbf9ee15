//! Record of a recommended recipe.

use super::{Counts, Measure, PairVerdict, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A recommended recipe, and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Version of this format: 1.
    pub schema: u32,
    /// Origin of the data.
    pub data: String,
    /// Number of samples per split.
    pub counts: Counts,
    /// Time limit in seconds, from the start of the command.
    pub time_limit: f64,
    /// Seconds taken, from there on.
    pub seconds: f64,
    /// True if it was interrupted before its end.
    pub interrupted: bool,
    /// The recipe; `None` if no candidate could be evaluated.
    pub recipe: Option<RecommendedRecipe>,
    /// Name of the linear baseline in the finals.
    pub baseline: Option<String>,
    /// Certainty of the choice.
    pub certainty: Certainty,
    /// Comparisons of the recipe with the linear baseline, by loss and by accuracy; empty if it is the baseline.
    pub gain: Vec<Comparison>,
    /// Comparison with the next best recipe.
    pub runner_up: Option<PairVerdict>,
    /// Conditions under which another recipe would be chosen.
    pub flips: Vec<String>,
    /// Seconds of training to some qualities.
    pub qualities: Vec<QualityRecord>,
    /// Result on the test split, evaluated once, with the weights of the recipe's first seed.
    pub test: Option<TestRecord>,
    /// Seeds of the finals.
    pub seeds: Vec<u64>,
    /// Verdict on the finals; `None` if there were none.
    pub verdict: Option<Verdict>,
    /// All candidates of the search: those that came furthest first, and of these the one with the lowest loss.
    pub candidates: Vec<CandidateRecord>,
}

/// A recipe to train with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecommendedRecipe {
    /// Name in the verdict.
    pub name: String,
    /// Model spec, resolved.
    pub network: String,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Update rule.
    pub update: String,
    /// Optimizer with its learning rate.
    pub optimizer: String,
    /// Schedule.
    pub schedule: String,
    /// Loss.
    pub loss: String,
    /// Number of epochs.
    pub epochs: u32,
    /// Number of updates, if it ends within the first epoch.
    pub max_updates: Option<u64>,
    /// Seconds of training on this machine: the median over the seeds of the finals, else those of the search.
    pub train_seconds: f64,
    /// True if the loss was lowest at the end of the search, so that longer training may lower it further.
    pub still_falling: bool,
}

/// Certainty of a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Every other finalist is worse or equal, at the 95 % level.
    Sure,
    /// The linear baseline equals the best within a tie, at the 95 % level, and is therefore chosen.
    Tie,
    /// Better than the linear baseline at the 95 % level, but not told apart from another finalist.
    AboveBaseline,
    /// Not told apart from the linear baseline, which is chosen if they differ by no more than a tie; or the baseline leads, but
    /// is not told apart from a network.
    Undecided,
    /// No finals: it had the lowest loss in the search.
    #[default]
    Untested,
}

/// Comparison of two recipes by a measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Measure.
    pub by: Measure,
    /// Comparison of `a`, the recommended recipe, with `b`.
    #[serde(flatten)]
    pub pair: PairVerdict,
}

/// Time to a quality on the validation split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityRecord {
    /// `eval_accuracy` or `eval_loss`.
    pub by: Measure,
    /// Value to reach.
    pub value: f64,
    /// Seconds of training: the median over the seeds, with misses at infinity.
    pub seconds: f64,
}

/// Result on the test split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestRecord {
    /// Seed of the evaluated weights.
    pub seed: u64,
    /// Mean loss.
    pub loss: f64,
    /// Fraction classified correctly; `None` without classes.
    pub accuracy: Option<f64>,
    /// Further metrics by name.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// A candidate of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Name: network, update rule, optimizer.
    pub name: String,
    /// Lowest loss on the validation split; `None` if it was not evaluated, or diverged.
    pub loss: Option<f64>,
    /// Accuracy at that point.
    pub accuracy: Option<f64>,
    /// Epochs begun by then.
    pub epoch: Option<u32>,
    /// Updates made in the search.
    pub updates: u64,
    /// Seconds of training in the search.
    pub train_seconds: f64,
    /// True if it diverged.
    pub diverged: bool,
}
