//! The folder of a run: `study.toml`, `limits.toml`, `split.json`, `tuning/`, `trials/NN-name-seed/`, `summary.json`,
//! `metrics.csv`, `report.html`, `charts/`.

use super::StudyFile;
use super::metrics;
use super::plan::Study;
use super::run::counts;
use super::trial_folder::TrialFolder;
use super::tune::TUNING;
use crate::files::{self, Lock};
use crate::recipe::{Choices, Trial};
use crate::record::{Counts, ResampledRecord, Summary, Trace, TuningRecord};
use crate::session::Limits;
use crate::{Cause, Error, Result, json};
use schuss_data::{Dataset, HeldOut};
use serde::Serialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// File of the resolved study.
pub(super) const STUDY: &str = "study.toml";
/// File of the run's resource limits, which never change its results.
const LIMITS: &str = "limits.toml";
/// File of the record of a tuning.
const TUNED: &str = "tuning.json";
pub(super) const SUMMARY: &str = "summary.json";
/// File of the resolved choices of a trial.
pub(super) const TRIAL: &str = "trial.toml";
/// File of the HTML report.
pub const REPORT: &str = "report.html";

/// A run folder, locked so that no other process writes into it.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: Lock,
}

impl RunFolder {
    /// Creates `explicit`, or `runs/NAME` with the next free number, containing the resolved study and its initial
    /// summary.
    ///
    /// # Errors
    /// A usage error if `explicit` already exists, a failure if the folder cannot be written.
    pub(super) fn create(
        explicit: Option<&Path>,
        study: &Study,
        data: &Dataset,
        summary: &Summary,
        limits: Limits,
    ) -> Result<Self> {
        let held_out = data.held_out.as_ref().filter(|_| data.resampled.is_none());
        let split = SplitText { counts: counts(data), held_out, resampled: summary.data.resampled.as_ref() };
        let files = [
            (STUDY, to_toml(&study.to_file(data))?),
            (SUMMARY, to_json(summary)?),
            ("split.json", to_json(&split)?),
            (LIMITS, to_toml(&limits)?),
        ];
        loop {
            let path = explicit.map_or_else(|| next_free(&study.about.name), Path::to_owned);
            match files::create_folder(&path, &files) {
                Ok(()) => return Self::open(&path),
                Err(_) if explicit.is_none() && path.exists() => {} // another run took this number: try the next
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens the folder of an existing run.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let folder = Self { path: path.to_owned(), _lock: Lock::on(&path.join(STUDY))? };
        files::clean(path)?;
        files::clean(&path.join("trials"))?;
        files::clean(&path.join(TUNING))?;
        Ok(folder)
    }

    /// Reads the limits the run last used, or returns the defaults if there is no such file.
    pub(super) fn limits(&self) -> Result<Limits> {
        let path = self.path.join(LIMITS);
        let damaged = |error: String| {
            Error::data(format!("the limits of the run cannot be read: {error}"))
                .because(Cause::Damaged)
                .at(path.display())
                .advise("delete the file and set limits with --memory, --threads and --checkpoint-every")
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| damaged(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Limits::default()),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    /// Writes the limits that apply from now on.
    pub(super) fn write_limits(&self, limits: Limits) -> Result<()> {
        files::write(&self.path.join(LIMITS), to_toml(&limits)?.as_bytes())
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder of trial `index` (from 0), containing its resolved choices, unless it exists.
    pub(super) fn trial(&self, index: usize, trial: &Trial) -> Result<TrialFolder> {
        let slug = format!("{:02}-{}-{}", index + 1, slug(&trial.name), trial.seed);
        let path = self.path.join("trials").join(&slug);
        let about = TrialText {
            name: &trial.name,
            seed: trial.seed,
            data: &trial.data,
            config_id: trial.config_id(),
            choices: Choices::of(trial),
        };
        let (text, file) = (to_toml(&about)?, path.join(TRIAL));
        if !path.is_dir() {
            files::create_folder(&path, &[(TRIAL, text)])?;
        } else if std::fs::read_to_string(&file).ok().as_ref() != Some(&text) {
            files::write(&file, text.as_bytes())?;
        }
        Ok(TrialFolder::new(path, format!("trials/{slug}")))
    }

    /// Rewrites the study, with another budget.
    pub(super) fn write_study(&mut self, file: &StudyFile) -> Result<()> {
        let path = self.path.join(STUDY);
        files::write(&path, to_toml(file)?.as_bytes())?;
        self._lock = Lock::on(&path)?;
        Ok(())
    }

    /// Reads the record of the tuning, if it has ended.
    pub(super) fn tuning(&self) -> Result<Option<TuningRecord>> {
        let path = self.path.join(TUNING).join(TUNED);
        let damaged = |error: String| {
            Error::data(format!("the record of the tuning cannot be read: {error}"))
                .because(Cause::Damaged)
                .at(path.display())
                .advise("a new run")
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => json::read(text.as_bytes()).map(Some).map_err(|error| damaged(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    /// Writes the record of the tuning, which ends it.
    pub(super) fn write_tuning(&self, tuning: &TuningRecord) -> Result<()> {
        files::write(&self.path.join(TUNING).join(TUNED), to_json(tuning)?.as_bytes())
    }

    /// Writes `metrics.csv`, with one row per evaluation of each trial.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_metrics(&self, summary: &Summary, traces: &[Trace]) -> Result<()> {
        files::write(&self.path.join("metrics.csv"), metrics::csv(summary, traces).as_bytes())
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        files::write(&self.path.join(SUMMARY), to_json(summary)?.as_bytes())
    }

    /// Writes `report.html` and, if there are any charts, the folder `charts`. Returns the path of the page.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_report(&self, page: &str, charts: &[(String, Vec<u8>)]) -> Result<PathBuf> {
        if !charts.is_empty() {
            files::replace_folder(&self.path.join("charts"), charts)?;
        }
        let path = self.path.join(REPORT);
        files::write(&path, page.as_bytes())?;
        Ok(path)
    }
}

/// Number of samples per split, and the splits held out here; equal seed and hash mean the same held-out samples.
#[derive(Serialize)]
struct SplitText<'a> {
    counts: Counts,
    #[serde(flatten)]
    held_out: Option<&'a HeldOut>,
    /// Splits that every seed draws anew; the summary has the hash of each trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    resampled: Option<&'a ResampledRecord>,
}

/// Formats a record, such as the summary, as in its file and in the output of `--json`.
///
/// # Errors
/// Never for the records made here.
pub fn to_json<T: Serialize>(record: &T) -> Result<String> {
    let text = serde_json::to_string_pretty(record).map_err(|error| Error::failure(error.to_string()))?;
    Ok(text + "\n")
}

#[derive(Serialize)]
struct TrialText<'a> {
    name: &'a str,
    seed: u64,
    data: &'a str,
    config_id: String,
    #[serde(flatten)]
    choices: Choices,
}

pub(super) fn to_toml<T: Serialize>(value: &T) -> Result<String> {
    toml::to_string_pretty(value)
        .map_err(|error| Error::failure(format!("the study cannot be written as TOML: {error}")))
}

/// Returns the first free path of `runs/NAME`, `runs/NAME-2`, and so on.
fn next_free(name: &str) -> PathBuf {
    let folder = Path::new("runs");
    let numbered = (2_u64..).map(|number| folder.join(format!("{name}-{number}")));
    let mut names = std::iter::once(folder.join(name)).chain(numbered);
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| folder.join(name))
}

/// Reduces a name to letters, digits and single dashes, for use in a file name.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    let slug = plain.split_whitespace().collect::<Vec<_>>().join("-");
    slug.chars().take(60).collect()
}
