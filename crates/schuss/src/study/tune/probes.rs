//! Runs probes like trials of a study, and keeps the records of those that have ended in the run's folder.

use crate::files::{self, Log};
use crate::recipe::Trial;
use crate::record::{Role, Status, TrialRecord};
use crate::session::{Control, Limits};
use crate::study::exhibit::Printed;
use crate::study::file::Observe;
use crate::study::plan::{Planned, Study};
use crate::study::run::{Ended, Means, run_in_memory};
use crate::{Error, Result, json};
use schuss_data::Dataset;
use std::path::Path;

/// Folder of the records of a tuning, within that of the run.
pub(in crate::study) const TUNING: &str = "tuning";
/// File of the records of ended probes, one per line.
const PROBES: &str = "probes.jsonl";

/// Runs probes that have not ended before.
pub(in crate::study) struct Prober<'a> {
    pub(in crate::study) study: &'a Study,
    pub(in crate::study) data: &'a Dataset,
    /// The same data with the validation split in place of the test split, which no probe can reach.
    judged: Dataset,
    /// Fingerprint of the data.
    fingerprint: &'a str,
    limits: Limits,
    control: &'a Control,
    log: Option<Log>,
    /// Records of all probes that have ended.
    ended: Vec<TrialRecord>,
}

impl<'a> Prober<'a> {
    /// Creates a prober that keeps records in the run's folder `run`, if there is one, and takes up those kept there.
    ///
    /// # Errors
    /// If records cannot be read or written.
    pub(in crate::study) fn new(
        study: &'a Study,
        means: Means<'a>,
        fingerprint: &'a str,
        run: Option<&Path>,
    ) -> Result<Self> {
        let Means { data, limits, control } = means;
        let (log, ended) = match run {
            None => (None, vec![]),
            Some(run) => open(&run.join(TUNING)).map(|(log, ended)| (Some(log), ended))?,
        };
        // streamed samples are read once for all recipes, unless their times matter
        let counts = study.tune.as_ref().is_some_and(|tune| tune.counts);
        let is_shared = data.train.resident().is_none() && !counts;
        let limits = Limits { side_by_side: limits.side_by_side || is_shared, ..limits };
        Ok(Self { study, data, judged: judged(data), fingerprint, limits, control, log, ended })
    }

    /// Records of all probes that have ended, in order.
    pub(in crate::study) fn into_records(self) -> Vec<TrialRecord> {
        self.ended
    }

    /// Runs trials with each of these seeds, unless they have ended before. Returns the records of each trial, one per
    /// seed; `None` if interrupted.
    ///
    /// # Errors
    /// Any error of a probe, or if records cannot be written.
    pub(super) fn run(&mut self, trials: &[Trial], seeds: &[u64]) -> Result<Option<Vec<Vec<TrialRecord>>>> {
        for &seed in seeds {
            let seeded: Vec<Trial> = trials.iter().map(|trial| Trial { seed, ..trial.clone() }).collect();
            let left: Vec<Trial> =
                seeded.into_iter().filter(|trial| self.find(trial, seed).is_none()).collect();
            if self.control.interrupted() {
                return Ok(None);
            }
            if !left.is_empty() {
                self.round(left, seed)?;
            }
        }
        let records = |trial: &Trial| seeds.iter().map(|seed| self.find(trial, *seed).cloned()).collect();
        Ok(trials.iter().map(records).collect())
    }

    /// Runs trials with a seed, and keeps their records.
    fn round(&mut self, trials: Vec<Trial>, seed: u64) -> Result<()> {
        let study = self.study_of(trials, seed);
        let means = Means { data: &self.judged, limits: self.limits, control: self.control };
        let Ended { mut trials, error } = run_in_memory(&study, self.fingerprint, means);
        trials.sort_by_key(|(index, ..)| *index);
        let ended = trials.into_iter().map(|(_, record, _)| record).filter(has_ended).map(short);
        self.keep(ended.collect())?;
        error.map_or(Ok(()), Err)
    }

    /// Returns the record of a probe that has ended.
    fn find(&self, trial: &Trial, seed: u64) -> Option<&TrialRecord> {
        let id = trial.config_id();
        self.ended.iter().find(|record| record.seed == seed && record.config_id == id)
    }

    /// Returns a study of trials with a seed.
    fn study_of(&self, trials: Vec<Trial>, seed: u64) -> Study {
        let planned = |trial| Planned { trial, printed: Printed::default() };
        Study {
            trials: trials.into_iter().map(planned).collect(),
            seeds: vec![seed],
            observe: Observe::default(),
            surfaces: vec![],
            tune: None,
            ..self.study.clone()
        }
    }

    /// Keeps records, and writes them to disk.
    fn keep(&mut self, records: Vec<TrialRecord>) -> Result<()> {
        if let Some(log) = &mut self.log {
            for record in &records {
                let line =
                    serde_json::to_string(record).map_err(|error| Error::failure(error.to_string()))?;
                log.append((line + "\n").as_bytes())?;
            }
            log.sync()?;
        }
        self.ended.extend(records);
        Ok(())
    }
}

/// Returns the data with the validation split in place of the test split, which nothing can then reach.
pub(in crate::study) fn judged(data: &Dataset) -> Dataset {
    match &data.validation {
        Some(split) => Dataset { test: split.clone(), validation: None, ..data.clone() },
        None => data.clone(),
    }
}

/// Returns true unless the probe must run again.
fn has_ended(record: &TrialRecord) -> bool {
    !matches!(record.status, Status::Interrupted | Status::Failed)
}

/// Returns the record of a probe, with the rows before training and of its last epoch alone.
fn short(mut record: TrialRecord) -> TrialRecord {
    record.role = Role::Probe;
    let last = record.epochs.len().saturating_sub(1);
    record.epochs.drain(last.min(1)..last);
    TrialRecord { best: None, test: None, evaluations: vec![], ..record }
}

/// Opens the log of probes in a folder, and reads the records of those that have ended.
fn open(folder: &Path) -> Result<(Log, Vec<TrialRecord>)> {
    let path = folder.join(PROBES);
    if !folder.is_dir() {
        files::create_folder(folder, &[(PROBES, "")])?;
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let (mut length, mut ended) = (0, vec![]);
    for line in text.split_inclusive('\n').take_while(|line| line.ends_with('\n')) {
        let Ok(record) = json::read(line.as_bytes()) else { break };
        length += line.len() as u64;
        ended.push(record);
    }
    let log = if path.is_file() { Log::reopen(&path, length)? } else { Log::create(&path)? };
    Ok((log, ended))
}
