//! Runs the trials of a study, writing results to disk as they become known.

mod alike;
mod beside;
mod member;
mod race;
mod runner;
mod speed;
mod timetable;
mod tuned;
mod turns;

use super::exhibit::{self, Gallery};
use super::folder::{RunFolder, STUDY};
use super::plan::Study;
use super::seeds::{Seeds, folds};
use super::{StudyFile, merge, statistics};
use crate::instrument::Instrument;
use crate::network::Params;
use crate::recipe::{Budget, ChoiceKey, Choices, EvalEvery, MatmulPrecision, TargetScale, Trial, UpdateRule};
use crate::record::{
    Chance, Counts, DataRecord, Release, ResampledRecord, Status, StudyRecord, Summary, Trace, TrialRecord,
    Trials, Verdict, WorkloadRecord,
};
use crate::schedule::{self, Outlook};
use crate::session::{Control, Event, Limits, Session};
use crate::{Cause, Error, Place, Result, machine};
use race::Race;
pub(super) use runner::Ended;
use runner::Runner;
use schuss_data::split::mixing;
use schuss_data::stream::order::Order;
use schuss_data::text::plain_io;
use schuss_data::{Dataset, Split};
use std::path::Path;
use timetable::Timetable;
use tuned::Tuned;
pub(super) use tuned::{Means, refuse_without_validation};

/// Observer of a running study; all methods are optional.
///
/// Methods are called one at a time, each from the thread of the trial it is about, which waits until it returns: of
/// trials that take turns or run side by side, calls alternate. They come at report points, while the clock of the trial
/// stands, and must not call back into the study. What a method does cannot change a result; to stop the study, use its
/// [`Control`].
pub trait Watcher: Send {
    /// Called before a trial starts or is resumed: number `index` (from 0) of `total`. Trials that ended in an earlier
    /// part of the run are not announced.
    fn started(&mut self, _trial: &Trial, _index: usize, _total: usize) {}
    /// Called for every event of a trial, in order, after it has been written to the run's files.
    fn event(&mut self, _trial: &Trial, _event: &Event) {}
    /// Called with the weights after the last update of a trial, before `ended`.
    fn trained(&mut self, _trial: &Trial, _params: &Params) {}
    /// Called after a trial has ended, once per `started`.
    fn ended(&mut self, _record: &TrialRecord) {}
    /// Called after each look at the race of a study that adds seeds, with a sentence on what is decided and who goes on.
    fn looked(&mut self, _text: &str) {}
    /// Called with a note or warning for the user, in one sentence.
    fn note(&mut self, _text: &str) {}
}

/// Ignores everything.
impl Watcher for () {}

/// Results of a study, however it ended; `F` is `()` if it ran in memory.
#[derive(Debug)]
pub struct Finished<F = RunFolder> {
    /// Summary.
    pub summary: Summary,
    /// Recordings of each trial between epochs, in the order of `summary.trials`.
    pub traces: Vec<Trace>,
    /// Error outside training, if there was one.
    pub error: Option<Error>,
    /// Outlooks of its schedules.
    pub outlooks: Vec<Outlook>,
    /// True if it was interrupted before the plane of its racers was drawn, which resuming does.
    pub lacks_plane: bool,
    /// Folder of the run.
    pub folder: F,
}

impl Finished<()> {
    /// Returns the results of a run in `folder`.
    fn in_folder(self, folder: RunFolder) -> Finished {
        let Self { summary, traces, error, outlooks, lacks_plane, folder: () } = self;
        Finished { summary, traces, error, outlooks, lacks_plane, folder }
    }
}

impl Study {
    /// Runs every trial on `data` in memory, on all cores: no file is written, and nothing can be resumed.
    ///
    /// # Errors
    /// Only before training begins: a trial that cannot be created. Later errors are in [`Finished::error`].
    ///
    /// # Example
    /// ```
    /// use schuss::optim::{Adam, Sgd};
    /// use schuss::study::Study;
    /// use schuss::{Budget, Recipe, Trial};
    ///
    /// # fn main() -> schuss::Result<()> {
    /// let data = schuss::data::load("digits:train=300,test=60,size=8")?;
    /// let trial = |optimizer| Trial {
    ///     model: "64-20-10".parse().expect("a model"),
    ///     recipe: Recipe { optimizer, ..Recipe::default() },
    ///     budget: Budget { epochs: 2, ..Budget::default() },
    ///     ..Trial::default()
    /// };
    /// let adam = trial(Adam { lr: 1e-3, ..Adam::default() }.into());
    /// let sgd = trial(Sgd { lr: 0.1, momentum: 0.9, ..Sgd::default() }.into());
    /// let study = Study::of([adam, sgd], &data)?.with_seeds([1, 2, 3])?;
    /// let finished = study.run(&data)?;
    /// assert_eq!(finished.summary.trials.len(), 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(&self, data: &Dataset) -> Result<Finished<()>> {
        self.run_with(data, Limits::default(), &Control::default(), &mut ())
    }

    /// Does what [`run`](Self::run) does, within `limits`; `watcher` observes it, and `control` can stop it.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn run_with(
        &self,
        data: &Dataset,
        limits: Limits,
        control: &Control,
        watcher: &mut dyn Watcher,
    ) -> Result<Finished<()>> {
        let timetable = Timetable::new(self, data, limits);
        let summary = prepared(self, data, limits, &timetable, "", control, watcher)?;
        go(self, Means { data, limits, control }, timetable, None, summary, watcher)
    }
}

/// Runs every trial of `study` on `data` and writes the folder `out`, or `runs/NAME` with the next free number.
///
/// # Errors
/// Only before training begins, leaving nothing behind: a trial that cannot be created, a folder that cannot be
/// written. Later errors are in [`Finished::error`].
pub fn run(
    study: &Study,
    data: &Dataset,
    limits: Limits,
    out: Option<&Path>,
    command: &str,
    control: &Control,
    watcher: &mut dyn Watcher,
) -> Result<Finished> {
    let timetable = Timetable::new(study, data, limits);
    let summary = prepared(study, data, limits, &timetable, command, control, watcher)?;
    let mut folder = RunFolder::create(out, study, data, &summary, limits)?;
    let means = Means { data, limits, control };
    let finished = go(study, means, timetable, Some(&mut folder), summary, watcher)?;
    Ok(finished.in_folder(folder))
}

/// Prepares the summary, and notes warnings about the order of samples, early stopping and the plane.
fn prepared(
    study: &Study,
    data: &Dataset,
    limits: Limits,
    timetable: &Timetable,
    command: &str,
    control: &Control,
    watcher: &mut dyn Watcher,
) -> Result<Summary> {
    let mut summary = prepare(study, data, limits, timetable, command, control)?;
    let more = early_stop_warning(study, data).into_iter().chain(exhibit::plane::warning(study));
    for warning in order_warnings(study, data)?.into_iter().chain(more) {
        watcher.note(&format!("warning: {warning}"));
        summary.warnings.push(warning);
    }
    Ok(summary)
}

/// An existing run, which may be unfinished.
#[derive(Debug)]
pub struct Begun {
    /// Resolved study.
    pub file: StudyFile,
    /// Summary so far.
    pub summary: Summary,
    /// Limits it last used.
    pub limits: Limits,
    folder: RunFolder,
    /// True if it has numeric targets and was started before these could be standardised.
    is_older: bool,
}

impl Begun {
    /// Opens the folder `run`, or `runs/` followed by it.
    ///
    /// # Errors
    /// A usage error if there is no run, a data error if it is damaged, a failure if another process is working on it.
    pub fn open(run: &Path) -> Result<Self> {
        let places = merge::places(run);
        let path = places.iter().find(|path| path.join(STUDY).is_file()).ok_or_else(|| merge::no_run(run))?;
        let folder = RunFolder::open(path)?;
        let study = path.join(STUDY);
        let unreadable = |error| {
            Error::data(format!("the run cannot be read: {}", plain_io(&error)))
                .with_source(error)
                .at(study.display())
        };
        let text = std::fs::read_to_string(&study).map_err(unreadable)?;
        let mut file = StudyFile::parse(&text, &study.display().to_string())?;
        file.is_of_run = true;
        let is_older = keep_targets(&mut file);
        keep_evaluations(&mut file);
        let summary = merge::read_summary(path)?;
        let limits = folder.limits()?;
        Ok(Self { file, summary, limits, folder, is_older })
    }

    /// Returns true if every trial has ended and is in the summary, and nothing is left to draw.
    pub fn is_finished(&self) -> bool {
        let ended = |trial: &TrialRecord| !matches!(trial.status, Status::Interrupted | Status::Failed);
        let trials = &self.summary.trials;
        let race_is_over = match &self.file.seeds {
            Some(Seeds::Auto) => {
                let verdict = Verdict::of(&self.summary, self.file.tie.unwrap_or_default());
                self.summary.groups.len() == self.file.trials.len() && verdict.next_looks().next().is_none()
            }
            Some(Seeds::Listed(seeds)) => trials.len() == self.file.trials.len() * seeds.len(),
            None => trials.len() == self.file.trials.len(),
        };
        let lacks_plane = self.draws_plane() && exhibit::plane::is_missing(&self.summary);
        self.file.tune.is_none() && race_is_over && trials.iter().all(ended) && !lacks_plane
    }

    /// Returns true if a trial keeps its weights for the plane.
    fn draws_plane(&self) -> bool {
        let instruments = |choices: &Choices| choices.get(ChoiceKey::Instrument).map(Instrument::list);
        let mut all = self.file.trials.iter().filter_map(|trial| instruments(&trial.choices)?.ok()).flatten();
        all.any(|instrument| instrument.keeps_weights())
    }

    /// Extends every trial to `epochs` epochs: those that used up fewer will continue, to the same bits as if they had
    /// that many from the start. Writes the new budget to the run's `study.toml`.
    ///
    /// # Errors
    /// A usage error for fewer epochs than a trial has, for trials limited by updates, and for schedules that end with
    /// the old budget.
    pub fn extend(mut self, epochs: u32) -> Result<Self> {
        let train = self.summary.data.counts.train;
        let mut longer = false;
        for entry in &mut self.file.trials {
            let name = entry.name.clone().unwrap_or_default();
            longer |=
                extend(&mut entry.choices, epochs, train).map_err(|error| error.at(Place::Api(name)))?;
        }
        if longer {
            (self.summary.trials, self.summary.groups, self.summary.verdict) =
                (Trials::default(), vec![], None);
            self.folder.write_summary(&self.summary)?;
            self.folder.write_study(&self.file)?;
        }
        Ok(self)
    }

    /// Path of the run folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Resumes every trial that has not ended, to the same bits as without the interruption.
    ///
    /// # Errors
    /// If the data differ, or no trial can be resumed.
    pub fn resume(
        mut self,
        study: &Study,
        data: &Dataset,
        limits: Limits,
        control: &Control,
        watcher: &mut dyn Watcher,
    ) -> Result<Finished> {
        if data.fingerprint()? != self.summary.data.fingerprint {
            let changed =
                Error::data("the data differ from those the run started with").because(Cause::Changed);
            let advice = if data.offsets.is_empty() {
                "the same data, with --data"
            } else {
                "the same data, with --data; a run started before large numbers were stored relative to an offset must \
                 be started again"
            };
            return Err(changed.at(Place::data(&data.origin)).advise(advice));
        }
        if self.is_older {
            watcher.note(
                "the run was started before targets were standardised and continues without: --target-scale none",
            );
        }
        if limits != self.limits {
            self.folder.write_limits(limits)?;
        }
        let summary = Summary { trials: Trials::default(), groups: vec![], verdict: None, ..self.summary };
        let timetable = Timetable::new(study, data, limits);
        let means = Means { data, limits, control };
        let finished = go(study, means, timetable, Some(&mut self.folder), summary, watcher)?;
        Ok(finished.in_folder(self.folder))
    }
}

/// Turns target scaling off for trials resolved before it existed. Returns true if there are any.
fn keep_targets(file: &mut StudyFile) -> bool {
    let is_older = |choices: &&mut Choices| {
        choices.get(ChoiceKey::Targets) == Some("real") && choices.get(ChoiceKey::TargetScale).is_none()
    };
    let none = TargetScale::None.to_string();
    let older = file.trials.iter_mut().map(|trial| &mut trial.choices).filter(is_older);
    older.map(|choices| *choices = choices.with(ChoiceKey::TargetScale, &none)).count() > 0
}

/// Evaluates trials with a target that were resolved before there was a grid at the ends of epochs only.
fn keep_evaluations(file: &mut StudyFile) {
    let is_older = |choices: &&mut Choices| {
        choices.get(ChoiceKey::Target).is_some() && choices.get(ChoiceKey::EvalEvery).is_none()
    };
    let older = file.trials.iter_mut().map(|trial| &mut trial.choices).filter(is_older);
    older.for_each(|choices| *choices = choices.with(ChoiceKey::EvalEvery, &EvalEvery::Epoch.to_string()));
}

/// Extends a trial on `train` samples to `epochs` epochs. Returns true if it had fewer.
fn extend(choices: &mut Choices, epochs: u32, train: usize) -> Result<bool> {
    let number = |key| choices.get(key).and_then(|number| number.parse::<u64>().ok());
    let before = number(ChoiceKey::Epochs).unwrap_or_else(|| Budget::default().epochs.into());
    let anew = |what: String| Err(Error::usage(what).advise(format!("a new run with --epochs {epochs}")));
    if u64::from(epochs) < before {
        return anew(format!("--epochs {epochs} is less than the trial's {before} epochs"));
    }
    if let Some(updates) = number(ChoiceKey::MaxUpdates) {
        return anew(format!("the trial ends after {updates} updates, whatever its number of epochs"));
    }
    let update: UpdateRule = choices.parsed(ChoiceKey::Update)?.unwrap_or_default();
    let per_epoch = train.div_ceil(update.samples(train).max(1)) as u64;
    let schedule: schedule::Schedule = choices.parsed(ChoiceKey::Schedule)?.unwrap_or_default();
    let is_longer = u64::from(epochs) > before;
    if is_longer && schedule.ends_with(per_epoch * before) {
        return anew(format!(
            "the schedule `{schedule}` was made for {before} epochs: with {epochs} it would have differed from the start"
        ));
    }
    *choices = choices.with(ChoiceKey::Epochs, &epochs.to_string());
    Ok(is_longer)
}

/// Shows a folder relative to the working directory of the command, if inside it.
fn shown(folder: &Path, directory: &str) -> String {
    let inside = if directory.is_empty() { None } else { folder.strip_prefix(directory).ok() };
    inside.unwrap_or(folder).display().to_string()
}

/// Runs the trials of a study in memory, without an observer.
pub(super) fn run_in_memory(study: &Study, fingerprint: &str, means: Means) -> Ended {
    let Means { data, limits, control } = means;
    let timetable = Timetable::new(study, data, limits);
    let mut ended = Runner::new(study, data, fingerprint, timetable, None, control, &mut ()).run();
    speed::calibrate(&mut ended.trials);
    ended
}

/// Tunes the recipes of a study if it asks for that, then runs its trials; those that have ended are not run again.
fn go(
    study: &Study,
    means: Means,
    timetable: Timetable,
    mut folder: Option<&mut RunFolder>,
    mut summary: Summary,
    watcher: &mut dyn Watcher,
) -> Result<Finished<()>> {
    let Means { data, limits, control } = means;
    let tuned = Tuned::of(study, means, &summary.data.fingerprint, folder.as_deref_mut(), watcher)?;
    let timetable = if study.tune.is_some() { Timetable::new(&tuned.study, data, limits) } else { timetable };
    let (study, folder) = (&tuned.study, folder.as_deref());
    (summary.tuning, summary.trials.probes) = (tuned.record, tuned.probes);
    summary.study.untuned = tuned.is_interrupted;
    let race = Race { study, means, folder, summary: &summary };
    let untuned = Ended { error: tuned.error, ..Ended::default() };
    let Ended { trials, error } = if tuned.is_interrupted { untuned } else { race.run(&timetable, watcher) };
    let path = folder.map(|folder| shown(folder.path(), &summary.directory));
    let summary = Summary { run: path.unwrap_or_default(), ..summary };
    let mut finished = Finished {
        summary,
        traces: vec![],
        error,
        outlooks: study.outlooks(data.train.len()),
        lacks_plane: false,
        folder: (),
    };
    for (_, record, trace) in trials {
        finished.summary.trials.push(record);
        finished.traces.push(trace);
    }
    let said = |warning: &String| finished.summary.warnings.contains(warning);
    let trials = &finished.summary.trials;
    let warnings = alike::answers_one_class(trials, data).into_iter().chain(alike::finds_no_label(trials));
    let warnings: Vec<String> = warnings.filter(|warning| !said(warning)).collect();
    warnings.iter().for_each(|warning| watcher.note(&format!("warning: {warning}")));
    finished.summary.warnings.extend(warnings);
    let gallery = Gallery { study, data, limits, control };
    if let Err(error) = exhibit::plane::draw(&gallery, &finished.traces, &mut finished.summary) {
        finished.error.get_or_insert(error);
    }
    let draws_plane = study.trials.iter().any(|planned| exhibit::plane::keeps_weights(&planned.trial));
    let stopped = control.interrupted() || finished.error.is_some();
    finished.lacks_plane = draws_plane && stopped && exhibit::plane::is_missing(&finished.summary);
    finished.summary.groups = statistics::groups(&finished.summary.trials, data.validation.is_some());
    finished.summary.verdict = Some(Verdict::of(&finished.summary, study.tie));
    match finished.error {
        Some(error) if !tuned.is_interrupted && finished.summary.trials.has_none() => Err(error),
        _ => Ok(finished),
    }
}

/// Creates every trial once, so that errors are found before anything is written, then all of the summary that needs
/// no training.
fn prepare(
    study: &Study,
    data: &Dataset,
    limits: Limits,
    timetable: &Timetable,
    command: &str,
    control: &Control,
) -> Result<Summary> {
    let each = Limits { threads: limits.threads, ..timetable.limits };
    for planned in &study.trials {
        Session::new(&planned.trial, data, each)?;
    }
    let mut summary = new_summary(study, data, command)?;
    Gallery { study, data, limits, control }.draw(&mut summary)?;
    Ok(summary)
}

/// Creates the summary with everything known before the first trial.
fn new_summary(study: &Study, data: &Dataset, command: &str) -> Result<Summary> {
    let first = study.trials.first().map(|planned| &planned.trial);
    let parameters = |trial: &Trial| trial.plan(data).map_or(0, |plan| plan.layout.parameters());
    Ok(Summary {
        schema: 1,
        schuss: Release {
            version: env!("CARGO_PKG_VERSION").into(),
            commit: option_env!("SCHUSS_COMMIT").map(Into::into),
        },
        study: StudyRecord { untuned: study.tune.is_some(), ..study.about.clone() },
        command: command.to_owned(),
        run: String::new(),
        began: machine::now(),
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
            chance: chance(data)?,
            labels: data.labels.clone(),
            eval_split: data.evaluated_name().into(),
            resampled: resampled(data),
        },
        machine: machine::describe(),
        warnings: warnings(study, data)?,
        groups: vec![],
        trials: Trials::default(),
        tuning: None,
        verdict: None,
        surfaces: vec![],
        exhibits: vec![],
    })
}

/// Returns which splits every seed draws anew, if it does.
fn resampled(data: &Dataset) -> Option<ResampledRecord> {
    let splits = data.held_out.as_ref().map_or_else(Vec::new, |held_out| held_out.drawn.clone());
    data.resampled
        .as_ref()
        .map(|_| ResampledRecord { folds: folds(data).map(|folds| folds.to_string()), splits })
}

/// Returns the fraction of the most common class per split, if classes are known without reading the samples.
fn chance(data: &Dataset) -> Result<Option<Chance>> {
    let of = |split: &Split| data.known_chance(split);
    let (train, test) = (of(&data.train)?, of(&data.test)?);
    let validation = data.validation.as_ref().map(of).transpose()?.flatten();
    let both = train.zip(test);
    Ok(both.map(|(train, test)| Chance { train, validation, test }))
}

/// Returns the number of samples per split.
pub(super) fn counts(data: &Dataset) -> Counts {
    let validation = data.validation.as_ref().map(Split::len);
    Counts { train: data.train.len(), validation, test: data.test.len() }
}

fn warnings(study: &Study, data: &Dataset) -> Result<Vec<String>> {
    let mut warnings = data.warnings()?;
    if data.validation.is_none() {
        warnings.push(
            "no validation split: curves and best weights are evaluated on the test split, so choices based on them look better than they are (--validation 0.1)"
                .to_owned(),
        );
    }
    if study.trials.len() > 1 && study.seeds.len() == 1 {
        warnings.push(
            "one seed per recipe decides nothing: another seed may reverse the order (--seeds 6)".into(),
        );
    }
    let mut precisions = study.trials.iter().map(|planned| planned.trial.recipe.matmul_precision);
    warnings.extend(precisions.find_map(MatmulPrecision::warning));
    warnings.extend(study.outlooks(data.train.len()).into_iter().flat_map(|outlook| outlook.warnings));
    Ok(warnings)
}

/// Returns a warning if the split that ends trials is the one that they are judged by.
fn early_stop_warning(study: &Study, data: &Dataset) -> Option<String> {
    let mut trials = study.trials.iter().map(|planned| &planned.trial);
    let stops = trials.any(|trial| trial.budget.early_stop.is_some());
    (stops && data.validation.is_none()).then(|| {
        "early stopping looks at the test split, whose figures at that point are optimistic; with --validation 0.1 it looks at other samples, and the test split is evaluated once, at the end"
            .to_owned()
    })
}

/// Returns warnings about the orders in which the trials read samples.
fn order_warnings(study: &Study, data: &Dataset) -> Result<Vec<String>> {
    let mut warnings = vec![];
    let mut orders: Vec<Order> = vec![];
    for planned in &study.trials {
        let order = planned.trial.recipe.order;
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    for order in orders {
        warnings.extend(schuss_data::advice(order, data.train.store().access()));
        if matches!(order, Order::Sequential | Order::Blocks(_)) {
            let mixing = mixing::measure(data.train.store(), order, study.seeds[0])?;
            warnings.extend(mixing.and_then(|mixing| mixing.warning(order)));
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests;
