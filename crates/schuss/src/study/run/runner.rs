//! Runner for the trials of a study: in turns, one after the other or side by side.

use super::beside::{SharedMachine, run_beside};
use super::member::{Member, Run};
use super::timetable::Timetable;
use super::turns::take_turns;
use super::{RunFolder, Study, Watcher};
use crate::recipe::{Budget, Trial};
use crate::record::{BudgetRecord, Timing, Trace, TrialRecord};
use crate::session::{Control, Outcome, Session};
use crate::study::trial_folder::{Start, TrialFolder};
use crate::{Error, Result, machine};
use schuss_data::Dataset;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// State shared by the workers of a run: each takes the next session until none is left.
pub(super) struct Runner<'a> {
    pub(super) study: &'a Study,
    /// Data of all trials, or of those with seed 1.
    given: Arc<SplitData>,
    /// Data of other seeds, as long as trials use them.
    drawn: Mutex<Vec<(u64, Weak<SplitData>)>>,
    pub(super) timetable: Timetable,
    pub(super) machine: SharedMachine,
    pub(super) control: &'a Control,
    folder: Option<&'a RunFolder>,
    watcher: Mutex<&'a mut dyn Watcher>,
    next: AtomicUsize,
    ended: Mutex<Ended>,
}

/// Data as the trials with a seed split them.
pub(super) struct SplitData {
    pub(super) data: Dataset,
    pub(super) fingerprint: String,
}

/// The trials that have ended, in order of completion, and the first error outside training.
#[derive(Default)]
pub(in crate::study) struct Ended {
    pub(in crate::study) trials: Vec<(usize, TrialRecord, Trace)>,
    pub(in crate::study) error: Option<Error>,
}

/// Locks a mutex, even if a thread panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        study: &'a Study,
        data: &Dataset,
        fingerprint: &str,
        timetable: Timetable,
        folder: Option<&'a RunFolder>,
        control: &'a Control,
        watcher: &'a mut dyn Watcher,
    ) -> Self {
        Self {
            study,
            given: Arc::new(SplitData { data: data.clone(), fingerprint: fingerprint.to_owned() }),
            drawn: Mutex::default(),
            timetable,
            machine: SharedMachine::default(),
            control,
            folder,
            watcher: Mutex::new(watcher),
            next: AtomicUsize::new(0),
            ended: Mutex::default(),
        }
    }

    /// Runs all sessions.
    pub(super) fn run(self) -> Ended {
        self.timetable.note.iter().for_each(|note| self.watcher().note(note));
        std::thread::scope(|scope| {
            for _ in 1..self.timetable.workers {
                scope.spawn(|| self.work());
            }
            self.work();
        });
        self.ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs sessions on one worker until none is left, an error occurs or the run is interrupted.
    fn work(&self) {
        while !self.failed() {
            let Some(members) = self.timetable.sessions.get(self.next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            self.session(members);
            if self.control.interrupted() {
                return;
            }
        }
    }

    /// Runs the trials that have not ended: in turns, or beside others. If one cannot begin, the others of its session end
    /// as interrupted, so that they can be resumed.
    fn session(&self, indices: &[usize]) {
        let is_shared = self.timetable.timing == Timing::Shared;
        let mut members: Vec<Member> = Vec::with_capacity(indices.len());
        machine::reset_peak_memory();
        for &index in indices {
            let _beside = self.machine.beside_others();
            match self.begin(index, members.first().filter(|_| is_shared).map(|member| &member.session)) {
                Ok(member) => members.extend(member),
                Err(error) => {
                    self.enter_error(Some(error));
                    return take_turns(self, members);
                }
            }
        }
        match self.timetable.timing {
            Timing::Shared => {}
            Timing::Calibrated => return members.into_iter().for_each(|member| run_beside(self, member)),
            _ => return take_turns(self, members),
        }
        let last = members.pop();
        std::thread::scope(|scope| {
            for member in members {
                scope.spawn(|| self.complete(member));
            }
            last.into_iter().for_each(|member| self.complete(member));
        });
    }

    /// Returns the data as trials with this seed split them; trials that are live together share them.
    fn split(&self, seed: u64) -> Result<Arc<SplitData>> {
        if self.given.data.resampled.is_none() {
            return Ok(Arc::clone(&self.given));
        }
        let mut drawn = lock(&self.drawn);
        drawn.retain(|(_, split)| split.strong_count() > 0);
        let known = drawn.iter().find(|(other, _)| *other == seed).and_then(|(_, split)| split.upgrade());
        if let Some(split) = known {
            return Ok(split);
        }
        let data = self.given.data.for_seed(seed)?;
        let split = Arc::new(SplitData { fingerprint: data.fingerprint()?, data });
        drawn.push((seed, Arc::downgrade(&split)));
        Ok(split)
    }

    /// Prepares a trial to run beside `other` of its session; `None` if it has already ended.
    fn begin(&self, index: usize, other: Option<&Session>) -> Result<Option<Member<'_, 'a>>> {
        let Some((planned, trial)) = self.study.runs().nth(index) else { return Ok(None) };
        let split = self.split(trial.seed)?;
        let place = self.folder.map(|folder| folder.trial(index, &trial)).transpose()?;
        let checkpoint = match &place {
            None => None,
            Some(folder) => {
                match folder.start(&trial, &split.fingerprint, &mut |text| self.watcher().note(text))? {
                    Start::Ended(record) => {
                        return self.enter_ended(index, &trial, &split.data, folder, *record);
                    }
                    Start::From(checkpoint) => Some(checkpoint),
                    Start::Fresh => None,
                }
            }
        };
        self.control.set_samples(0); // earlier ones belong to another trial
        let run = Run { runner: self, index, planned, trial, split, place, trace: Trace::default() };
        let member = run.begin(checkpoint, other)?;
        let (number, total) = self.timetable.place(index);
        self.watcher().started(&member.run.trial, number, total);
        Ok(Some(member))
    }

    /// Takes the record of a trial that ended in an earlier part of the run.
    fn enter_ended(
        &self,
        index: usize,
        trial: &Trial,
        data: &Dataset,
        folder: &TrialFolder,
        record: TrialRecord,
    ) -> Result<Option<Member<'_, 'a>>> {
        let weights = trial.plan(data)?.layout.len();
        let trace = Trace { reconstructions: folder.sheet(trial), ..folder.trace(weights)? };
        let budget = budget(trial, data); // the run may have been extended since
        let record = TrialRecord { config_id: trial.config_id(), budget, ..record };
        lock(&self.ended).trials.push((index, record, trace));
        Ok(None)
    }

    /// Runs a trial to its end.
    fn complete(&self, mut member: Member) {
        let ended = member.session.run_with(self.control, &mut member.run);
        self.finish(member, ended);
    }

    /// Records a trial that has ended.
    pub(super) fn finish(&self, member: Member, ended: Result<Outcome>) {
        let index = member.run.index;
        let (record, trace, error) = member.end(ended);
        self.watcher().ended(&record);
        lock(&self.ended).trials.push((index, record, trace));
        self.enter_error(error);
    }

    /// True after an error outside training.
    pub(super) fn failed(&self) -> bool {
        lock(&self.ended).error.is_some()
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
