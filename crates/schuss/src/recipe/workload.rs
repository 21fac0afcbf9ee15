//! Data of trials, and everything that changes how they are read.

use super::choices::{ChoiceKey, Choices, Effect, Loading};
use crate::loss::Targets;
use crate::network::ModelFile;
use crate::{Result, machine};
use schuss_data::format::table::{Table, Target};
use schuss_data::reader::{LabelKind, ReadOptions};
use schuss_data::{Centring, Dataset, Request};
use serde::Serialize;

/// Data, and choices of trials that go with them, such as the network.
///
/// # Example
/// ```
/// use schuss::recipe::{ChoiceKey, Workload};
///
/// let mut workload = Workload::of("digits:train=100,test=10");
/// workload.choices.set(ChoiceKey::Validation, "0.2")?;
/// assert_eq!(workload.load(None, None)?.validation.unwrap().len(), 20);
/// # Ok::<(), schuss::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Workload {
    /// The choices.
    pub choices: Choices,
}

impl Workload {
    /// Returns the workload of a data spec.
    pub fn of(data: &str) -> Self {
        Self::default().on(data)
    }

    /// Returns a copy with other data.
    #[must_use]
    pub fn on(&self, data: &str) -> Self {
        Self { choices: self.choices.with(ChoiceKey::Data, data) }
    }

    /// Data spec as typed, unless the default data are meant.
    pub fn data(&self) -> Option<&str> {
        self.choices.get(ChoiceKey::Data)
    }

    /// Loads or generates the data, within half of `memory` bytes if given; labels are interpreted as `targets`, or by
    /// their values if that is `None`.
    ///
    /// # Errors
    /// Usage errors for invalid choices and those without effect on the data, data errors for missing or damaged files.
    pub fn load(&self, memory: Option<u64>, targets: Option<Targets>) -> Result<Dataset> {
        let data = self.load_as_written(memory, targets)?;
        self.choices.check_effect(&data)?;
        Ok(data)
    }

    /// Loads the data as [`Self::load`] does, even if choices have no effect on them.
    pub(crate) fn load_as_written(&self, memory: Option<u64>, targets: Option<Targets>) -> Result<Dataset> {
        self.load_with(memory, targets, false)
    }

    /// Loads the data as [`Self::load_as_written`] does, for a trained model: nothing is fitted to them.
    pub(crate) fn load_unfitted(&self, targets: Option<Targets>) -> Result<Dataset> {
        self.load_with(None, targets, true)
    }

    fn load_with(&self, memory: Option<u64>, targets: Option<Targets>, unfitted: bool) -> Result<Dataset> {
        let label_kind = targets.map_or(LabelKind::Guess, Targets::label_kind);
        let Loading { source, request } = self.loading(memory)?;
        let ask = ReadOptions { label_kind, ..request.ask };
        source
            .unwrap_or_default()
            .load(&Request { ask, unfitted, ..request })
            .map_err(|error| self.choices.relocate(error))
    }

    /// Loads data to look at, as [`Self::load`] does, but fills in missing cells unless `missing` is given.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn load_to_show(&self, memory: Option<u64>, targets: Option<Targets>) -> Result<Dataset> {
        let asked = self.choices.get(ChoiceKey::Missing).is_some();
        let filled = Self { choices: self.choices.with(ChoiceKey::Missing, "mean") };
        let data = if asked { self } else { &filled }.load_as_written(memory, targets)?;
        self.choices.check_effect(&data)?;
        Ok(data)
    }

    /// Loads or generates data for predictions of a trained model: all samples if there is no test split, and tables
    /// encoded as in the model's training. The label column of a table is read only if predictions are to be scored
    /// (`judged`).
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn load_for(&self, model: &ModelFile, judged: bool) -> Result<Dataset> {
        let Loading { source, request } = self.loading(None)?;
        let pictures = model.pictures().filter(|_| request.ask.size.is_none());
        let size = request.ask.size.or(model.shape.image().map(|image| image.height));
        let offsets = Centring::By(model.offsets.clone());
        let unlabelled = |table: Table| Table { target: Target::Absent, ..table };
        let table = model.table.clone().map(|table| if judged { table } else { unlabelled(table) });
        let label_kind = model.targets.label_kind();
        let ask = ReadOptions { table, offsets, size, pictures, label_kind, read_once: true, ..request.ask };
        let data = source.unwrap_or_default().load(&Request { ask, whole: true, ..request });
        let data = data.map_err(|error| self.choices.relocate(error))?;
        self.choices.check_effect(&data)?;
        Ok(data)
    }

    /// Parses the choices that change the data.
    fn loading(&self, memory: Option<u64>) -> Result<Loading> {
        let memory = memory.map_or_else(machine::memory_for_data, |memory| memory / 2);
        let ask = ReadOptions { memory, ..ReadOptions::default() };
        let mut loading = Loading { source: None, request: Request { ask, ..Request::default() } };
        for (key, text) in self.choices.texts() {
            if let Effect::Data { set, .. } = key.row().effect {
                set(&mut loading, text).map_err(|error| self.choices.locate(key, error))?;
            }
        }
        if loading.request.resampling.is_some() {
            loading.request.ask.memory /= 3; // as loaded, and as split for the first and for another seed
        }
        Ok(loading)
    }

    /// Returns the workload without what holds for `data` anyway.
    pub(crate) fn effective(&self, data: &Dataset) -> Self {
        let has_effect = |key: ChoiceKey| match key.row().effect {
            Effect::Data { concerns, .. } => concerns.are(data),
            Effect::Trial { .. } => true,
        };
        Self { choices: self.choices.clone().only(has_effect) }
    }

    /// Returns the workload without choices of trials.
    pub(crate) fn without_trial(&self) -> Self {
        Self { choices: self.choices.clone().only(|key| !key.row().is_of_trial()) }
    }

    /// Formats the data spec `name` and all options that change the data, on one line.
    pub(crate) fn spec(&self, name: &str) -> String {
        let is_option = |key: &ChoiceKey| *key != ChoiceKey::Data && !key.row().is_of_trial();
        let given = |key: ChoiceKey| Some(format!(" {}={}", key.row().flag(), self.choices.get(key)?));
        let options = ChoiceKey::by_line().into_iter().filter(is_option).filter_map(given);
        std::iter::once(name.to_owned()).chain(options).collect()
    }
}
