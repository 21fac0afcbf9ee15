//! The folder of a trial: `trial.toml`, `metrics.jsonl`, `losses.f32`, `path.f32`, `model.safetensors`, `best.safetensors`,
//! `checkpoint` and `checkpoint.previous`.

use super::checkpoint::{self, Checkpoint, Header, Unusable};
use crate::files::{self, Log};
use crate::metrics::Reconstructions;
use crate::network::{ModelFile, Params, save};
use crate::recipe::Trial;
use crate::record::{BestRecord, EvaluationPoint, Sheet, Trace, TrialRecord, Waypoints};
use crate::session::Session;
use crate::{Cause, Error, Result, json};
use schuss_data::Dataset;
use schuss_data::text::plain_io;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const METRICS: &str = "metrics.jsonl";
const LOSSES: &str = "losses.f32";
const PATH: &str = "path.f32";
pub(super) const MODEL: &str = "model.safetensors";
const BEST: &str = "best.safetensors";
const SHEET: &str = "reconstructions.png";
const CHECKPOINT: &str = "checkpoint";
const PREVIOUS: &str = "checkpoint.previous";

/// The folder of a trial in progress.
#[derive(Debug)]
pub(super) struct TrialFolder {
    path: PathBuf,
    /// Path relative to the run folder.
    relative: String,
    metrics: Option<Log>,
    losses: Option<Log>,
    /// Weights at the ends of epochs.
    weights: Option<Log>,
}

/// Starting point of a trial.
pub(super) enum Start {
    /// From scratch.
    Fresh,
    /// From a checkpoint.
    From(Box<Checkpoint>),
    /// None: the trial has ended with this record.
    Ended(Box<TrialRecord>),
}

impl TrialFolder {
    pub(super) fn new(path: PathBuf, relative: String) -> Self {
        Self { path, relative, metrics: None, losses: None, weights: None }
    }

    /// Finds the starting point of the trial on the data with fingerprint `data`; `say` gets a message for each
    /// checkpoint that cannot be used.
    pub(super) fn start(&self, trial: &Trial, data: &str, say: &mut dyn FnMut(&str)) -> Result<Start> {
        files::clean(&self.path)?;
        let (last, previous) = (self.path.join(CHECKPOINT), self.path.join(PREVIOUS));
        let mut refused = false;
        for path in [&last, &previous] {
            let checkpoint = match checkpoint::open(path) {
                Ok(checkpoint) => checkpoint,
                Err(Unusable::Absent) => continue,
                Err(Unusable::Refused(error)) => return Err(error),
                Err(Unusable::Damaged(why)) => {
                    say(&format!("{} is damaged ({why}) and cannot be used", path.display()));
                    refused = true;
                    continue;
                }
            };
            let header = &checkpoint.header;
            check_owner(header, trial, data, path)?;
            if !self.has_logs(header) {
                say(&format!("{} cannot be used: its logs are gone", path.display()));
                refused = true;
                continue;
            }
            if path == &previous {
                files::rename(&previous, &last)?;
            }
            let Some(record) = checkpoint.header.record.clone().filter(|record| !is_extended(record, trial))
            else {
                return Ok(Start::From(Box::new(checkpoint)));
            };
            files::remove(&previous)?;
            return Ok(Start::Ended(Box::new(record)));
        }
        if refused {
            say(&format!("{} starts over: it has no other checkpoint", trial.name));
        }
        Ok(Start::Fresh)
    }

    /// Returns the previous checkpoint, if it can be used.
    pub(super) fn previous(&self, trial: &Trial, data: &str) -> Result<Option<Checkpoint>> {
        let path = self.path.join(PREVIOUS);
        let Ok(checkpoint) = checkpoint::open(&path) else { return Ok(None) };
        check_owner(&checkpoint.header, trial, data, &path)?;
        Ok(Some(checkpoint).filter(|checkpoint| self.has_logs(&checkpoint.header)))
    }

    /// Replaces the newest checkpoint with the previous one.
    pub(super) fn take_previous(&self) -> Result<()> {
        files::rename(&self.path.join(PREVIOUS), &self.path.join(CHECKPOINT))
    }

    /// Returns true if the logs are at least as long as when the checkpoint was written.
    fn has_logs(&self, header: &Header) -> bool {
        let length = |name| fs::metadata(self.path.join(name)).map_or(0, |file| file.len());
        length(METRICS) >= header.metrics_bytes
            && length(LOSSES) >= header.losses_bytes.unwrap_or(0)
            && length(PATH) >= header.path_bytes.unwrap_or(0)
    }

    /// Creates the logs, or reopens them truncated to their length at the checkpoint.
    pub(super) fn open_logs(&mut self, header: Option<&Header>) -> Result<()> {
        let (metrics, losses) = (self.path.join(METRICS), self.path.join(LOSSES));
        if let Some(header) = header {
            self.metrics = Some(Log::reopen(&metrics, header.metrics_bytes)?);
        } else {
            files::remove(&metrics)?;
            self.metrics = Some(Log::create(&metrics)?);
        }
        self.losses = reopen(&losses, header.and_then(|header| header.losses_bytes))?;
        self.weights = reopen(&self.path.join(PATH), header.and_then(|header| header.path_bytes))?;
        Ok(())
    }

    /// Reads the logs of a trial with so many weights.
    pub(super) fn trace(&self, weights: usize) -> Result<Trace> {
        let read = |name: &str| fs::read(self.path.join(name)).unwrap_or_default();
        let (metrics, losses) = (read(METRICS), read(LOSSES));
        let lines = metrics.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let evaluations: std::result::Result<Vec<EvaluationPoint>, _> = lines.map(json::read).collect();
        let evaluations = evaluations.map_err(|error| {
            Error::failure(format!("the log of evaluations is damaged: {error}"))
                .because(Cause::Damaged)
                .at(self.path.join(METRICS).display())
        })?;
        Ok(Trace {
            losses: numbers(&losses),
            path: self.waypoints(weights)?,
            evaluations,
            reconstructions: None,
        })
    }

    /// Reads some of the weights at the ends of epochs, `len` numbers each.
    fn waypoints(&self, len: usize) -> Result<Waypoints> {
        let path = self.path.join(PATH);
        let unreadable = |error: io::Error| {
            Error::failure(format!("the weights at the ends of epochs cannot be read: {}", plain_io(&error)))
                .with_source(error)
                .at(path.display())
        };
        let Ok(mut file) = fs::File::open(&path) else { return Ok(Waypoints::default()) };
        let size = len * size_of::<f32>();
        let points = file.metadata().map_err(unreadable)?.len() / (size.max(1) as u64);
        let mut bytes = vec![0; size];
        let read = |index: usize| {
            file.seek(SeekFrom::Start(index as u64 * size as u64))?;
            file.read_exact(&mut bytes)?;
            Ok(numbers(&bytes))
        };
        Waypoints::read(points as usize, read).map_err(unreadable)
    }

    /// Reads the image of reconstructions, if there is one.
    pub(super) fn sheet(&self, trial: &Trial) -> Option<Sheet> {
        let png = fs::read(self.path.join(SHEET)).ok()?;
        Some(Sheet { png, rows: Reconstructions::rows(trial.noise.is_some()) })
    }

    pub(super) fn append_evaluation(&mut self, point: &EvaluationPoint) -> Result<()> {
        let line = serde_json::to_string(point).map_err(|error| Error::failure(error.to_string()))? + "\n";
        self.metrics.as_mut().map_or(Ok(()), |log| log.append(line.as_bytes()))
    }

    pub(super) fn append_losses(&mut self, losses: &[f32]) -> Result<()> {
        append(&mut self.losses, &self.path.join(LOSSES), losses)
    }

    pub(super) fn append_weights(&mut self, weights: &[f32]) -> Result<()> {
        append(&mut self.weights, &self.path.join(PATH), weights)
    }

    /// Writes a checkpoint of a session, after syncing the logs it depends on. For a trial that has ended and cannot be
    /// extended, only the record is kept.
    pub(super) fn checkpoint(
        &mut self,
        session: &mut Session,
        trial: &Trial,
        data: &str,
        record: Option<&TrialRecord>,
    ) -> Result<()> {
        self.logs().try_for_each(Log::sync)?;
        let header = Header {
            config_id: trial.config_id(),
            course_id: trial.course_id(),
            seed: trial.seed,
            data: data.to_owned(),
            arithmetic: session.arithmetic().to_owned(),
            metrics_bytes: self.metrics.as_ref().map_or(0, Log::length),
            losses_bytes: self.losses.as_ref().map(Log::length),
            path_bytes: self.weights.as_ref().map(Log::length),
            has_best: session.has_best(),
            record: record.cloned(),
        };
        let goes_on = record.is_none_or(TrialRecord::can_be_extended);
        let state = goes_on.then_some(session);
        checkpoint::write(&self.path.join(CHECKPOINT), &self.path.join(PREVIOUS), &header, state)?;
        if record.is_some() { files::remove(&self.path.join(PREVIOUS)) } else { Ok(()) }
    }

    fn logs(&self) -> impl Iterator<Item = &Log> {
        self.metrics.iter().chain(&self.losses).chain(&self.weights)
    }

    /// Writes the weights with the lowest evaluation loss.
    pub(super) fn write_best(&self, trial: &Trial, params: &Params, data: &Dataset) -> Result<()> {
        self.write_model(BEST, trial, params, data)
    }

    /// Writes the model and enters the files into the record.
    pub(super) fn finish(
        &self,
        record: &mut TrialRecord,
        trial: &Trial,
        session: &Session,
        data: &Dataset,
    ) -> Result<()> {
        self.write_model(MODEL, trial, session.params(), data)?;
        record.model = Some(format!("{}/{MODEL}", self.relative));
        record.losses = self.losses.as_ref().map(|_| format!("{}/{LOSSES}", self.relative));
        if let Some(best) = &mut record.best {
            best.model = format!("{}/{BEST}", self.relative);
        }
        Ok(())
    }

    fn write_model(&self, name: &str, trial: &Trial, params: &Params, data: &Dataset) -> Result<()> {
        files::write(&self.path.join(name), &save(params, &ModelFile::of(trial, data))?)
    }

    /// Writes the image of reconstructions and enters it into the record.
    pub(super) fn draw(&self, record: &mut TrialRecord, sheet: &Sheet) -> Result<()> {
        files::write(&self.path.join(SHEET), &sheet.png)?;
        record.reconstructions = Some(format!("{}/{SHEET}", self.relative));
        Ok(())
    }
}

/// Reopens a log of numbers truncated to `length`, or removes it.
fn reopen(path: &Path, length: Option<u64>) -> Result<Option<Log>> {
    match length {
        Some(length) => Log::reopen(path, length).map(Some),
        None => files::remove(path).map(|()| None),
    }
}

/// Appends numbers to a log, which is created if it does not exist yet.
fn append(log: &mut Option<Log>, path: &Path, numbers: &[f32]) -> Result<()> {
    if log.is_none() {
        *log = Some(Log::create(path)?);
    }
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    log.as_mut().map_or(Ok(()), |log| log.append(&bytes))
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Returns true if `trial` has more epochs than when it ended.
fn is_extended(record: &TrialRecord, trial: &Trial) -> bool {
    record.can_be_extended() && record.budget.epochs < trial.budget.epochs
}

/// Refuses a checkpoint of a different trial or of different data.
fn check_owner(header: &Header, trial: &Trial, data: &str, path: &Path) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::failure(what).because(Cause::Mismatch).at(path.display()).advise("a new run"))
    };
    if (&header.course_id, header.seed) != (&trial.course_id(), trial.seed) {
        return refuse("the checkpoint belongs to a different trial than the one in study.toml");
    }
    if header.data != data {
        return Err(Error::data("the data differ from those the run started with")
            .because(Cause::Changed)
            .at(path.display())
            .advise("the same data, with --data"));
    }
    Ok(())
}

impl BestRecord {
    /// Creates a record whose file name is not set yet.
    pub(super) fn of(best: crate::record::Best) -> Self {
        Self { model: String::new(), best }
    }
}
