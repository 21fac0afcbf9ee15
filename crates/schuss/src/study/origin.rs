//! The run that a model came from, and the data it was trained on.

use super::StudyFile;
use super::folder::{STUDY, SUMMARY, TRIAL};
use crate::Result;
use crate::json;
use crate::record::Summary;
use schuss_data::Dataset;
use std::path::Path;

/// The run whose folder contains a model.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    file: StudyFile,
    summary: Summary,
    /// Seed of the trial.
    seed: u64,
}

impl Origin {
    /// Finds the run whose folder contains the model file at `path`, if there is one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let folder = path.ancestors().take(4).find(|folder| folder.join(STUDY).is_file())?;
        let file = std::fs::read_to_string(folder.join(STUDY)).ok()?;
        let summary = std::fs::read_to_string(folder.join(SUMMARY)).ok()?;
        Some(Self {
            file: StudyFile { is_of_run: true, ..StudyFile::parse(&file, STUDY).ok()? },
            summary: json::read(summary.as_bytes()).ok()?,
            seed: seed_of(&path).unwrap_or(1),
        })
    }

    /// Loads the data as the run did, with the same held-out samples; from `elsewhere` if given.
    ///
    /// # Errors
    /// Usage and data errors, as at the start of the run.
    pub(super) fn data(&self, elsewhere: Option<&str>) -> Result<Dataset> {
        let workload = &self.file.workload;
        let known = workload.data().map(|data| {
            let there = Path::new(&self.summary.directory).join(data);
            if there.exists() { there.display().to_string() } else { data.to_owned() }
        });
        let data = elsewhere.map(str::to_owned).or(known);
        let workload = data.map_or_else(|| workload.clone(), |data| workload.on(&data));
        StudyFile { workload, ..self.file.clone() }.unfitted_data()
    }

    /// Returns data of the run as its trial split them.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn split(&self, data: &Dataset) -> Result<Dataset> {
        data.for_seed(self.seed)
    }

    /// Returns true if `data` is what the run was trained on.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn is_of(&self, data: &Dataset) -> Result<bool> {
        Ok(data.fingerprint()? == self.summary.data.fingerprint)
    }
}

/// Returns the seed in the `trial.toml` beside a model file.
fn seed_of(model: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(model.with_file_name(TRIAL)).ok()?;
    let about: toml::Table = text.parse().ok()?;
    about.get("seed")?.as_integer()?.try_into().ok()
}
