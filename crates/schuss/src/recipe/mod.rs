//! What to do, as plain data: recipes, workloads, budgets and trials, and the grammar they are typed in.

mod about;
mod condition;
pub(crate) mod names;
mod precision;
pub mod spec;
mod target_scale;
mod workload;

pub use about::{About, Key, Table, about};
pub use condition::{Condition, Metric, Op};
pub use precision::MatmulPrecision;
pub use schuss_data::order::Order;
pub use target_scale::TargetScale;
pub use workload::{Noise, Targets};

use crate::loss::Loss;
use crate::network::{Init, Model};
use crate::optim::Method;
use crate::schedule::Schedule;
use crate::study::record::RecipeRecord;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How many samples feed one weight update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateRule {
    /// All of them: one update per epoch.
    Epoch,
    /// So many; the last update of an epoch takes what is left. `batch:1` is the sample rule.
    Batch(usize),
}

impl UpdateRule {
    /// One update per sample.
    pub const SAMPLE: Self = Self::Batch(1);

    /// Samples per update on a split of `len` samples.
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

/// What follows `batch:`, or a bare number, which is what other programs call the batch size.
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

/// HOW to train.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recipe {
    /// Samples per weight update.
    pub update: UpdateRule,
    /// Order of samples within an epoch.
    pub order: Order,
    /// From gradient to new weights.
    pub optimizer: Method,
    /// What drives its learning rate, momentum and second beta.
    pub schedule: Schedule,
    /// What is minimised.
    pub loss: Loss,
    /// Weights before the first update.
    pub init: Init,
    /// Samples per group of batch statistics; the update, but at most 1,024, when left out.
    pub stats: Option<usize>,
    /// How precise products must be.
    pub matmul_precision: MatmulPrecision,
}

impl Recipe {
    /// Every choice as canonical spec text.
    pub fn record(&self) -> RecipeRecord {
        RecipeRecord {
            update: self.update.to_string(),
            order: self.order.to_string(),
            optimizer: self.optimizer.to_string(),
            schedule: self.schedule.to_string(),
            loss: self.loss.to_string(),
            init: self.init.to_string(),
            stats: self.stats,
            targets: Targets::default().to_string(),
            target_scale: None,
            noise: None,
            matmul_precision: self.matmul_precision.to_string(),
        }
    }
}

/// WHEN to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// At most so many epochs.
    pub epochs: u32,
    /// At most so many updates.
    pub max_updates: Option<u64>,
    /// What is to be reached.
    pub target: Option<Condition>,
    /// Whether to go on once the target is reached, to see the rest of the curve.
    pub beyond_target: bool,
    /// Ends the trial when met at the end of an epoch or at an evaluation.
    pub stop: Option<Condition>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { epochs: 10, max_updates: None, target: None, beyond_target: false, stop: None }
    }
}

/// Workload, recipe, budget and seed: everything that may change a bit of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What it is called in tables.
    pub name: String,
    /// Data spec, resolved.
    pub data: String,
    /// The network.
    pub model: Model,
    /// What its outputs are compared with.
    pub targets: Targets,
    /// Whether these are standardised, where they are numbers; as the loss has it when left out.
    pub target_scale: Option<TargetScale>,
    /// Noise on its inputs.
    pub noise: Option<Noise>,
    /// Weights to begin with, in place of random ones.
    pub init_from: Option<PathBuf>,
    /// How.
    pub recipe: Recipe,
    /// When to stop.
    pub budget: Budget,
    /// Seed of initial weights and order.
    pub seed: u64,
}

impl Default for Trial {
    /// The lecture's network under the batch rule, ten epochs, seed 1.
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
        }
    }
}

impl Trial {
    /// The resolved recipe; weights that come from a file are no draw of PyTorch's kind.
    pub fn record(&self) -> RecipeRecord {
        let from_file = self.init_from.as_ref().map(|path| format!("file:{}", path.display()));
        let recipe = self.recipe.record();
        RecipeRecord {
            init: from_file.unwrap_or(recipe.init),
            targets: self.targets.to_string(),
            target_scale: self.target_scale().map(|scale| scale.to_string()),
            noise: self.noise.as_ref().map(Noise::to_string),
            ..recipe
        }
    }

    /// The same on a training split of `samples` samples, with the lengths of schedules that were left out filled in,
    /// and a velocity where the schedule drives a momentum.
    #[must_use]
    pub fn resolved(&self, samples: usize) -> Self {
        let schedule = self.recipe.schedule.resolve(self.updates(samples));
        let optimizer = self.recipe.optimizer.clone().with_velocity(&schedule);
        Self { recipe: Recipe { schedule, optimizer, ..self.recipe.clone() }, ..self.clone() }
    }

    /// Weight updates on a training split of `samples` samples, if nothing but the budget ends it.
    pub fn updates(&self, samples: usize) -> u64 {
        let per_epoch = samples.div_ceil(self.recipe.update.samples(samples).max(1)) as u64;
        let all = per_epoch.saturating_mul(u64::from(self.budget.epochs));
        self.budget.max_updates.map_or(all, |most| most.min(all))
    }

    /// Everything but the seed, as text that is the same for the same trial.
    pub fn canonical(&self) -> String {
        let (recipe, budget) = (self.record(), &self.budget);
        let text = |condition: Option<Condition>| condition.map_or_else(|| "none".into(), |c| c.to_string());
        let lines = [
            ("data", self.data.clone()),
            ("model", self.model.to_string()),
            ("targets", self.targets.to_string()),
            ("noise", self.noise.as_ref().map_or_else(|| "none".into(), Noise::to_string)),
            ("init", recipe.init),
            ("update", recipe.update),
            ("order", recipe.order),
            ("optimizer", recipe.optimizer),
            ("schedule", recipe.schedule),
            ("loss", recipe.loss),
            ("stats", recipe.stats.map_or_else(|| "update".into(), |stats| stats.to_string())),
            ("matmul_precision", recipe.matmul_precision),
            ("epochs", budget.epochs.to_string()),
            ("max_updates", budget.max_updates.map_or_else(|| "none".into(), |n| n.to_string())),
            ("target", text(budget.target)),
            ("beyond_target", budget.beyond_target.to_string()),
            ("stop", text(budget.stop)),
        ];
        // left out where it is none, so that such trials have the name that they had before there was a choice
        let scale = self.target_scale().filter(|scale| *scale != TargetScale::None);
        let scale = scale.map(|scale| ("target_scale", scale.to_string()));
        lines.iter().chain(&scale).map(|(key, value)| format!("{key} = {value}\n")).collect()
    }

    /// The first 12 hex digits of the SHA-256 of [`Self::canonical`].
    pub fn config_id(&self) -> String {
        hex(&self.canonical())
    }

    /// The same of all of it but the number of epochs: trials that share it go the same way as long as both last.
    pub fn course_id(&self) -> String {
        let canonical = self.canonical();
        let lines = canonical.lines().filter(|line| !line.starts_with("epochs = "));
        hex(&lines.collect::<Vec<_>>().join("\n"))
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
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
