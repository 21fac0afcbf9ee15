//! Record of a tuning: what was tried for every recipe, what was chosen, and the cost.

use super::{Role, TrialRecord};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// Tuning of the recipes of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TuningRecord {
    /// What was tuned: `lr`, `momentum`, `weight_decay`, `batch`.
    pub keys: Vec<String>,
    /// Cost of all probes.
    pub cost: TuningCost,
    /// True if the time that tuning took counts in the times to the target.
    #[serde(default)]
    pub counts: bool,
    /// Learning rate of the comparison at the same rate; `None` if there is none, as with a single recipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_rate: Option<f64>,
    /// Recipes, in the order of the study.
    pub recipes: Vec<TunedRecipe>,
}

/// Cost of probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TuningCost {
    /// Number of probes.
    pub probes: usize,
    /// Weight updates.
    pub updates: u64,
    /// Seconds of training.
    pub train_seconds: f64,
}

impl TuningCost {
    /// Adds up what probes cost.
    pub(crate) fn of<'a>(probes: impl IntoIterator<Item = &'a TrialRecord>) -> Self {
        let add = |cost: Self, probe: &TrialRecord| Self {
            probes: cost.probes + 1,
            updates: cost.updates + probe.updates,
            train_seconds: cost.train_seconds + probe.train_seconds,
        };
        probes.into_iter().fold(Self::default(), add)
    }
}

/// Tuning of one recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TunedRecipe {
    /// Name before tuning, which its probes have.
    pub name: String,
    /// Name of its trials at the best values.
    pub at_best: String,
    /// Name of its trials at the same rate as the other recipes; `at_best` if that is its best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_same_rate: Option<String>,
    /// Best values.
    pub chosen: BTreeMap<String, f64>,
    /// False if a better value may lie beyond those tried.
    pub inside: bool,
    /// Smallest and largest value to start with, by choice.
    pub ranges: BTreeMap<String, Bounds>,
    /// Measure that values were chosen by.
    #[serde(default)]
    pub judged_by: JudgedBy,
    /// Rates around the best at which that measure of the longest probes, and beyond those of the shorter ones, is at most
    /// 10 % above the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_rates: Option<Bounds>,
    /// Cost of its probes.
    pub cost: TuningCost,
    /// Its probes, in order.
    pub probes: Vec<ProbePoint>,
}

/// Measure that probes are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JudgedBy {
    /// Mean loss on the validation split at the end.
    #[default]
    Loss,
    /// Expected samples until the target, with restarts after a miss.
    Target,
}

/// Smallest and largest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

/// Values that were probed, and the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbePoint {
    /// Values, by choice.
    pub values: BTreeMap<String, f64>,
    /// Rung of the search: 0 for the first and shortest probes, which cover all rates.
    #[serde(default)]
    pub rung: usize,
    /// Updates of the probe, if it does not diverge.
    pub updates: u64,
    /// Mean loss on the validation split at the end; `None` if a probe diverged.
    pub loss: Option<f64>,
    /// Loss of each seed; `None` if it diverged.
    pub losses: Vec<Option<f64>>,
    /// Mean seconds of training until the target; `None` if a probe did not reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_seconds: Option<f64>,
}

impl TuningRecord {
    /// Returns true for trials of the race with what was chosen.
    pub fn has_chosen(&self, trial: &TrialRecord) -> bool {
        self.is_at_best(trial) || self.is_at_same_rate(trial)
    }

    /// Returns true for trials of the comparison of each recipe at its best.
    pub fn is_at_best(&self, trial: &TrialRecord) -> bool {
        self.recipes.iter().any(|recipe| recipe.at_best == trial.name)
    }

    /// Returns true for trials of the comparison at the same rate.
    pub fn is_at_same_rate(&self, trial: &TrialRecord) -> bool {
        self.recipes.iter().any(|recipe| recipe.at_same_rate.as_ref() == Some(&trial.name))
    }
}

/// Trials of a run: a list of those of the race, and apart from them the probes of its tuning. In `summary.json` they
/// are one list, told apart by their `role`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trials {
    race: Vec<TrialRecord>,
    /// Probes, in the order in which they ended.
    pub probes: Vec<TrialRecord>,
}

impl Trials {
    /// Returns true if no trial of the race and no probe has begun.
    pub(crate) fn has_none(&self) -> bool {
        self.race.is_empty() && self.probes.is_empty()
    }
}

impl From<Vec<TrialRecord>> for Trials {
    fn from(all: Vec<TrialRecord>) -> Self {
        let (race, probes) = all.into_iter().partition(|trial| trial.role == Role::Race);
        Self { race, probes }
    }
}

impl Deref for Trials {
    type Target = Vec<TrialRecord>;

    fn deref(&self) -> &Self::Target {
        &self.race
    }
}

impl DerefMut for Trials {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.race
    }
}

impl IntoIterator for Trials {
    type Item = TrialRecord;
    type IntoIter = std::vec::IntoIter<TrialRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.race.into_iter()
    }
}

impl<'a> IntoIterator for &'a Trials {
    type Item = &'a TrialRecord;
    type IntoIter = std::slice::Iter<'a, TrialRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.race.iter()
    }
}

impl<'a> IntoIterator for &'a mut Trials {
    type Item = &'a mut TrialRecord;
    type IntoIter = std::slice::IterMut<'a, TrialRecord>;

    fn into_iter(self) -> Self::IntoIter {
        self.race.iter_mut()
    }
}

impl Serialize for Trials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.race.iter().chain(&self.probes))
    }
}

impl<'de> Deserialize<'de> for Trials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
