//! The verdict of a run: the order of its recipes, and how sure that is.

use super::Spread;
use super::numbers::{percent_tick, plain};
use serde::{Deserialize, Serialize};

/// Order of the recipes of a run, computed from its trials alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Version of this format: 1.
    pub schema: u32,
    /// Confidence level of intervals and tests.
    pub level: f64,
    /// Measure by which recipes are ranked.
    pub by: Measure,
    /// Target of all trials; `None` if there is none, or targets differ.
    pub target: Option<TargetBound>,
    /// Relative difference up to which two recipes count as equal.
    pub tie: f64,
    /// One entry per recipe, in the order of the study.
    pub recipes: Vec<RecipeVerdict>,
    /// One entry per pair of recipes; with more than 64 recipes, those of the leader only. Empty if recipes cannot be
    /// ranked.
    pub pairs: Vec<PairVerdict>,
    /// Recipe that leads; `None` if there is nothing to rank.
    pub leader: Option<String>,
    /// True if every other recipe is decided against the leader: slower, worse or equal.
    pub sure: bool,
    /// Recipes that equal the leader within `tie`.
    #[serde(default)]
    pub ties: Vec<String>,
    /// Recipe that would lead if target or budget were moved by 5 %.
    pub firm: Firm,
    /// Step of the evaluation grid where the target was reached, in the units of `by`: the median over trials.
    pub resolution: Option<f64>,
    /// Noise of the machine: the relative standard deviation of the seconds per update from one slice of a trial to
    /// another, of the median trial. `None` if no trial has several slices.
    pub noise: Option<f64>,
    /// Seed-dependent parts of a trial.
    pub seed_varies: String,
    /// True if the order at the target and the order at the end of the budget disagree; `None` if there is only one of
    /// them.
    pub orders_disagree: Option<bool>,
    /// Seeds and error spent; `None` if the number of seeds was fixed.
    pub spending: Option<Spending>,
    /// Verdict at the same learning rate, if rates were tuned.
    pub same_rate: Option<Box<Verdict>>,
    /// Verdicts on the values at the end of the budget that `by` does not rank.
    #[serde(default)]
    pub quality: Vec<Verdict>,
    /// The verdict in words, most important sentence first.
    pub sentences: Vec<String>,
}

/// Looks at a race whose number of seeds was not fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// Looks that are complete.
    pub looks: Vec<Look>,
    /// Error that they may have spent, of 1 − `level`.
    pub spent: f64,
    /// Look that would come next; `None` if leader and ties are decided, or at the last number of seeds.
    pub next: Option<NextLook>,
}

/// A look at a race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Number of seeds, from 1.
    pub seeds: usize,
    /// Error that it may spend.
    pub error: f64,
    /// Recipes that took part.
    pub recipes: Vec<String>,
    /// Recipe that led.
    pub leader: Option<String>,
    /// Number of pairs that it decided.
    pub decided: usize,
}

/// A look at a race for which some trials have not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextLook {
    /// Number of seeds, from 1.
    pub seeds: usize,
    /// Recipes that take part.
    pub recipes: Vec<String>,
}

/// Measure by which recipes are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Training seconds to the target.
    TrainSeconds,
    /// Updates to the target, where seconds cannot be compared.
    Updates,
    /// Loss on the evaluation split at the end of the budget.
    EvalLoss,
    /// Accuracy on the evaluation split at the end of the budget; higher is better.
    EvalAccuracy,
}

impl Measure {
    /// Returns true for times to the target.
    pub fn is_time(self) -> bool {
        matches!(self, Self::TrainSeconds | Self::Updates)
    }
}

/// A target such as `eval_accuracy>=0.96`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetBound {
    /// `eval_accuracy`, `eval_loss` or `train_loss`.
    pub metric: String,
    /// `>=`, `<=`, `>` or `<`.
    pub op: String,
    /// The bound.
    pub value: f64,
}

impl TargetBound {
    /// Returns true if a value of the metric meets the target.
    pub fn is_met(&self, value: f64) -> bool {
        match self.op.as_str() {
            ">=" => value >= self.value,
            ">" => value > self.value,
            "<" => value < self.value,
            _ => value <= self.value,
        }
    }

    /// Returns the target in words: `test accuracy ≥ 96 %`.
    pub fn words(&self, split: &str) -> String {
        let op = match self.op.as_str() {
            ">=" => "≥",
            "<=" => "≤",
            other => other,
        };
        match self.metric.as_str() {
            "eval_accuracy" => format!("{split} accuracy {op} {}", percent_tick(self.value)),
            "eval_loss" => format!("{split} loss {op} {}", plain(self.value)),
            "train_loss" => format!("training loss {op} {}", plain(self.value)),
            other => format!("{other} {op} {}", plain(self.value)),
        }
    }
}

/// Lower and upper end of an interval, written as an array.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, Option<f64>)", into = "(f64, Option<f64>)")]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end; `None` if it lies beyond the budget.
    pub high: Option<f64>,
}

impl Interval {
    /// Returns the interval of times that are known up to this factor.
    pub(crate) fn widened(self, factor: f64) -> Self {
        Self { low: self.low / factor, high: self.high.map(|high| high * factor) }
    }
}

impl From<(f64, Option<f64>)> for Interval {
    fn from((low, high): (f64, Option<f64>)) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for (f64, Option<f64>) {
    fn from(Interval { low, high }: Interval) -> Self {
        (low, high)
    }
}

/// Kind of an interval over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntervalKind {
    /// Contains the true median with a probability of at least 95 %.
    #[serde(rename = "95%")]
    Confidence,
    /// From the lowest to the highest value: fewer than six seeds have no interval at this level.
    #[serde(rename = "range")]
    Range,
}

/// A recipe by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeVerdict {
    /// Name of the recipe.
    pub name: String,
    /// Hash of everything in its trials but the seed.
    #[serde(alias = "recipe_id")]
    pub config_id: String,
    /// Number of trials.
    pub trials: usize,
    /// Number of trials that reached the target or, without one, the end of the budget.
    pub reached: usize,
    /// Median of the measure, with misses at infinity; `None` if it is infinite.
    pub median: Option<f64>,
    /// Interval of the median; `None` if even its lower end is unknown.
    pub interval: Option<Interval>,
    /// Kind of `interval`.
    pub interval_kind: IntervalKind,
    /// Expected time to the target with restarts: times of the hits plus all time of the misses, over the number of
    /// hits. `None` without a hit or a target.
    pub expected: Option<f64>,
    /// Probability of being the best: the share of resampled sets of seeds. `None` if recipes cannot be ranked.
    pub p_best: Option<f64>,
    /// Values at the end of the budget.
    #[serde(rename = "final")]
    pub last: FinalValues,
}

/// Values of a recipe at the end of the budget, over the trials that got there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FinalValues {
    /// Loss on the evaluation split.
    pub eval_loss: Option<Spread>,
    /// Accuracy on the evaluation split.
    pub eval_accuracy: Option<Spread>,
}

/// Comparison of two recipes, seed by seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairVerdict {
    /// One recipe.
    pub a: String,
    /// The other recipe.
    pub b: String,
    /// Seeds with which `a` is better.
    pub wins: usize,
    /// Seeds with which `b` is better.
    pub losses: usize,
    /// Seeds with which they are equal. Pairs whose order is undetermined count nowhere.
    pub ties: usize,
    /// Geometric mean of the time of `b` over that of `a`; `None` for values, and unless every trial has a time.
    pub ratio: Option<f64>,
    /// Mean of the value of `b` less that of `a`; `None` for times, and unless every trial has a value.
    #[serde(default)]
    pub difference: Option<f64>,
    /// 95 % interval of `ratio` or `difference`, adjusted for the looks but not for the number of pairs; `None` where all
    /// seeds differ by the same step of a grid.
    pub interval: Option<[f64; 2]>,
    /// p-value, adjusted for all pairs by Holm's method, and for all looks.
    pub p: Option<f64>,
    /// Test of `p`.
    #[serde(default)]
    pub test: Option<Test>,
    /// p-value of the exact sign-flip test, not adjusted; from six seeds on.
    #[serde(default)]
    pub sign_flip: Option<f64>,
    /// `a` against `b`.
    pub outcome: PairOutcome,
    /// Number of further seeds that would probably decide an undecided pair; `None` if it would take over a thousand.
    pub seeds_needed: Option<usize>,
}

/// Test of two recipes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Student's t test on paired log ratios or differences, corrected for splits that overlap.
    T,
    /// Exact test on the signs, where all log ratios or differences are the same.
    Signs,
    /// Fisher's exact test on the numbers of trials that reached the target.
    Fisher,
}

/// Outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairOutcome {
    /// `a` reaches the target sooner.
    Faster,
    /// `b` reaches the target sooner.
    Slower,
    /// `a` has the better value.
    Better,
    /// `b` has the better value.
    Worse,
    /// The interval lies within a tie.
    Equal,
    /// None of these is certain.
    Undecided,
}

/// Recipe that would lead under another target or budget; `None` where the records do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firm {
    /// With the bound of the target lower by 5 %.
    pub target_minus_5: Option<String>,
    /// With the bound of the target higher by 5 %.
    pub target_plus_5: Option<String>,
    /// With a budget smaller by 5 %.
    pub budget_minus_5: Option<String>,
    /// With a budget greater by 5 %.
    pub budget_plus_5: Option<String>,
}

impl PairVerdict {
    /// Returns the same comparison as seen from the other recipe.
    pub fn reversed(self) -> Self {
        let inverse = |[low, high]: [f64; 2]| match self.ratio {
            Some(_) => [1.0 / high, 1.0 / low],
            None => [-high, -low],
        };
        Self {
            interval: self.interval.map(inverse),
            a: self.b,
            b: self.a,
            wins: self.losses,
            losses: self.wins,
            ratio: self.ratio.map(|ratio| 1.0 / ratio),
            difference: self.difference.map(|difference| -difference),
            outcome: self.outcome.reversed(),
            ..self
        }
    }
}

impl PairOutcome {
    /// Returns true if `a` is decided to be faster or better than `b`, or equal to it.
    pub fn keeps_lead(self) -> bool {
        matches!(self, Self::Faster | Self::Better | Self::Equal)
    }

    /// Returns the outcome as seen from the other recipe.
    pub fn reversed(self) -> Self {
        match self {
            Self::Faster => Self::Slower,
            Self::Slower => Self::Faster,
            Self::Better => Self::Worse,
            Self::Worse => Self::Better,
            Self::Equal | Self::Undecided => self,
        }
    }
}
