//! The finals: paired seeds of the best candidates and the linear baseline, as a race of the library.

use super::candidates::{Candidate, name};
use super::halving::Entrant;
use super::plan::{self, SEEDS};
use crate::network::Params;
use crate::recipe::{Budget, Recipe, Trial};
use crate::record::TrialRecord;
use crate::schedule::Schedule;
use crate::session::Event;
use crate::study::plan::{Planned, Study};
use crate::study::run::{Finished, Means, Watcher};
use crate::{Error, Result};
use schuss_data::Dataset;
use std::collections::BTreeMap;
use std::time::Duration;

/// Schedule that the best candidate is tried with as well.
const SCHEDULE: &str = "cosine";

/// A recipe in the finals.
#[derive(Clone, Debug)]
pub(super) struct Finalist {
    pub(super) planned: Planned,
    pub(super) is_linear: bool,
    /// Time of a training.
    pub(super) time: Duration,
    /// True if its loss was lowest at the end of the search.
    pub(super) still_falling: bool,
}

impl Finalist {
    /// Returns a candidate that trains up to its lowest loss; `None` if it was not evaluated or diverged.
    pub(super) fn of(entrant: &Entrant, data: &Dataset) -> Option<Self> {
        let best = entrant.track.best.as_ref().filter(|_| entrant.track.loss().is_finite())?;
        let Candidate { planned, is_linear } = entrant.candidate.clone();
        let is_partial = best.samples < data.train.len() as u64;
        let max_updates = is_partial.then_some(best.updates);
        let budget = Budget { epochs: best.epoch.max(1), max_updates, ..planned.trial.budget };
        let trial = Trial { budget, ..planned.trial };
        Some(Self {
            planned: Planned { trial, ..planned },
            is_linear,
            time: entrant.track.time_to_best(),
            still_falling: best.updates == entrant.track.updates,
        })
    }

    /// Returns the same recipe with a schedule, if its optimizer can have one.
    fn scheduled(&self) -> Result<Option<Self>> {
        let trial = &self.planned.trial;
        if !trial.recipe.optimizer.can_be_scheduled() || !trial.recipe.schedule.is_constant() {
            return Ok(None);
        }
        let schedule: Schedule = SCHEDULE.parse()?;
        let recipe = Recipe { schedule, ..trial.recipe.clone() };
        let trial = Trial { recipe, ..trial.clone() };
        let trial = Trial { name: name(&trial, self.is_linear), ..trial };
        Ok(Some(Self { planned: Planned { trial, ..self.planned.clone() }, ..self.clone() }))
    }
}

/// Networks that may take part in the heats, each with and without a schedule.
const NETWORKS: usize = 4;
/// Recipes in finals without heats: the best network, the linear baseline, the best with a schedule, the second best.
const WITHOUT_HEATS: usize = 4;
/// Recipes in finals after heats: the two best, and the linear baseline.
const AFTER_HEATS: usize = 2;
/// Share of the time that is left for heats.
const HEATS: f64 = 0.4;

/// Returns the recipes that may take part, most important first: the best network, the linear baseline, the best network with
/// a schedule, and then further networks.
pub(super) fn qualified(entrants: &[Entrant], data: &Dataset) -> Result<Vec<Finalist>> {
    let of_kind = |is_linear: bool| {
        let of_kind = entrants.iter().filter(move |entrant| entrant.candidate.is_linear == is_linear);
        of_kind.filter_map(|entrant| Finalist::of(entrant, data))
    };
    let mut qualified = vec![];
    for network in of_kind(false).take(NETWORKS) {
        let scheduled = network.scheduled()?;
        qualified.extend([Some(network), scheduled].into_iter().flatten());
    }
    let place = qualified.len().min(1);
    qualified.splice(place..place, of_kind(true).take(1));
    Ok(qualified)
}

/// Returns the number of recipes for heats with the fewest seeds; `None` if the time is only enough for finals.
pub(super) fn fit_heats(qualified: &[Finalist], left: Duration) -> Option<usize> {
    let fits = |count: &usize| {
        let each = qualified[..*count].iter().map(|finalist| finalist.time).sum();
        plan::seeds(left.mul_f64(HEATS), each) >= *SEEDS.start()
    };
    (WITHOUT_HEATS + 1..=qualified.len()).rev().find(fits)
}

/// Returns the finalists after heats: the best networks by their mean loss at the end, and the baseline.
pub(super) fn winners(qualified: Vec<Finalist>, heats: &Raced) -> Vec<Finalist> {
    let loss = |finalist: &Finalist| {
        let trials = heats.finished.summary.trials.iter();
        let own = trials.filter(|record| record.name == finalist.planned.trial.name);
        let losses: Option<Vec<f64>> = own.map(last_loss).collect();
        let losses = losses.filter(|losses| !losses.is_empty());
        losses.map_or(f64::INFINITY, |losses| losses.iter().sum::<f64>() / losses.len() as f64)
    };
    let (linear, mut networks): (Vec<Finalist>, Vec<Finalist>) =
        qualified.into_iter().partition(|finalist| finalist.is_linear);
    networks.sort_by(|a, b| loss(a).total_cmp(&loss(b)));
    networks.truncate(AFTER_HEATS);
    let place = networks.len().min(1);
    networks.splice(place..place, linear);
    networks
}

/// Returns the loss at the end of a trial; `None` if it did not get there.
fn last_loss(record: &TrialRecord) -> Option<f64> {
    let last = record.epochs.last()?.eval_loss?;
    record.status.is_end().then_some(last)
}

/// Leaves out recipes, the least important first, until the fewest seeds fit in the time that is left, or two are left.
/// Returns the number of seeds, at least one.
pub(super) fn fit(finalists: &mut Vec<Finalist>, left: Duration) -> usize {
    finalists.truncate(WITHOUT_HEATS);
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

/// Returns the error for candidates none of which could be tried.
pub(super) fn first_refusal(entrants: &mut [Entrant]) -> Option<Error> {
    entrants.iter_mut().find_map(|entrant| entrant.track.refused.take())
}
