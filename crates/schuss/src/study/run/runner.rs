//! Runner for the trials of a study, one after the other or side by side.

use super::member::{Member, Run};
use super::{RunFolder, Study, Watcher};
use crate::recipe::{Budget, Trial};
use crate::record::{BudgetRecord, Timing, Trace, TrialRecord};
use crate::session::{Control, Limits, Session};
use crate::study::trial_folder::{Start, TrialFolder};
use crate::{Error, Result};
use schuss_data::Dataset;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// State shared by the workers of a run: each takes the next session until none is left.
pub(super) struct Runner<'a> {
    pub(super) study: &'a Study,
    pub(super) data: &'a Dataset,
    pub(super) fingerprint: &'a str,
    pub(super) schedule: Schedule,
    pub(super) control: &'a Control,
    folder: Option<&'a RunFolder>,
    watcher: Mutex<&'a mut dyn Watcher>,
    next: AtomicUsize,
    ended: Mutex<Ended>,
}

/// Order of the trials, and the resource limits of each.
pub(super) struct Schedule {
    /// Indices of the trials of each session, which run side by side.
    sessions: Vec<Vec<usize>>,
    /// Number of sessions at a time.
    workers: usize,
    /// Limits of one trial.
    pub(super) limits: Limits,
    pub(super) timing: Timing,
}

impl Schedule {
    pub(super) fn new(study: &Study, data: &Dataset, limits: Limits) -> Self {
        let sessions = sessions(study, data, limits);
        let members = sessions.iter().map(Vec::len).max().unwrap_or(1);
        let workers = if limits.side_by_side && members == 1 {
            limits.threads.clamp(1, sessions.len().max(1))
        } else {
            1
        };
        let at_once = workers.max(members);
        let timing = if at_once > 1 { Timing::Shared } else { Timing::Alone };
        Self { sessions, workers, limits: limits.shared_out(at_once, data.bytes() as u64), timing }
    }
}

/// The trials that have ended, in order of completion, and the first error outside training.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) trials: Vec<(usize, TrialRecord, Trace)>,
    pub(super) error: Option<Error>,
}

/// Locks a mutex, even if a thread panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        study: &'a Study,
        data: &'a Dataset,
        fingerprint: &'a str,
        limits: Limits,
        folder: Option<&'a RunFolder>,
        control: &'a Control,
        watcher: &'a mut dyn Watcher,
    ) -> Self {
        Self {
            study,
            data,
            fingerprint,
            schedule: Schedule::new(study, data, limits),
            control,
            folder,
            watcher: Mutex::new(watcher),
            next: AtomicUsize::new(0),
            ended: Mutex::default(),
        }
    }

    /// Runs all sessions.
    pub(super) fn run(self) -> Ended {
        std::thread::scope(|scope| {
            for _ in 1..self.schedule.workers {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        self.ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs sessions on one worker until none is left, an error occurs or the run is interrupted.
    fn work(&self) {
        while lock(&self.ended).error.is_none() {
            let Some(members) = self.schedule.sessions.get(self.next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            self.session(members);
            if self.control.interrupted() {
                return;
            }
        }
    }

    /// Runs the trials that have not ended, each on its own thread.
    fn session(&self, indices: &[usize]) {
        let mut members: Vec<Member> = Vec::with_capacity(indices.len());
        for &index in indices {
            match self.begin(index, members.first().map(|member| &member.session)) {
                Ok(member) => members.extend(member),
                Err(error) => return self.enter_error(Some(error)),
            }
        }
        let last = members.pop();
        std::thread::scope(|scope| {
            for member in members {
                scope.spawn(|| self.finish(member));
            }
            last.into_iter().for_each(|member| self.finish(member));
        });
    }

    /// Prepares a trial to run beside `other` of its session; `None` if it has already ended.
    fn begin(&self, index: usize, other: Option<&Session>) -> Result<Option<Member<'_, 'a>>> {
        let Some((planned, trial)) = self.study.runs().nth(index) else { return Ok(None) };
        let place = self.folder.map(|folder| folder.trial(index, &trial)).transpose()?;
        let checkpoint = match &place {
            None => None,
            Some(folder) => {
                match folder.start(&trial, self.fingerprint, &mut |text| self.watcher().note(text))? {
                    Start::Ended(record) => return self.enter_ended(index, &trial, folder, *record),
                    Start::From(checkpoint) => Some(checkpoint),
                    Start::Fresh => None,
                }
            }
        };
        self.control.set_samples(0); // earlier ones belong to another trial
        self.watcher().started(&trial, index, self.study.seeds.len() * self.study.trials.len());
        let run = Run { runner: self, index, planned, trial, place, trace: Trace::default() };
        run.begin(checkpoint, other).map(Some)
    }

    /// Takes the record of a trial that ended in an earlier part of the run.
    fn enter_ended(
        &self,
        index: usize,
        trial: &Trial,
        folder: &TrialFolder,
        record: TrialRecord,
    ) -> Result<Option<Member<'_, 'a>>> {
        let trace = Trace { reconstructions: folder.sheet(trial), ..folder.trace()? };
        let budget = budget(trial, self.data); // the run may have been extended since
        let record = TrialRecord { config_id: trial.config_id(), budget, ..record };
        lock(&self.ended).trials.push((index, record, trace));
        Ok(None)
    }

    /// Runs a trial to its end.
    fn finish(&self, member: Member) {
        let index = member.run.index;
        let (record, trace, error) = member.run();
        self.watcher().ended(&record);
        lock(&self.ended).trials.push((index, record, trace));
        self.enter_error(error);
    }

    fn enter_error(&self, error: Option<Error>) {
        let mut ended = lock(&self.ended);
        ended.error = ended.error.take().or(error);
    }

    pub(super) fn watcher(&self) -> MutexGuard<'_, &'a mut dyn Watcher> {
        lock(&self.watcher)
    }
}

/// Returns the budget of a trial on `data`.
pub(super) fn budget(trial: &Trial, data: &Dataset) -> BudgetRecord {
    let Budget { epochs, max_updates, .. } = trial.budget;
    BudgetRecord { epochs, max_updates, updates: trial.updates(data.train.len()) }
}

/// Groups the trials of a study into sessions: trials that run side by side on streamed samples in the same order share
/// one, so that each sample is read once; all others have their own.
fn sessions(study: &Study, data: &Dataset, limits: Limits) -> Vec<Vec<usize>> {
    let together = limits.side_by_side && data.train.resident().is_none();
    let mut sessions: Vec<(_, Vec<usize>)> = vec![];
    for (index, (_, trial)) in study.runs().enumerate() {
        let order = (trial.recipe.order, trial.seed);
        match sessions.iter_mut().find(|(other, _)| together && *other == order) {
            Some((_, members)) => members.push(index),
            None => sessions.push((order, vec![index])),
        }
    }
    sessions.into_iter().map(|(_, members)| members).collect()
}
