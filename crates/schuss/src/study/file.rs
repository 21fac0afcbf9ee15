//! Study files: plain TOML, and the lectures' studies that are built in.

use super::choices::{Choices, KEYS};
use super::record::ReferenceRecord;
use crate::recipe::spec;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A study as written down. Every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudyFile {
    /// One line.
    pub title: String,
    /// Paragraphs that stand beside the figures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Seeds; each trial runs once with each.
    pub seeds: Option<Vec<u64>>,
    /// What to train on.
    pub workload: Workload,
    /// What the trials share, and the budget with it.
    #[serde(skip_serializing_if = "is_default")]
    pub recipe: Choices,
    /// When to stop; the same keys as in `recipe`, kept apart for the reader's sake.
    #[serde(skip_serializing_if = "is_default")]
    pub budget: Choices,
    /// What to write down besides the ends of epochs.
    #[serde(skip_serializing_if = "is_default")]
    pub observe: Observe,
    /// Lists of choices; every combination is a trial.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, Vec<String>>,
    /// One entry per recipe.
    #[serde(rename = "trial", skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialEntry>,
    /// Names of error surfaces to descend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<String>,
}

/// What to train on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// Data spec; MNIST if found, else the built-in digits, when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What to write down besides the ends of epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Observe {
    /// Evaluate every so many updates too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// Keep the loss of every single update.
    #[serde(skip_serializing_if = "is_default")]
    pub losses: bool,
    /// Show that a gradient may be accumulated over microbatches of any size.
    #[serde(skip_serializing_if = "is_default")]
    pub accumulation: bool,
}

/// One recipe of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrialEntry {
    /// What it is called; its differing choices when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Evaluate every so many of its updates, in place of the study's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u64>,
    /// Seconds per epoch that a lecture printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_seconds: Option<f64>,
    /// Its own choices.
    #[serde(flatten)]
    pub choices: Choices,
    /// Figures that a lecture printed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceRecord>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! built_in {
    ($($name:literal),*) => {
        /// Names and texts of the studies that are built in.
        const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../lectures/", $name, ".toml")))),*];
    };
}

built_in!(
    "lecture-23",
    "lecture-24",
    "lecture-24a",
    "lecture-24b",
    "lecture-24c",
    "lecture-24-equal-updates",
    "lecture-25",
    "autoencoder"
);

impl StudyFile {
    /// Names and titles of the built-in studies.
    pub fn built_in() -> Vec<(&'static str, String)> {
        let title = |text| Self::parse(text, "").map(|study| study.title).unwrap_or_default();
        BUILT_IN.iter().map(|(name, text)| (*name, title(text))).collect()
    }

    /// The study called `name`: a built-in one, or a file (anything with `/` or `.`).
    ///
    /// # Errors
    /// A usage error that names the file and line.
    pub fn load(name: &str) -> Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(text, name);
        }
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        if !name.contains(['/', '.']) {
            return Err(spec::unknown("study", name, &known));
        }
        let unreadable =
            |error: std::io::Error| Error::usage(format!("the study file cannot be read: {error}")).at(name);
        if !std::fs::metadata(name).map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a regular file")));
        }
        let text = std::fs::read_to_string(name).map_err(unreadable)?;
        Self::parse(&text, name)
    }

    pub(super) fn parse(text: &str, name: &str) -> Result<Self> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::usage(error.message().replace('\n', " ")).at(format!("{name}, line {line}"))
        })?;
        // A flattened table takes any key, so those of trials are checked here.
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let trials = table.get("trial").and_then(toml::Value::as_array).into_iter().flatten();
        let known = [KEYS, &["name", "eval_every", "reference", "reference_seconds"]].concat();
        for key in trials.filter_map(toml::Value::as_table).flat_map(toml::Table::keys) {
            if !known.contains(&key.as_str()) {
                return Err(spec::unknown("key of [[trial]]", key, &known).at(name));
            }
        }
        Ok(file)
    }

    /// The choices all trials share.
    pub(crate) fn shared(&self) -> Choices {
        let model = Choices { model: self.workload.model.clone(), ..Choices::default() };
        self.budget.clone().over(&self.recipe).over(&model)
    }
}
