//! The folder of a run: `study.toml`, `trials/NN-name-seed/`, `summary.json`, `report.html`, `charts/`.

use super::choices::Choices;
use super::plan::Study;
use super::record::{EvaluationPoint, Sheet, Summary, TrialRecord};
use super::run::evaluation_line;
use crate::files::{self, Log};
use crate::network::{ModelFile, Params, save};
use crate::recipe::Trial;
use crate::{Error, Result};
use schuss_data::Dataset;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A run folder in progress.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes `explicit`, or `runs/NAME` with the next free number, with the resolved study in it.
    ///
    /// # Errors
    /// A usage error if `explicit` is already there, a failure if nothing can be written.
    pub fn create(explicit: Option<&Path>, study: &Study, data: &Dataset) -> Result<Self> {
        let text = to_toml(&study.to_file(data))?;
        loop {
            let path = explicit.map_or_else(|| next_free(&study.about.name), Path::to_owned);
            match files::create_folder(&path, &[("study.toml", &text)]) {
                Ok(()) => return Ok(Self { path }),
                Err(_) if explicit.is_none() && path.exists() => {} // another run was faster: the next number
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder of trial `index` (from 0), with its resolved choices in it.
    pub(super) fn trial(&self, index: usize, trial: &Trial) -> Result<TrialFolder> {
        let slug = format!("{:02}-{}-{}", index + 1, slug(&trial.name), trial.seed);
        let path = self.path.join("trials").join(&slug);
        let about = TrialText {
            name: &trial.name,
            seed: trial.seed,
            data: &trial.data,
            recipe_id: trial.recipe_id(),
            choices: Choices::of(trial),
        };
        files::create_folder(&path, &[("trial.toml", to_toml(&about)?)])?;
        let metrics = Log::create(&path.join("metrics.jsonl"))?;
        Ok(TrialFolder { path, relative: format!("trials/{slug}"), metrics, losses: None })
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        files::write(&self.path.join("summary.json"), to_json(summary)?.as_bytes())
    }

    /// Writes `report.html` and, if there are any, the folder `charts`; where the page is.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write_report(&self, page: &str, charts: &[(String, Vec<u8>)]) -> Result<PathBuf> {
        let path = self.path.join("report.html");
        files::write(&path, page.as_bytes())?;
        if !charts.is_empty() {
            files::create_folder(&self.path.join("charts"), charts)?;
        }
        Ok(path)
    }
}

/// The summary as it stands in `summary.json` and behind `--json`.
///
/// # Errors
/// Never for the summaries made here.
pub fn to_json(summary: &Summary) -> Result<String> {
    let text = serde_json::to_string_pretty(summary).map_err(|error| Error::failure(error.to_string()))?;
    Ok(text + "\n")
}

#[derive(Serialize)]
struct TrialText<'a> {
    name: &'a str,
    seed: u64,
    data: &'a str,
    recipe_id: String,
    #[serde(flatten)]
    choices: Choices,
}

/// The folder of a trial in progress.
#[derive(Debug)]
pub(super) struct TrialFolder {
    path: PathBuf,
    relative: String,
    metrics: Log,
    losses: Option<Log>,
}

impl TrialFolder {
    pub(super) fn append_evaluation(&mut self, point: &EvaluationPoint) -> Result<()> {
        self.metrics.append(evaluation_line(point)?.as_bytes())
    }

    pub(super) fn append_losses(&mut self, losses: &[f32]) -> Result<()> {
        if self.losses.is_none() {
            self.losses = Some(Log::create(&self.path.join("losses.f32"))?);
        }
        let bytes: Vec<u8> = losses.iter().flat_map(|loss| loss.to_le_bytes()).collect();
        self.losses.as_mut().map_or(Ok(()), |log| log.append(&bytes))
    }

    /// Writes the model and enters the files into the record.
    pub(super) fn finish(
        &mut self,
        record: &mut TrialRecord,
        trial: &Trial,
        params: &Params,
        data: &Dataset,
    ) -> Result<()> {
        let about = ModelFile {
            model: trial.model.to_string(),
            classes: data.classes.clone(),
            shape: data.shape,
            normalisation: data.normalisation.clone(),
            targets: trial.targets,
        };
        files::write(&self.path.join("model.safetensors"), &save(params, &about)?)?;
        record.model = Some(format!("{}/model.safetensors", self.relative));
        record.losses = self.losses.as_ref().map(|_| format!("{}/losses.f32", self.relative));
        Ok(())
    }

    /// Writes the picture of reconstructions and enters it into the record.
    pub(super) fn draw(&self, record: &mut TrialRecord, sheet: &Sheet) -> Result<()> {
        files::write(&self.path.join("reconstructions.png"), &sheet.png)?;
        record.reconstructions = Some(format!("{}/reconstructions.png", self.relative));
        Ok(())
    }
}

fn to_toml<T: Serialize>(value: &T) -> Result<String> {
    toml::to_string_pretty(value)
        .map_err(|error| Error::failure(format!("the study cannot be written down: {error}")))
}

/// `runs/NAME`, else `runs/NAME-2`, and so on.
fn next_free(name: &str) -> PathBuf {
    let folder = Path::new("runs");
    let numbered = (2_u64..).map(|number| folder.join(format!("{name}-{number}")));
    let mut names = std::iter::once(folder.join(name)).chain(numbered);
    names.find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| folder.join(name))
}

/// A name as part of a file name: letters, digits and single dashes.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    let slug = plain.split_whitespace().collect::<Vec<_>>().join("-");
    slug.chars().take(60).collect()
}
