//! Recipes, workloads, budgets and trials as plain data, and the grammar of their specs.

mod about;
mod choices;
mod condition;
mod device;
mod early_stop;
mod eval_every;
mod model_file;
mod precision;
mod target_scale;
mod workload;

pub use about::{Table, about};
pub use choices::{ChoiceKey, Choices, Group, Row, Source, ValueType};
pub use condition::{Condition, Metric, Op};
pub use device::Device;
pub use early_stop::{EarlyStop, Gl, Pq, Up};
pub use eval_every::{EvalEvery, EvalGrid};
pub use precision::MatmulPrecision;
pub use schuss_data::stream::order::Order;
pub use target_scale::TargetScale;
pub use workload::Workload;

pub(crate) use choices::unknown_key;
pub(crate) use early_stop::{EarlyStopState, generalisation_loss, is_beyond_chance};

use crate::instrument::Instrument;
use crate::loss::{Loss, Targets};
use crate::metrics::{self, Task};
use crate::network::{Init, Model, Noise, Plan};
use crate::optim::Method;
use crate::record::RecipeRecord;
use crate::schedule::{CurveOverTrial, Outlook, Schedule};
use crate::spec;
use crate::{Error, Result};
use choices::Line;
use schuss_data::Dataset;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Number of samples per weight update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateRule {
    /// All samples: one update per epoch.
    Epoch,
    /// A fixed number of samples; the last update of an epoch takes the rest. `batch:1` is the sample rule.
    Batch(usize),
}

impl UpdateRule {
    /// One update per sample.
    pub const SAMPLE: Self = Self::Batch(1);

    /// Returns the number of samples per update on a split of `len` samples.
    pub fn samples(self, len: usize) -> usize {
        match self {
            Self::Epoch => len,
            Self::Batch(samples) => samples.min(len),
        }
    }
}

impl Default for UpdateRule {
    fn default() -> Self {
        Self::Batch(100)
    }
}

impl FromStr for UpdateRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "epoch" => Ok(Self::Epoch),
            "sample" => Ok(Self::SAMPLE),
            other => match batch_size(other).map(str::parse) {
                Some(Ok(samples)) if samples > 0 => Ok(Self::Batch(samples)),
                Some(_) => {
                    Err(Error::usage(format!("`{text}` must give a whole number of samples, at least 1"))
                        .advise("write batch:100"))
                }
                None => Err(spec::unknown("update rule", other, &["epoch", "batch:100", "sample"])),
            },
        }
    }
}

/// Returns the text after `batch:`, or a bare number, as other programs give the batch size.
fn batch_size(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    text.strip_prefix("batch:").or(is_number.then_some(text))
}

impl fmt::Display for UpdateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch => f.write_str("epoch"),
            Self::Batch(1) => f.write_str("sample"),
            Self::Batch(samples) => write!(f, "batch:{samples}"),
        }
    }
}

/// Training procedure: update rule, optimizer, schedule, loss and related choices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Samples per weight update.
    pub update: UpdateRule,
    /// Order of samples within an epoch.
    pub order: Order,
    /// Optimizer.
    pub optimizer: Method,
    /// Schedule of the optimizer's learning rate, momentum and second beta.
    pub schedule: Schedule,
    /// Loss to minimise.
    pub loss: Loss,
    /// Initialisation of the weights.
    pub init: Init,
    /// Samples per group of batch statistics; by default those of the update, but at most 1,024.
    pub stats: Option<usize>,
    /// Required precision of matrix products.
    pub matmul_precision: MatmulPrecision,
    /// Processor that it runs on.
    pub device: Device,
}

/// Default maximum of samples per group of batch statistics.
const MOST_STATISTICS: usize = 1_024;

impl Recipe {
    /// Returns the number of samples per group of batch statistics, for updates of `samples` samples.
    pub fn statistics(&self, samples: usize) -> usize {
        self.stats.unwrap_or(MOST_STATISTICS).min(samples)
    }
}

/// Stopping criteria of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Maximum number of epochs.
    pub epochs: u32,
    /// Maximum number of updates.
    pub max_updates: Option<u64>,
    /// Target to reach.
    pub target: Option<Condition>,
    /// True to continue after the target is reached, to record the rest of the curve.
    pub beyond_target: bool,
    /// Condition that ends the trial when met at the end of an epoch or at an evaluation.
    pub stop: Option<Condition>,
    /// Criterion that ends the trial when its evaluation loss rises.
    pub early_stop: Option<EarlyStop>,
    /// Evaluations within epochs, at which target and condition may be met; [`Trial::eval_every`] has the default.
    pub eval_every: Option<EvalEvery>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            epochs: 10,
            max_updates: None,
            target: None,
            beyond_target: false,
            stop: None,
            early_stop: None,
            eval_every: None,
        }
    }
}

/// Workload, recipe, budget and seed: everything that can change a bit of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Name in tables.
    pub name: String,
    /// Data spec, resolved.
    pub data: String,
    /// The network.
    pub model: Model,
    /// Kind of target.
    pub targets: Targets,
    /// Scaling of numeric targets; by default chosen by the loss.
    pub target_scale: Option<TargetScale>,
    /// Noise on the inputs.
    pub noise: Option<Noise>,
    /// File of initial weights, in place of random ones.
    pub init_from: Option<PathBuf>,
    /// Recipe.
    pub recipe: Recipe,
    /// Budget.
    pub budget: Budget,
    /// Seed of initial weights and sample order.
    pub seed: u64,
    /// Metrics of one's own, measured beside the built-in ones.
    pub metrics: Vec<metrics::Custom>,
    /// Instruments that read the trial, without an effect on it.
    pub instruments: Vec<Instrument>,
}

impl Default for Trial {
    /// Returns the lecture's network with the batch rule, ten epochs and seed 1.
    fn default() -> Self {
        Self {
            name: "trial".into(),
            data: String::new(),
            model: Model::default(),
            targets: Targets::default(),
            target_scale: None,
            noise: None,
            init_from: None,
            recipe: Recipe::default(),
            budget: Budget::default(),
            seed: 1,
            metrics: vec![],
            instruments: vec![],
        }
    }
}

impl Trial {
    /// Returns the record of the recipe and workload; `init` is the file if initial weights come from one.
    pub fn record(&self) -> RecipeRecord {
        let recorded = ChoiceKey::ALL.iter().filter(|key| key.row().is_recorded);
        recorded.filter_map(|key| Some(key.row().entry(self.written(*key)?))).collect()
    }

    /// Returns a choice as it stands in records and identities.
    fn written(&self, key: ChoiceKey) -> Option<String> {
        match (key, &self.init_from) {
            (ChoiceKey::Init, Some(path)) => Some(format!("file:{}", path.display())),
            _ => key.get(self),
        }
    }

    /// Returns a copy for a training split of `samples` samples, with omitted schedule lengths filled in, and with a
    /// momentum buffer if the schedule drives momentum.
    #[must_use]
    pub fn resolved(&self, samples: usize) -> Self {
        let schedule = self.recipe.schedule.resolve(self.updates(samples));
        let optimizer = self.recipe.optimizer.clone().with_velocity(&schedule);
        Self { recipe: Recipe { schedule, optimizer, ..self.recipe.clone() }, ..self.clone() }
    }

    /// Returns its task on `data`, which determines the metrics.
    pub(crate) fn task(&self, data: &Dataset) -> Task {
        let outputs = match self.targets {
            Targets::Input => data.shape.features(),
            _ => data.target_kind().outputs(),
        };
        self.recipe.loss.task(self.targets, outputs, &data.labels, data.shape)
    }

    /// Plans its network on `data`.
    ///
    /// # Errors
    /// A usage error if it does not fit the data.
    pub(crate) fn plan(&self, data: &Dataset) -> Result<Plan> {
        Plan::for_targets(&self.model, data.shape, data.target_kind().outputs(), self.targets)
    }

    /// Returns the evaluations within epochs: by default those of the grid if there is a target.
    pub fn eval_every(&self) -> Option<EvalEvery> {
        self.budget.eval_every.or(self.budget.target.map(|_| EvalEvery::Auto))
    }

    /// Returns the number of updates on a training split of `samples` samples if the trial uses up its budget.
    pub fn updates(&self, samples: usize) -> u64 {
        let per_epoch = samples.div_ceil(self.recipe.update.samples(samples).max(1)) as u64;
        let all = per_epoch.saturating_mul(u64::from(self.budget.epochs));
        self.budget.max_updates.map_or(all, |most| most.min(all))
    }

    /// Returns everything but the seed as canonical text, equal for equal trials.
    pub fn canonical(&self) -> String {
        let line = |key: ChoiceKey| {
            let row = key.row();
            let text = self.written(key).unwrap_or_else(|| row.unset.to_owned());
            let is_left_out = match row.line {
                Line::Number(_) => false,
                Line::Later => text == row.unset,
                Line::Only(value) => text != value,
                Line::Elsewhere => true,
            };
            (row.is_of_trial() && !is_left_out).then(|| format!("{} = {text}\n", row.key))
        };
        let lines: String = ChoiceKey::by_line().into_iter().filter_map(line).collect();
        format!("data = {}\n{lines}", self.data)
    }

    /// Returns the first 12 hex digits of the SHA-256 of [`Self::canonical`].
    pub fn config_id(&self) -> String {
        hex(&self.canonical())
    }

    /// Returns the same hash without the number of epochs: trials with equal ids proceed identically as long as both
    /// run.
    pub fn course_id(&self) -> String {
        let canonical = self.canonical();
        let lines = canonical.lines().filter(|line| !line.starts_with("epochs = "));
        hex(&lines.collect::<Vec<_>>().join("\n"))
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

impl Trial {
    /// Describes the effect of the schedule on `samples` training samples; `None` if the schedule is constant, the
    /// optimizer has no knobs or there are no updates.
    pub fn outlook(&self, samples: usize) -> Option<Outlook> {
        let schedule = &self.recipe.schedule;
        let updates = self.updates(samples);
        let knobs = self.recipe.optimizer.knobs()?;
        if schedule.is_constant() || updates == 0 {
            return None;
        }
        let per_epoch = samples.div_ceil(self.recipe.update.samples(samples).max(1)) as u64;
        let epochs = self.budget.epochs;
        Some(CurveOverTrial { schedule, knobs, updates, per_epoch, epochs }.outlook())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn update_rules_survive_a_round_trip_and_sample_is_batch_1() {
        for (text, rule) in [
            ("epoch", UpdateRule::Epoch),
            ("batch:32", UpdateRule::Batch(32)),
            ("sample", UpdateRule::SAMPLE),
        ] {
            assert_eq!(text.parse::<UpdateRule>().unwrap(), rule);
            assert_eq!(rule.to_string(), text);
        }
        assert_eq!("batch:1".parse::<UpdateRule>().unwrap(), UpdateRule::SAMPLE);
        assert_eq!("64".parse::<UpdateRule>().unwrap(), UpdateRule::Batch(64));
        for text in ["batch:0", "0", "64.5", "batch:-1", "batch:x", "batch:", "batch", "bach:10", ""] {
            assert_eq!(text.parse::<UpdateRule>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
