//! The race of a study: all of its trials, or first some and then more of the recipes that are not yet decided.

use super::runner::{Ended, Runner};
use super::speed::calibrate;
use super::timetable::Timetable;
use super::{Means, RunFolder, Study, Watcher};
use crate::record::{Summary, Verdict};

/// A study that is ready to race, and what its run has.
pub(super) struct Race<'a> {
    pub(super) study: &'a Study,
    pub(super) means: Means<'a>,
    pub(super) folder: Option<&'a RunFolder>,
    /// Summary without trials.
    pub(super) summary: &'a Summary,
}

impl Race<'_> {
    /// Runs the trials that have not ended. A study that adds seeds is looked at again and again: after each part of it the
    /// verdict says which recipes go on. Since it depends on the records alone, a resumed run goes the same way.
    pub(super) fn run(&self, timetable: &Timetable, watcher: &mut dyn Watcher) -> Ended {
        let Means { data, control, .. } = self.means;
        let fingerprint = &self.summary.data.fingerprint;
        let mut all = Ended::default();
        let mut part = timetable.part(&self.study.first_trials(), 0, data);
        loop {
            let ended =
                Runner::new(self.study, data, fingerprint, part, self.folder, control, &mut *watcher).run();
            all.error = ended.error;
            all.trials.extend(ended.trials);
            all.trials.sort_by_key(|(index, ..)| *index);
            calibrate(&mut all.trials);
            if all.error.is_some() || control.interrupted() || !self.study.adds_seeds() {
                return all;
            }
            let verdict = self.verdict(&all);
            verdict.last_look().iter().for_each(|look| watcher.looked(look));
            let further = self.further(&verdict, &all);
            if further.is_empty() {
                return all;
            }
            part = timetable.part(&further, all.trials.len(), data);
        }
    }

    fn verdict(&self, ended: &Ended) -> Verdict {
        let mut summary = self.summary.clone();
        summary.trials.extend(ended.trials.iter().map(|(_, record, _)| record.clone()));
        Verdict::of(&summary, self.study.tie)
    }

    /// Returns the trials that the next look needs, in ascending order.
    fn further(&self, verdict: &Verdict, ended: &Ended) -> Vec<usize> {
        let has_ended = |index: usize| ended.trials.iter().any(|(other, ..)| *other == index);
        let trials = self.study.runs().enumerate().filter(|(index, _)| !has_ended(*index));
        trials
            .filter(|(_, (_, trial))| verdict.needs(&trial.name, trial.seed))
            .map(|(index, _)| index)
            .collect()
    }
}
