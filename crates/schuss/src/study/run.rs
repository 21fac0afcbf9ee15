//! Runs a study: trial after trial, each alone, everything known written down as it becomes known.

use super::checkpoint::{Checkpoint, Unusable};
use super::folder::{RunFolder, STUDY, SUMMARY};
use super::plan::{Planned, Study, plan_of};
use super::record::{
    BestRecord, Counts, DataRecord, Release, Status, Summary, Timing, Trace, TrialRecord, WorkloadRecord,
};
use super::trial_folder::{Start, TrialFolder};
use super::{StudyFile, accumulation, statistics, surface};
use crate::recipe::{MatmulPrecision, Trial};
use crate::session::{Control, Event, Limits, Outcome, Session, Sink};
use crate::{Error, Result, machine};
use schuss_data::order::Order;
use schuss_data::{Dataset, Split, mixing};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever watches a study run; all methods may be left out.
pub trait Watcher: Send {
    /// A trial is about to start: number `index` (from 0) of `total`.
    fn started(&mut self, _trial: &Trial, _index: usize, _total: usize) {}
    /// A trial tells something.
    fn event(&mut self, _trial: &Trial, _event: &Event) {}
    /// The trial has ended.
    fn ended(&mut self, _record: &TrialRecord) {}
    /// Something a careful person should hear of, in a sentence.
    fn note(&mut self, _text: &str) {}
}

/// Nobody watches.
impl Watcher for () {}

/// What a study brought, however it ended.
#[derive(Debug)]
pub struct Finished {
    /// Everything known.
    pub summary: Summary,
    /// What each trial recorded between its epochs, in the order of `summary.trials`.
    pub traces: Vec<Trace>,
    /// What went wrong outside training, if anything did.
    pub error: Option<Error>,
    /// Where it is written down.
    pub folder: RunFolder,
}

/// Runs every trial of `study` on `data` and writes the folder `out`, or `runs/NAME` with the next free number.
///
/// # Errors
/// Only before training begins, and then nothing is left behind: a trial that cannot be made, a folder that cannot
/// be written. Later errors are part of what is returned.
pub fn run(
    study: &Study,
    data: &Dataset,
    limits: Limits,
    out: Option<&Path>,
    command: &str,
    control: &Control,
    watcher: &mut dyn Watcher,
) -> Result<Finished> {
    let summary = prepare(study, data, limits, command, control)?;
    let folder = RunFolder::create(out, study, data, &summary)?;
    go(study, data, limits, (folder, summary), control, watcher)
}

/// A run that may not have come to its end.
#[derive(Debug)]
pub struct Begun {
    /// Its study, resolved.
    pub file: StudyFile,
    /// What was known of it.
    pub summary: Summary,
    folder: RunFolder,
}

impl Begun {
    /// Opens the folder of a run, or the one of that name in `runs`.
    ///
    /// # Errors
    /// A usage error if there is no run, a data error if it is damaged, a failure if another process is at work on it.
    pub fn open(run: &Path) -> Result<Self> {
        let places = [run.to_owned(), Path::new("runs").join(run)];
        let places = places.map(|path| std::path::absolute(&path).unwrap_or(path));
        let path = places.iter().find(|path| path.join(STUDY).is_file()).ok_or_else(|| {
            Error::usage("there is no run").at(run.display()).advise("the folder of a run, as runs/train")
        })?;
        let folder = RunFolder::open(path)?;
        let read = |name: &str| {
            let file = path.join(name);
            let unreadable =
                |error| Error::data(format!("the run cannot be read: {error}")).at(file.display());
            std::fs::read_to_string(&file).map_err(unreadable)
        };
        let text = read(STUDY)?;
        let file = StudyFile::parse(&text, &path.join(STUDY).display().to_string())?;
        let summary = serde_json::from_str(&read(SUMMARY)?).map_err(|error| {
            Error::data(format!("the summary is damaged: {error}")).at(path.join(SUMMARY).display())
        })?;
        Ok(Self { file, summary, folder })
    }

    /// Whether every trial has ended and is in the summary.
    pub fn is_finished(&self) -> bool {
        let all = self.file.trials.len() * self.file.seeds.as_ref().map_or(1, Vec::len);
        let ended = |trial: &TrialRecord| !matches!(trial.status, Status::Interrupted | Status::Failed);
        self.summary.trials.iter().filter(|trial| ended(trial)).count() == all
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Goes on with every trial that has not ended, to the same bits as if nothing had happened.
    ///
    /// # Errors
    /// If the data are others, or no trial can be gone on with.
    pub fn resume(
        self,
        study: &Study,
        data: &Dataset,
        limits: Limits,
        control: &Control,
        watcher: &mut dyn Watcher,
    ) -> Result<Finished> {
        if data.fingerprint()? != self.summary.data.fingerprint {
            let changed = Error::data("the data are not those that the run began with");
            return Err(changed.at(&data.origin).advise("the same data, with --data"));
        }
        let summary = Summary { trials: vec![], groups: vec![], ..self.summary };
        go(study, data, limits, (self.folder, summary), control, watcher)
    }
}

/// Runs what has not ended of a study.
fn go(
    study: &Study,
    data: &Dataset,
    limits: Limits,
    (folder, summary): (RunFolder, Summary),
    control: &Control,
    watcher: &mut dyn Watcher,
) -> Result<Finished> {
    let total = study.seeds.len() * study.trials.len();
    let workers = if limits.side_by_side { limits.threads.clamp(1, total.max(1)) } else { 1 };
    let runner = Runner {
        study,
        data,
        fingerprint: &summary.data.fingerprint,
        limits: limits.shared_out(workers, data.bytes() as u64),
        timing: if workers > 1 { Timing::Shared } else { Timing::Alone },
        control,
        folder: &folder,
        watcher: Mutex::new(watcher),
        next: AtomicUsize::new(0),
        ended: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| runner.work());
        }
        runner.work();
    });
    let Ended { mut trials, error } = runner.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    trials.sort_by_key(|(index, ..)| *index);
    let mut finished = Finished { summary, traces: vec![], error, folder };
    for (_, record, trace) in trials {
        finished.summary.trials.push(record);
        finished.traces.push(trace);
    }
    finished.summary.groups = statistics::groups(&finished.summary.trials);
    match finished.error {
        Some(error) if finished.summary.trials.is_empty() => Err(error),
        _ => Ok(finished),
    }
}

/// What the workers of a run share: each takes the next trial until none is left.
struct Runner<'a> {
    study: &'a Study,
    data: &'a Dataset,
    fingerprint: &'a str,
    /// Of one trial.
    limits: Limits,
    timing: Timing,
    control: &'a Control,
    folder: &'a RunFolder,
    watcher: Mutex<&'a mut dyn Watcher>,
    next: AtomicUsize,
    ended: Mutex<Ended>,
}

/// The trials that have ended, in the order in which they did, and what went wrong outside training.
#[derive(Default)]
struct Ended {
    trials: Vec<(usize, TrialRecord, Trace)>,
    error: Option<Error>,
}

/// A lock that outlives a panic of whoever held it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runner<'_> {
    /// The life of a worker.
    fn work(&self) {
        let total = self.study.seeds.len() * self.study.trials.len();
        while lock(&self.ended).error.is_none() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((planned, trial)) = self.study.runs().nth(index) else { return };
            let ended = self.trial(planned, &trial, [index, total]);
            let mut all = lock(&self.ended);
            match ended {
                Ok((record, trace, error)) => {
                    all.trials.push((index, record, trace));
                    all.error = all.error.take().or(error);
                }
                Err(error) => all.error = all.error.take().or(Some(error)),
            }
            if self.control.interrupted() {
                return;
            }
        }
    }

    /// Runs a trial, or what is left of it.
    fn trial(
        &self,
        planned: &Planned,
        trial: &Trial,
        [index, total]: [usize; 2],
    ) -> Result<(TrialRecord, Trace, Option<Error>)> {
        let place = self.folder.trial(index, trial)?;
        let start = place.start(trial, self.fingerprint, &mut |text| lock(&self.watcher).note(text))?;
        let checkpoint = match start {
            Start::Ended(record) => {
                let trace = Trace { reconstructions: place.sheet(trial), ..place.trace()? };
                return Ok((*record, trace, None));
            }
            Start::From(checkpoint) => Some(checkpoint),
            Start::Fresh => None,
        };
        lock(&self.watcher).started(trial, index, total);
        let running = Running { runner: self, trial, place, trace: Trace::default() };
        let ended = running.run(planned, checkpoint)?;
        lock(&self.watcher).ended(&ended.0);
        Ok(ended)
    }
}

/// Makes every trial once, so that whatever is wrong is found before anything is written; then all of the summary
/// that needs no training.
fn prepare(
    study: &Study,
    data: &Dataset,
    limits: Limits,
    command: &str,
    control: &Control,
) -> Result<Summary> {
    for planned in &study.trials {
        Session::new(&planned.trial, data, limits)?;
    }
    let mut summary = new_summary(study, data, command)?;
    for name in study.surfaces.iter().take_while(|_| !control.interrupted()) {
        summary.surfaces.push(surface::draw(name, study.seeds[0])?);
    }
    if study.observe.accumulation && !control.interrupted() {
        summary.exhibits.push(accumulation::exhibit(study, data, limits, control)?);
    }
    Ok(summary)
}

/// Images of the evaluation split that are shown beside their reconstructions.
const RECONSTRUCTIONS: usize = 10;

/// One trial in progress.
struct Running<'r, 'a> {
    runner: &'r Runner<'a>,
    trial: &'r Trial,
    place: TrialFolder,
    trace: Trace,
}

impl<'a> Running<'_, 'a> {
    /// Runs the trial and writes its files; what went wrong after training began goes beside the record.
    fn run(
        mut self,
        planned: &Planned,
        checkpoint: Option<Box<Checkpoint>>,
    ) -> Result<(TrialRecord, Trace, Option<Error>)> {
        let Runner { limits, control, timing, .. } = *self.runner;
        machine::reset_peak_memory();
        let mut session = self.session(checkpoint)?;
        session.evaluate_every(planned.eval_every);
        let mut error = None;
        let outcome = session.run(control, &mut self).unwrap_or_else(|failure| {
            error = Some(failure);
            session.failed()
        });
        let mut record =
            TrialRecord { timing, ..record(planned, self.trial, &mut session, &outcome, limits) };
        if error.is_none() {
            error = self
                .test(&mut record, &mut session)
                .and_then(|()| self.finish(&mut record, &mut session))
                .err();
        }
        if error.is_some() {
            (record.status, record.model) = (Status::Failed, None);
        }
        Ok((record, self.trace, error))
    }

    /// The session at the trial's start, or where it was kept.
    fn session(&mut self, checkpoint: Option<Box<Checkpoint>>) -> Result<Session<'a>> {
        let Runner { data, limits, .. } = *self.runner;
        self.place.open_logs(checkpoint.as_ref().map(|checkpoint| &checkpoint.header))?;
        let Some(mut checkpoint) = checkpoint else { return Session::new(self.trial, data, limits) };
        self.trace = self.place.trace()?;
        let begun = Trial { init_from: None, ..self.trial.clone() }; // its weights are in the checkpoint
        let mut session = Session::new(&begun, data, limits)?;
        let (theirs, ours) = (checkpoint.header.arithmetic.clone(), session.arithmetic());
        if theirs != ours {
            return Err(Error::failure(format!(
                "the trial `{}` was trained with {theirs}, but this machine has {ours}: its bits would be others",
                self.trial.name
            ))
            .advise("the machine it was begun on, or a new run"));
        }
        checkpoint.restore(&mut session).map_err(|unusable| match unusable {
            Unusable::Refused(error) => error,
            Unusable::Absent => Error::failure("the checkpoint has gone away"),
            Unusable::Damaged(why) => Error::failure(format!("the checkpoint does not fit the trial: {why}"))
                .advise("the version of schuss that the run began with"),
        })?;
        let [epoch, updates] = session.place();
        lock(&self.runner.watcher)
            .note(&format!("{}: goes on in epoch {epoch}, after update {updates}", self.trial.name));
        Ok(session)
    }

    /// Looks at the test split, once, where the curves looked at another.
    fn test(&self, record: &mut TrialRecord, session: &mut Session) -> Result<()> {
        if self.runner.data.validation.is_some() {
            let trained = matches!(record.status, Status::Finished | Status::Target | Status::Stopped);
            record.test = if trained { session.test(self.runner.control)? } else { None };
        }
        Ok(())
    }

    /// Writes what is known at the end besides the record, and enters it there; at last that the trial has ended.
    fn finish(&mut self, record: &mut TrialRecord, session: &mut Session) -> Result<()> {
        self.write_best(session)?;
        self.place.finish(record, self.trial, session, self.runner.data)?;
        if let Some(found) = session.reconstructions(RECONSTRUCTIONS)? {
            let sheet = found.sheet()?;
            self.place.draw(record, &sheet)?;
            self.trace.reconstructions = Some(sheet);
        }
        if record.status == Status::Interrupted {
            return Ok(()); // it was kept when it was interrupted
        }
        self.place.checkpoint(session, self.trial, self.runner.fingerprint, Some(record))
    }

    fn write_best(&self, session: &mut Session) -> Result<()> {
        match session.new_best() {
            Some(params) => self.place.write_best(self.trial, &params, self.runner.data),
            None => Ok(()),
        }
    }
}

impl Sink for Running<'_, '_> {
    fn take(&mut self, event: &Event) -> Result<()> {
        let keep_losses = self.runner.study.observe.losses;
        match event {
            Event::Losses(losses) if keep_losses => {
                self.trace.losses.extend_from_slice(losses);
                self.place.append_losses(losses)?;
            }
            Event::Evaluation(point) => {
                self.trace.evaluations.push(**point);
                self.place.append_evaluation(point)?;
            }
            Event::Losses(_) | Event::Epoch(_) => {}
        }
        lock(&self.runner.watcher).event(self.trial, event);
        Ok(())
    }

    fn checkpoint(&mut self, session: &mut Session) -> Result<()> {
        self.write_best(session)?;
        self.place.checkpoint(session, self.trial, self.runner.fingerprint, None)
    }
}

fn record(
    planned: &Planned,
    trial: &Trial,
    session: &mut Session,
    outcome: &Outcome,
    limits: Limits,
) -> TrialRecord {
    let Outcome { samples, train_seconds, .. } = *outcome;
    TrialRecord {
        name: trial.name.clone(),
        recipe_id: trial.recipe_id(),
        seed: trial.seed,
        network: trial.model.to_string(),
        recipe: trial.record(),
        arithmetic: session.arithmetic().to_owned(),
        strategy: session.strategy().to_owned(),
        threads: limits.threads,
        timing: Timing::Alone,
        status: outcome.status,
        diverged: outcome.diverged.clone(),
        updates: outcome.updates,
        samples,
        train_seconds,
        wall_seconds: outcome.wall_seconds,
        load_wait_seconds: session.waited().as_secs_f64(),
        samples_per_second: Some(samples as f64 / train_seconds)
            .filter(|rate| rate.is_finite() && samples > 0),
        peak_rss_bytes: machine::peak_memory(),
        memory: session.memory(),
        target: outcome.target.clone(),
        epochs: outcome.epochs.clone(),
        test: outcome.evaluation,
        model: None,
        best: outcome.best.map(BestRecord::of),
        state: session.digest(),
        losses: None,
        reconstructions: None,
        reference: planned.reference.clone(),
        reference_seconds: planned.reference_seconds,
    }
}

/// Everything of the summary that is known before the first trial.
fn new_summary(study: &Study, data: &Dataset, command: &str) -> Result<Summary> {
    let first = study.trials.first().map(|planned| &planned.trial);
    let parameters = |trial: &Trial| plan_of(trial, data).map_or(0, |plan| plan.layout.parameters());
    Ok(Summary {
        schema: 1,
        schuss: Release {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("SCHUSS_COMMIT").map(Into::into),
        },
        study: study.about.clone(),
        command: command.to_owned(),
        directory: std::env::current_dir().map_or_else(|_| String::new(), |path| path.display().to_string()),
        workload: WorkloadRecord {
            data: data.name.clone(),
            model: first.map_or_else(String::new, |trial| trial.model.to_string()),
            parameters: first.map_or(0, parameters),
        },
        data: DataRecord {
            fingerprint: data.fingerprint()?,
            origin: data.origin.clone(),
            counts: counts(data),
            classes: data.classes.len(),
            eval_split: data.evaluated().0.into(),
        },
        machine: machine::describe(),
        warnings: warnings(study, data)?,
        groups: vec![],
        trials: vec![],
        surfaces: vec![],
        exhibits: vec![],
    })
}

/// Samples per split.
pub(super) fn counts(data: &Dataset) -> Counts {
    let validation = data.validation.as_ref().map(Split::len);
    Counts { train: data.train.len(), validation, test: data.test.len() }
}

fn warnings(study: &Study, data: &Dataset) -> Result<Vec<String>> {
    let mut warnings = data.warnings()?;
    if data.validation.is_none() {
        warnings.push(
            "nothing is held out: the curves look at the test split, so choosing by them flatters the choice"
                .to_owned(),
        );
    }
    if study.trials.len() > 1 && study.seeds.len() == 1 {
        warnings.push(
            "one seed: differences as small as those between seeds mean nothing (repeat --seed for more)"
                .into(),
        );
    }
    let mut precisions = study.trials.iter().map(|planned| planned.trial.recipe.matmul_precision);
    warnings.extend(precisions.find_map(MatmulPrecision::warning));
    let mut orders: Vec<(Order, u64)> = vec![];
    for planned in &study.trials {
        let order = planned.trial.recipe.order;
        if matches!(order, Order::Sequential | Order::Blocks(_))
            && !orders.iter().any(|(seen, _)| *seen == order)
        {
            orders.push((order, study.seeds[0]));
        }
    }
    for (order, seed) in orders {
        let mixing = mixing::measure(data.train.store(), order, seed)?;
        warnings.extend(mixing.and_then(|mixing| mixing.warning(order)));
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests;
