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

/// Ratio of the longer training with a schedule to that without: as the rate falls, the loss may fall for longer.
const STRETCHED: u32 = 3;

/// Returns the finalists among recipes, of which the baseline is the second: the best network, the baseline, the best network
/// with a schedule, the second best network, and the best with a longer schedule.
pub(super) fn finalists(recipes: Vec<Finalist>) -> Result<Vec<Finalist>> {
    let mut all = recipes.into_iter();
    let [best, linear, second] = [all.next(), all.next(), all.next()];
    let scheduled = |times: u32| -> Result<Option<Finalist>> {
        let network = best.clone().filter(|best| !best.is_linear);
        network.map(|best| best.longer(times).scheduled()).transpose().map(Option::flatten)
    };
    let (short, long) = (scheduled(1)?, scheduled(STRETCHED)?);
    Ok([best, linear, short, second, long].into_iter().flatten().collect())
}

/// Most recipes that run with the fewest seeds; further ones must leave time for [`ENOUGH`] of them.
const FEW: usize = 4;
/// Number of seeds that is worth more than a further recipe.
const ENOUGH: usize = 6;

/// Leaves out recipes, the least important first, until enough seeds fit in the time that is left, or two recipes are left.
/// Returns the number of seeds, at least one.
pub(super) fn fit(finalists: &mut Vec<Finalist>, left: Duration) -> usize {
    loop {
        let seeds = plan::seeds(left, finalists.iter().map(|finalist| finalist.time).sum());
        let fewest = if finalists.len() > FEW { ENOUGH } else { *SEEDS.start() };
        if seeds >= fewest || finalists.len() <= 2 {
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
