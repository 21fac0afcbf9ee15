//! The finals: paired seeds of the best candidates and the linear baseline, as a race of the library.

use super::finalist::Finalist;
use super::plan::{self, SEEDS};
use crate::Result;
use crate::network::Params;
use crate::recipe::Trial;
use crate::record::TrialRecord;
use crate::session::Event;
use crate::study::plan::{Planned, Study};
use crate::study::run::{Finished, Means, Watcher};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most recipes in the finals.
const FINALISTS: usize = 4;
/// Returns the finalists among recipes, of which the baseline is the second: the best network, the baseline, the best network
/// with a schedule, and the second best network.
pub(super) fn finalists(recipes: Vec<Finalist>) -> Result<Vec<Finalist>> {
    let mut all = recipes;
    let scheduled =
        all.first().filter(|best| !best.is_linear).map(Finalist::scheduled).transpose()?.flatten();
    let place = all.len().min(2);
    all.splice(place..place, scheduled);
    all.truncate(FINALISTS);
    Ok(all)
}

/// Leaves out recipes, the least important first, until the fewest seeds fit in the time that is left, or two are left.
/// Returns the number of seeds, at least one.
pub(super) fn fit(finalists: &mut Vec<Finalist>, left: Duration) -> usize {
    loop {
        let seeds = plan::seeds(left, finalists.iter().map(|finalist| finalist.time).sum());
        if seeds >= *SEEDS.start() || finalists.len() <= 2 {
            return seeds.max(1);
        }
        finalists.pop();
    }
}

/// Results of the finals, and the weights of every recipe after its first seed.
pub(super) struct Raced {
    pub(super) finished: Finished<()>,
    pub(super) weights: BTreeMap<String, Weights>,
}

/// Trained weights, and the trial that they are of.
pub(super) struct Weights {
    pub(super) trial: Trial,
    pub(super) params: Params,
}

/// Runs the finals. The test split is left alone.
///
/// # Errors
/// Any error of a trial.
pub(super) fn race(
    study: &Study,
    finalists: &[Finalist],
    seeds: Vec<u64>,
    means: Means,
    watcher: &mut dyn Watcher,
) -> Result<Raced> {
    let resolved =
        |planned: Planned| Planned { trial: planned.trial.resolved(means.data.train.len()), ..planned };
    let trials = finalists.iter().map(|finalist| resolved(finalist.planned.clone())).collect();
    let mut study = Study { trials, spares_test: true, ..study.clone() }.with_seeds(seeds)?;
    study.about.own_budgets = true;
    let mut keeper = Keeper { watcher, weights: BTreeMap::new() };
    let Means { data, limits, control } = means;
    let mut finished = study.run_with(data, limits, control, &mut keeper)?;
    match finished.error.take() {
        Some(error) => Err(error),
        None => Ok(Raced { finished, weights: keeper.weights }),
    }
}

/// Keeps the weights of every recipe after its first seed.
struct Keeper<'a> {
    watcher: &'a mut dyn Watcher,
    weights: BTreeMap<String, Weights>,
}

impl Watcher for Keeper<'_> {
    fn started(&mut self, trial: &Trial, index: usize, total: usize) {
        self.watcher.started(trial, index, total);
    }

    fn event(&mut self, trial: &Trial, event: &Event) {
        self.watcher.event(trial, event);
    }

    fn trained(&mut self, trial: &Trial, params: &Params) {
        let weights = || Weights { trial: trial.clone(), params: params.clone() };
        self.weights.entry(trial.name.clone()).or_insert_with(weights);
        self.watcher.trained(trial, params);
    }

    fn ended(&mut self, record: &TrialRecord) {
        self.watcher.ended(record);
    }
}
