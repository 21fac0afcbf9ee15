//! The finals: paired seeds of the best candidates and the linear baseline, as a race of the library.

use super::candidates::{Candidate, name};
use super::halving::Entrant;
use super::plan::{self, SEEDS};
use crate::network::Params;
use crate::recipe::{Budget, Recipe, Trial};
use crate::record::{EvaluationPoint, TrialRecord};
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

/// Ratio of a training in the heats to that up to the lowest loss in the search.
const LONGER: u32 = 2;

impl Finalist {
    pub(super) fn name(&self) -> &str {
        &self.planned.trial.name
    }

    /// Returns a candidate that trains up to its lowest loss; `None` if it was not evaluated or diverged.
    fn of(entrant: &Entrant, data: &Dataset) -> Option<Self> {
        let best = entrant.track.best.as_ref().filter(|_| entrant.track.loss().is_finite())?;
        let Candidate { planned, is_linear } = entrant.candidate.clone();
        let still_falling = best.updates == entrant.track.updates;
        let finalist = Self { planned, is_linear, time: entrant.track.spent, still_falling };
        Some(finalist.until(best, entrant.track.updates, data))
    }

    /// Returns the recipe with a budget that ends at a point of a training of so many updates.
    fn until(self, point: &EvaluationPoint, of: u64, data: &Dataset) -> Self {
        let is_partial = point.samples < data.train.len() as u64;
        let max_updates = is_partial.then_some(point.updates);
        let budget = Budget { epochs: point.epoch.max(1), max_updates, ..self.planned.trial.budget };
        let time = self.time.mul_f64((point.updates as f64 / of.max(1) as f64).min(1.0));
        Self { time, still_falling: point.updates == of, ..self.with_budget(budget) }
    }

    /// Returns the recipe with a longer budget.
    fn longer(self) -> Self {
        let Budget { epochs, max_updates, .. } = self.planned.trial.budget;
        let epochs = epochs.saturating_mul(LONGER);
        let max_updates = max_updates.map(|updates| updates * u64::from(LONGER));
        let budget = Budget { epochs, max_updates, ..self.planned.trial.budget };
        Self { time: self.time * LONGER, ..self.with_budget(budget) }
    }

    fn with_budget(self, budget: Budget) -> Self {
        let trial = Trial { budget, ..self.planned.trial };
        Self { planned: Planned { trial, ..self.planned }, ..self }
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

/// Networks that may take part in the heats.
const NETWORKS: usize = 8;
/// Fewest recipes that heats are worthwhile for: two networks and the baseline.
const FEWEST: usize = 3;
/// Most recipes in the finals.
const FINALISTS: usize = 4;
/// Share of the time that is left for heats.
const HEATS: f64 = 0.5;

/// Returns the recipes that may take part, most important first: the best network, the linear baseline, further networks.
pub(super) fn qualified(entrants: &[Entrant], data: &Dataset) -> Vec<Finalist> {
    let of_kind = |is_linear: bool, count: usize| {
        let of_kind = entrants.iter().filter(move |entrant| entrant.candidate.is_linear == is_linear);
        of_kind.filter_map(|entrant| Finalist::of(entrant, data)).take(count)
    };
    baseline_second(of_kind(false, NETWORKS).collect(), of_kind(true, 1).collect())
}

fn baseline_second(mut networks: Vec<Finalist>, linear: Vec<Finalist>) -> Vec<Finalist> {
    let place = networks.len().min(1);
    networks.splice(place..place, linear);
    networks
}

/// Returns as many of the recipes as heats with the fewest seeds have time for, with longer budgets; `None` if it is only
/// enough for finals.
pub(super) fn heats(qualified: &[Finalist], left: Duration) -> Option<Vec<Finalist>> {
    let longer: Vec<Finalist> = qualified.iter().cloned().map(Finalist::longer).collect();
    let fits = |count: &usize| {
        let each = longer[..*count].iter().map(|finalist| finalist.time).sum();
        plan::seeds(left.mul_f64(HEATS), each) >= *SEEDS.start()
    };
    let count = (FEWEST..=longer.len()).rev().find(fits)?;
    Some(longer[..count].to_vec())
}

/// Returns the recipes of heats, each up to the lowest mean loss over its seeds, best network first, baseline second; without
/// those of which a trial did not get to its end.
pub(super) fn judge(heats: &[Finalist], raced: &Raced, data: &Dataset) -> Vec<Finalist> {
    let judged = heats.iter().filter_map(|finalist| {
        let lowest = lowest_mean(raced, &finalist.planned.trial.name)?;
        Some((lowest.loss, finalist.clone().until(&lowest.point, lowest.of, data)))
    });
    let mut judged: Vec<(f64, Finalist)> = judged.collect();
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (linear, networks) =
        judged.into_iter().map(|(_, finalist)| finalist).partition(|found: &Finalist| found.is_linear);
    baseline_second(networks, linear)
}

/// Lowest mean loss of a recipe over its seeds.
struct Lowest {
    loss: f64,
    /// Point of the first seed's training.
    point: EvaluationPoint,
    /// Updates of that training.
    of: u64,
}

/// Returns the lowest mean loss of a recipe at the points that all of its trials were evaluated at.
fn lowest_mean(raced: &Raced, name: &str) -> Option<Lowest> {
    let Finished { summary, traces, .. } = &raced.finished;
    let own = summary.trials.iter().zip(traces).filter(|(record, _)| record.name == name);
    let own: Vec<_> = own.collect();
    let (first, trace) = own.first().filter(|_| own.iter().all(|(record, _)| record.status.is_end()))?;
    let mut sums: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for point in own.iter().flat_map(|(_, trace)| &trace.evaluations).filter(|point| point.updates > 0) {
        sums.entry(point.updates).or_default().extend(point.eval_loss);
    }
    sums.retain(|_, losses| losses.len() == own.len());
    let means =
        sums.into_iter().map(|(updates, losses)| (updates, losses.iter().sum::<f64>() / own.len() as f64));
    let (updates, loss) = means.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let point = trace.evaluations.iter().find(|point| point.updates == updates)?.clone();
    Some(Lowest { loss, point, of: first.updates })
}

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

/// Returns the error for candidates none of which could be tried.
pub(super) fn first_refusal(entrants: &mut [Entrant]) -> Option<Error> {
    entrants.iter_mut().find_map(|entrant| entrant.track.refused.take())
}
