//! Choices for a trial as spec text, the same on the command line, in `--trial` and in a study file.

use crate::loss::Targets;
use crate::loss::{Bce, Mse};
use crate::network::Model;
use crate::network::Noise;
use crate::optim::{Method, Sgd};
use crate::recipe::{Budget, Recipe, TargetScale, Trial};
use crate::spec;
use crate::spec::Choice;
use crate::{Error, Result};
use schuss_data::Dataset;
use serde::{Deserialize, Serialize};

/// Choices as spec text; unset ones are filled in from elsewhere, finally by the defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// Network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    /// Update rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// Order of samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Optimizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<String>,
    /// Library whose defaults apply to omitted keys of the optimizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// Precision of matrix products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matmul_precision: Option<String>,
    /// Schedule of learning rate, momentum and second beta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Weight initialisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Samples per group of batch statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<usize>,
    /// Kind of target: `class`, `real` or `input`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
    /// Scaling of numeric targets: `standard` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_scale: Option<String>,
    /// Noise on the inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<String>,
    /// File to load the initial weights from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<String>,
    /// Maximum number of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Maximum number of updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_updates: Option<u64>,
    /// Target to reach, e.g. `eval_accuracy>=0.96`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// True to continue after the target is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond_target: Option<bool>,
    /// Stop condition, e.g. `train_loss<0.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// Applies a macro to every field.
macro_rules! each_choice {
    ($do:ident) => {
        $do!(
            model,
            loss,
            update,
            order,
            optimizer,
            dialect,
            schedule,
            matmul_precision,
            init,
            stats,
            targets,
            target_scale,
            noise,
            init_from,
            epochs,
            max_updates,
            target,
            beyond_target,
            stop
        )
    };
}

impl Choices {
    /// Returns these choices, with unset ones taken from `base`.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        macro_rules! merge {
            ($($field:ident),*) => { Self { $($field: self.$field.or_else(|| base.$field.clone())),* } };
        }
        each_choice!(merge)
    }

    /// Names of the choices that are set.
    pub fn made(&self) -> Vec<&'static str> {
        macro_rules! list {
            ($($field:ident),*) => { [$((stringify!($field), self.$field.is_some())),*] };
        }
        each_choice!(list).into_iter().filter(|(_, made)| *made).map(|(name, _)| name).collect()
    }

    /// Returns a copy for each combination of values in braces, `adam:lr={1e-4,1e-3}`, labelled with these values;
    /// the label omits those of update rule and optimizer, which are part of a trial's name anyway.
    ///
    /// # Errors
    /// Usage errors for braces without values.
    pub(crate) fn each(&self) -> Result<Vec<(String, Self)>> {
        let mut all = vec![(String::new(), self.clone())];
        for axis in AXES {
            let Some(text) = self.clone().axis_mut(axis).and_then(Option::take) else { continue };
            let values = spec::sweep(&text).map_err(|error| placed(error, axis))?;
            let named = values.len() > 1 && !["update", "optimizer"].contains(&axis);
            let with = |(label, choices): &(String, Self), value: &String| {
                let mut choices = choices.clone();
                choices.axis_mut(axis).into_iter().for_each(|choice| *choice = Some(value.clone()));
                let label = if named { format!("{label} {value}") } else { label.clone() };
                (label.trim().to_owned(), choices)
            };
            all = all
                .iter()
                .flat_map(|before| values.iter().map(|value| with(before, value)).collect::<Vec<_>>())
                .collect();
        }
        Ok(all)
    }

    /// Returns the text choice called `name`, one of [`AXES`].
    pub(crate) fn axis_mut(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "model" => Some(&mut self.model),
            "loss" => Some(&mut self.loss),
            "update" => Some(&mut self.update),
            "order" => Some(&mut self.order),
            "optimizer" => Some(&mut self.optimizer),
            "schedule" => Some(&mut self.schedule),
            "init" => Some(&mut self.init),
            "noise" => Some(&mut self.noise),
            "matmul_precision" => Some(&mut self.matmul_precision),
            _ => None,
        }
    }

    /// Parses one `--trial`, such as `'name=slow update=sample optimizer=sgd:lr=0.01'`, into its name and choices.
    ///
    /// # Errors
    /// A usage error that names the word.
    pub fn parse_trial(text: &str) -> Result<(Option<String>, Self)> {
        let mut table = toml::Table::new();
        for word in text.split_whitespace() {
            let (key, value) = word.split_once('=').ok_or_else(|| {
                Error::usage(format!("`{word}` in --trial '{text}' has no `=`"))
                    .advise("--trial 'update=sample optimizer=sgd:lr=0.01'")
            })?;
            let key = key.to_lowercase().replace('-', "_");
            let known = [KEYS, &["name"]].concat();
            if !known.contains(&key.as_str()) {
                return Err(spec::unknown("key of --trial", &key, &known));
            }
            let parsed = match key.as_str() {
                "epochs" | "max_updates" | "stats" => value.parse().ok().map(toml::Value::Integer),
                "beyond_target" => value.parse().ok().map(toml::Value::Boolean),
                _ => Some(toml::Value::String(value.to_owned())),
            };
            let parsed = parsed.ok_or_else(|| {
                Error::usage(format!("`{value}` is not a valid value for {key}")).at("--trial")
            })?;
            if table.insert(key.clone(), parsed).is_some() {
                return Err(Error::usage(format!("duplicate key `{key}` in --trial '{text}'")));
            }
        }
        let name = table.remove("name").and_then(|name| name.as_str().map(str::to_owned));
        let choices =
            table.try_into().map_err(|error: toml::de::Error| Error::usage(error.message()).at("--trial"))?;
        Ok((name, choices))
    }

    /// Resolves these choices into a trial on `data`.
    ///
    /// # Errors
    /// Usage errors that name the choice.
    pub fn resolve(&self, name: &str, data: &Dataset) -> Result<Trial> {
        if self.max_updates == Some(0) {
            return Err(Error::usage("max_updates must be at least 1, not 0"));
        }
        let defaults = (Recipe::default(), Budget::default());
        if self.stats == Some(0) {
            return Err(Error::usage("stats must be at least 1, not 0"));
        }
        let (inputs, kind) = (data.shape.features(), data.target_kind());
        let targets = read(self.targets.as_deref(), "targets")?.map_or_else(|| Targets::of(kind), Ok)?;
        targets.check(data)?;
        let loss = match targets {
            Targets::Class => defaults.0.loss,
            Targets::Real if !data.labels.is_empty() => Bce::default().into(),
            Targets::Real | Targets::Input => Mse::default().into(),
        };
        let target_scale: Option<TargetScale> = read(self.target_scale.as_deref(), "target-scale")?;
        let noise = read(self.noise.as_deref().filter(|noise| *noise != "none"), "noise")?;
        let outputs = if targets == Targets::Input { inputs } else { kind.outputs() };
        let model = match &self.model {
            Some(text) => Model::read(text, inputs, outputs).map_err(|error| placed(error, "model"))?,
            None => Model::for_data(inputs, kind.outputs()),
        };
        let recipe = Recipe {
            update: read(self.update.as_deref(), "update")?.unwrap_or(defaults.0.update),
            order: read(self.order.as_deref(), "order")?.unwrap_or(defaults.0.order),
            optimizer: self.read_optimizer()?,
            schedule: read(self.schedule.as_deref(), "schedule")?.unwrap_or(defaults.0.schedule),
            loss: read(self.loss.as_deref(), "loss")?.unwrap_or(loss),
            init: read(self.init.as_deref(), "init")?.unwrap_or(defaults.0.init),
            stats: self.stats,
            matmul_precision: read(self.matmul_precision.as_deref(), "matmul-precision")?.unwrap_or_default(),
        };
        target_scale.map_or(Ok(()), |scale| scale.check(targets, &recipe.loss))?;
        let budget = Budget {
            epochs: self.epochs.unwrap_or(defaults.1.epochs),
            max_updates: self.max_updates,
            target: read(self.target.as_deref(), "target")?,
            beyond_target: self.beyond_target.unwrap_or(false),
            stop: read(self.stop.as_deref(), "stop")?,
        };
        for condition in [budget.target, budget.stop].into_iter().flatten() {
            condition.check(targets, &recipe.loss)?;
        }
        let model = if model.inputs().is_some() { model } else { model.with_inputs(inputs) };
        let init_from = self.init_from.as_ref().map(Into::into);
        let (name, data) = (name.to_owned(), data.name.clone());
        Ok(Trial { name, data, model, targets, target_scale, noise, init_from, recipe, budget, seed: 1 })
    }

    /// Parses the optimizer, with the defaults of the dialect.
    fn read_optimizer(&self) -> Result<Method> {
        let dialect = read(self.dialect.as_deref(), "dialect")?.unwrap_or_default();
        let text = self.optimizer.as_deref().unwrap_or(Sgd::NAME);
        Method::read(text, dialect).map_err(|error| placed(error, "optimizer"))
    }

    /// Returns the choices of a trial, all spelled out; a dialect is replaced by the keys it stands for.
    pub fn of(trial: &Trial) -> Self {
        let record = trial.record();
        let Budget { epochs, max_updates, target, beyond_target, stop } = trial.budget;
        Self {
            model: Some(trial.model.to_string()),
            loss: Some(record.loss),
            update: Some(record.update),
            order: Some(record.order),
            optimizer: Some(record.optimizer),
            dialect: None,
            schedule: Some(record.schedule),
            init: Some(trial.recipe.init.to_string()),
            stats: record.stats,
            targets: Some(trial.targets.to_string()),
            target_scale: record.target_scale,
            noise: trial.noise.as_ref().map(Noise::to_string),
            matmul_precision: Some(record.matmul_precision),
            init_from: trial.init_from.as_ref().map(|path| path.display().to_string()),
            epochs: Some(epochs),
            max_updates,
            target: target.map(|target| target.to_string()),
            beyond_target: beyond_target.then_some(true),
            stop: stop.map(|stop| stop.to_string()),
        }
    }
}

/// Choices that may be axes of a study.
pub(crate) const AXES: [&str; 9] =
    ["model", "loss", "update", "order", "optimizer", "schedule", "init", "noise", "matmul_precision"];

/// All keys of a trial.
pub(crate) const KEYS: &[&str] = {
    macro_rules! names {
        ($($field:ident),*) => { &[$(stringify!($field)),*] };
    }
    each_choice!(names)
};

fn read<T: std::str::FromStr<Err = Error>>(text: Option<&str>, key: &str) -> Result<Option<T>> {
    text.map(str::parse).transpose().map_err(|error| placed(error, key))
}

/// Adds the flag as the place of the error, unless it has one.
fn placed(error: Error, key: &str) -> Error {
    if error.place.is_some() { error } else { error.at(format!("--{key}")) }
}
