//! Study files in TOML, and the built-in studies of the lectures.

mod read;

use super::axes::Axes;
use super::seeds::Seeds;
use super::tune::{HELD_OUT, Tune};
use super::verdict::Tie;
use crate::loss::Targets;
use crate::recipe::{ChoiceKey, Choices, Workload};
use crate::record::ReferenceRecord;
use crate::spec;
use crate::{Error, Place, Result};
use schuss_data::Dataset;
use schuss_data::text::plain_io;
use serde::Serialize;
use std::io::Read;

/// Maximum size of a study file, in bytes.
const LONGEST: u64 = 4 << 20;

/// A study file. Every key is optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StudyFile {
    /// One-line title.
    pub title: String,
    /// Paragraphs shown beside the figures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Seeds; each trial runs once per seed.
    pub seeds: Option<Seeds>,
    /// True if the command fails when a trial misses its target.
    #[serde(skip_serializing_if = "is_default")]
    pub require_target: bool,
    /// Relative difference up to which two recipes count as equal; 0.05 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie: Option<Tie>,
    /// Data, and the network to train on it.
    pub workload: Workload,
    /// Choices shared by all trials, which may include the budget.
    #[serde(skip_serializing_if = "is_default")]
    pub recipe: Choices,
    /// Budget shared by all trials; the same keys as in `recipe`, separate for readability.
    #[serde(skip_serializing_if = "is_default")]
    pub budget: Choices,
    /// Recordings in addition to the evaluations.
    #[serde(skip_serializing_if = "is_default")]
    pub observe: Observe,
    /// Choices to tune before the trials run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tune: Option<Tune>,
    /// Lists of choices; every combination is a trial.
    #[serde(skip_serializing_if = "is_default")]
    pub axes: Axes,
    /// One entry per recipe.
    #[serde(rename = "trial", skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<TrialEntry>,
    /// Names of error surfaces to descend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surfaces: Vec<String>,
    /// True for the file of a run, whose choices stay as they are: they identify its trials, even if some have no
    /// effect.
    #[serde(skip)]
    pub is_of_run: bool,
    /// True if something is chosen by a validation split, which is held out unless the data have one.
    #[serde(skip)]
    pub chooses: bool,
}

/// Recordings in addition to the evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Observe {
    /// True to record the loss of every update.
    #[serde(skip_serializing_if = "is_default")]
    pub losses: bool,
    /// True to show that gradients can be accumulated over microbatches of any size.
    #[serde(skip_serializing_if = "is_default")]
    pub accumulation: bool,
}

/// One recipe of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrialEntry {
    /// Name; by default the choices in which it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Seconds per epoch printed in a lecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference_seconds: Option<f64>,
    /// Choices of this trial.
    #[serde(flatten)]
    pub choices: Choices,
    /// Results printed in a lecture.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceRecord>,
}

/// Place of errors about the share to hold out.
fn validation_flag() -> Place {
    Place::flag(ChoiceKey::Validation.row().flag())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

macro_rules! built_in {
    ($($name:literal),*) => {
        /// Names and texts of the built-in studies.
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
    /// Loads or generates the data of its trials, within half of `memory` bytes if given.
    ///
    /// # Errors
    /// As for [`Workload::load`].
    pub fn data(&self, memory: Option<u64>) -> Result<Dataset> {
        let targets = self.targets();
        if self.is_of_run {
            return self.workload.load_as_written(memory, targets);
        }
        match self.held_out() {
            Some(workload) => match workload.load(memory, targets) {
                // the data have a validation split of their own
                Err(error) if error.place.as_deref() == Some(&validation_flag()) => {
                    self.workload.load(memory, targets)
                }
                loaded => loaded,
            },
            None => self.workload.load(memory, targets),
        }
    }

    /// Loads the data of a run for a trained model: nothing is fitted to them.
    pub(super) fn unfitted_data(&self) -> Result<Dataset> {
        self.workload.load_unfitted(self.targets())
    }

    /// Returns the kind of targets that any trial asks for.
    fn targets(&self) -> Option<Targets> {
        let shared = self.shared();
        let choices = || std::iter::once(&shared).chain(self.trials.iter().map(|trial| &trial.choices));
        let any =
            |wanted: Targets| choices().any(|choices| choices.parsed(ChoiceKey::Targets) == Ok(Some(wanted)));
        [Targets::Real, Targets::Class].into_iter().find(|&targets| any(targets))
    }

    /// Returns the workload with a validation split, if the study needs one to choose by and does not ask for one.
    fn held_out(&self) -> Option<Workload> {
        let choices = &self.workload.choices;
        let is_asked = choices.get(ChoiceKey::Validation).is_some();
        let held_out = || Workload { choices: choices.with(ChoiceKey::Validation, HELD_OUT) };
        ((self.tune.is_some() || self.chooses) && !is_asked && !self.is_of_run).then(held_out)
    }

    /// Returns the workload that was loaded as `data`.
    pub(super) fn workload_of(&self, data: &Dataset) -> Workload {
        let drawn = data
            .held_out
            .as_ref()
            .is_some_and(|held_out| held_out.drawn.iter().any(|name| name == "validation"));
        self.held_out().filter(|_| drawn).unwrap_or_else(|| self.workload.clone())
    }

    /// Names and titles of the built-in studies.
    pub fn built_in() -> Vec<(&'static str, String)> {
        let title = |text| Self::parse(text, "").map(|study| study.title).unwrap_or_default();
        BUILT_IN.iter().map(|(name, text)| (*name, title(text))).collect()
    }

    /// Loads the study `name`: a built-in one, or a file (any name with `/` or `.`, and any existing path).
    ///
    /// # Errors
    /// A usage error that names the file and line.
    pub fn load(name: &str) -> Result<Self> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(text, name);
        }
        let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        if !std::path::Path::new(name).exists() {
            if name.contains('=') {
                return Err(spec::unknown("study", name, &known)
                    .advise("quotes around values in braces: --optimizer 'adam:lr={1e-4,1e-3}'"));
            }
            if !name.contains(['/', '.']) {
                return Err(spec::unknown("study", name, &known));
            }
        }
        let unreadable = |error: std::io::Error| {
            Error::usage(format!("the study file cannot be read: {}", plain_io(&error)))
                .with_source(error)
                .at(Place::study_file(name, None))
        };
        if !std::fs::metadata(name).map_err(unreadable)?.is_file() {
            return Err(unreadable(std::io::Error::other("it is not a regular file")));
        }
        let mut text = String::new();
        let read =
            std::fs::File::open(name).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
        if read.map_err(unreadable)? as u64 > LONGEST {
            return Err(unreadable(std::io::Error::other("it is larger than 4 MiB, the limit for a study")));
        }
        Self::parse(&text, name)
    }

    /// Parses the text of a study file, which messages call `name`.
    ///
    /// # Errors
    /// Usage errors that name line and key: invalid TOML, unknown keys, values of another type.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        read::study(text, name)
    }

    /// Returns true if it has one recipe and one seed.
    pub fn is_of_one_trial(&self) -> bool {
        let shared = self.shared();
        let is_one = |choices: &Choices| choices.clone().over(&shared).each().is_ok_and(|all| all.len() == 1);
        let has_one_seed = !self.seeds.as_ref().is_some_and(Seeds::is_several);
        let has_folds = self.workload.choices.get(ChoiceKey::Folds).is_some();
        let recipes_are_one = match &self.trials[..] {
            [] => is_one(&Choices::default()),
            [trial] => is_one(&trial.choices),
            _ => false,
        };
        recipes_are_one && has_one_seed && !has_folds && is_default(&self.axes) && self.surfaces.is_empty()
    }

    /// Choices shared by all trials.
    pub(crate) fn shared(&self) -> Choices {
        let workload = self.workload.choices.clone().only(|key| key.row().is_of_trial());
        self.budget.clone().over(&self.recipe).over(&workload)
    }
}
