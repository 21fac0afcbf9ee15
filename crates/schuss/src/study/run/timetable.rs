//! Order of the trials of a study, and what of the machine each gets.

use super::Study;
use crate::machine;
use crate::recipe::Trial;
use crate::record::{MemoryRecord, Timing};
use crate::session::{Limits, Session};
use schuss_data::Dataset;

/// Order of the trials, and the resource limits of each.
#[derive(Clone)]
pub(super) struct Timetable {
    /// Indices of the trials of each session, which are live together.
    pub(super) sessions: Vec<Vec<usize>>,
    /// Number of sessions at a time.
    pub(super) workers: usize,
    /// Limits of one trial.
    pub(super) limits: Limits,
    /// Limits of all trials together.
    whole: Limits,
    pub(super) timing: Timing,
    /// Reason why trials do not take turns, if they were to.
    pub(super) note: Option<String>,
    /// Number of trials that ran before these.
    pub(super) before: usize,
}

impl Study {
    /// Returns true if its recipes take turns within these limits: they are then in memory together.
    pub fn takes_turns(&self, data: &Dataset, limits: Limits) -> bool {
        Timetable::new(self, data, limits).timing == Timing::Interleaved
    }
}

impl Timetable {
    pub(super) fn new(study: &Study, data: &Dataset, limits: Limits) -> Self {
        if limits.side_by_side {
            return Self::side_by_side(study, data, limits);
        }
        match Self::interleaved(study, data, limits) {
            Ok(Some(schedule)) => schedule,
            Ok(None) => Self::one_by_one(study, limits, None),
            Err(why) => Self::one_by_one(study, limits, Some(why)),
        }
    }

    /// Returns a timetable of these trials alone, in ascending order, after so many others. Where they are fewer than
    /// could run at the same time, each gets more of the machine.
    pub(super) fn part(&self, trials: &[usize], before: usize, data: &Dataset) -> Self {
        let of_part = |session: &Vec<usize>| {
            session.iter().copied().filter(|index| trials.binary_search(index).is_ok()).collect()
        };
        let mut sessions: Vec<Vec<usize>> = self.sessions.iter().map(of_part).collect();
        sessions.retain(|session| !session.is_empty());
        let note = self.note.clone().filter(|_| before == 0);
        let workers = self.workers.min(sessions.len().max(1));
        let limits = match workers {
            same if same == self.workers => self.limits,
            fewer => self.whole.shared_out(fewer, data.bytes() as u64),
        };
        Self { sessions, workers, limits, note, before, ..*self }
    }

    /// Returns the number of a trial, from 0, and the number of trials so far.
    pub(super) fn place(&self, index: usize) -> (usize, usize) {
        let trials = || self.sessions.iter().flatten();
        let earlier = trials().filter(|other| **other < index).count();
        (self.before + earlier, self.before + trials().count())
    }

    /// Returns how a trial was timed; one that was resumed may have been calibrated before.
    pub(super) fn timing(&self, is_calibrated: bool) -> Timing {
        if is_calibrated { Timing::Calibrated } else { self.timing }
    }

    /// Returns the number of threads that the seconds of a trial are for.
    pub(super) fn threads(&self, timing: Timing) -> usize {
        if timing == Timing::Calibrated { self.all_threads() } else { self.limits.threads }
    }

    /// Returns the number of threads of all trials together.
    pub(super) fn all_threads(&self) -> usize {
        self.whole.threads
    }

    /// Trials one after the other.
    fn one_by_one(study: &Study, limits: Limits, why: Option<String>) -> Self {
        let sessions = (0..study.runs().count()).map(|index| vec![index]).collect();
        let note = why.map(|why| {
            format!("trials run one after the other, not in turns: {why}; a machine that slows down may favour some")
        });
        Self { sessions, workers: 1, limits, whole: limits, timing: Timing::Alone, note, before: 0 }
    }

    /// The recipes of a study in turns, seed by seed; `None` if there is only one.
    ///
    /// # Errors
    /// The reason why they cannot be live together.
    fn interleaved(study: &Study, data: &Dataset, limits: Limits) -> Result<Option<Self>, String> {
        let recipes = study.trials.len();
        if recipes < 2 {
            return Ok(None);
        }
        if recipes * limits.threads > MOST_THREADS {
            return Err(format!("{recipes} trials of {} threads each are too many", limits.threads));
        }
        let each = limits.for_turns(recipes, data);
        if !fit(study, data, each) {
            return Err(format!("{recipes} of them do not fit into memory together"));
        }
        let indices: Vec<usize> = (0..study.runs().count()).collect();
        let sessions = indices.chunks(recipes).map(<[usize]>::to_vec).collect();
        Ok(Some(Self {
            sessions,
            workers: 1,
            limits: each,
            whole: limits,
            timing: Timing::Interleaved,
            note: None,
            before: 0,
        }))
    }

    /// Trials at the same time, each with a share of the threads.
    fn side_by_side(study: &Study, data: &Dataset, limits: Limits) -> Self {
        let sessions = sharing_samples(study, data);
        let members = sessions.iter().map(Vec::len).max().unwrap_or(1);
        let workers = if members == 1 { limits.threads.clamp(1, sessions.len().max(1)) } else { 1 };
        let at_once = workers.max(members);
        let timing = match (workers, members) {
            (1, 1) => Timing::Alone,
            (_, 1) => Timing::Calibrated,
            _ => Timing::Shared, // one would wait for the samples of another that waits for the machine
        };
        let each = limits.shared_out(at_once, data.bytes() as u64);
        Self { sessions, workers, limits: each, whole: limits, timing, note: None, before: 0 }
    }
}

/// Maximum number of threads of trials that take turns; all but those of one trial sleep.
const MOST_THREADS: usize = 4_096;

/// Returns true if a session of every recipe can be created within these limits, and all of them fit into three quarters
/// of the free memory together: the rest is for models and reports being written, and for whatever else runs.
fn fit(study: &Study, data: &Dataset, each: Limits) -> bool {
    let buffers = |trial: &Trial| {
        let trial = Trial { init_from: None, ..trial.clone() }; // a resumed trial does without
        let session = Session::new(&trial, data, each).ok()?;
        Some(MemoryRecord { data: 0, ..session.memory() }.total() as u64)
    };
    let all = study.trials.iter().map(|planned| buffers(&planned.trial)).sum::<Option<u64>>();
    all.is_some_and(|all| machine::available_memory().is_none_or(|free| all <= free / 4 * 3))
}

/// Groups trials that run side by side into sessions: on streamed samples in the same order they share one, so that
/// each sample is read once; all others have their own.
fn sharing_samples(study: &Study, data: &Dataset) -> Vec<Vec<usize>> {
    let together = data.train.resident().is_none();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trial;

    #[test]
    fn the_first_look_at_a_parallel_race_has_the_whole_machine() {
        let data = schuss_data::load("digits:train=40,test=10,size=8").unwrap();
        let trial = Trial { model: "64-4-10".parse().unwrap(), ..Trial::default() };
        let study = Study::of([trial], &data).unwrap().with_seeds(1..=20).unwrap();
        let whole = Limits { threads: 9, side_by_side: true, ..Limits::default() };
        let timetable = Timetable::new(&study, &data, whole);
        assert_eq!((timetable.workers, timetable.limits.threads), (9, 1));
        let look = timetable.part(&[0, 1, 2], 0, &data);
        assert_eq!((look.workers, look.limits.threads), (3, 3));
        assert_eq!(look.all_threads(), 9);
    }
}
