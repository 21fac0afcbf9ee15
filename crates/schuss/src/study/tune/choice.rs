//! Choice of every recipe's values and of one rate for all, and the study that races with them.

use super::profile::{GOOD, Profile};
use super::rungs::{Racer, loss, mean_loss};
use super::space::{Dimension, Space};
use super::{Tune, TuneKey};
use crate::Result;
use crate::optim::Method;
use crate::recipe::Trial;
use crate::record::{Bounds, JudgedBy, ProbePoint, TrialRecord, TunedRecipe, TuningCost, TuningRecord};
use crate::study::plan::{Planned, Study, number_equal_names};
use std::collections::BTreeMap;

/// Values by the name of their choice.
type Values = BTreeMap<String, f64>;

/// Makes the record of a search, with the choices.
///
/// # Errors
/// A usage error if a value is refused.
pub(in crate::study) fn record(racers: &[Racer], tune: &Tune) -> Result<TuningRecord> {
    let same_rate = if tune.has_rate() && racers.len() > 1 { same_rate(racers, tune)? } else { None };
    let mut recipes: Vec<TunedRecipe> = racers.iter().map(tuned_recipe).collect::<Result<_>>()?;
    let mut names = Names::default();
    for (racer, recipe) in racers.iter().zip(&mut recipes) {
        recipe.at_best = names.enter(at(racer.planned, &recipe.chosen)?);
    }
    for (racer, recipe) in racers.iter().zip(&mut recipes).filter(|_| same_rate.is_some()) {
        let planned = at(racer.planned, &with_rate(&recipe.chosen, same_rate))?;
        let is_best = recipe.chosen.get(TuneKey::Lr.name()).copied() == same_rate;
        recipe.at_same_rate = Some(if is_best { recipe.at_best.clone() } else { names.enter(planned) });
    }
    let keys = tune.keys.iter().map(ToString::to_string).collect();
    let cost = TuningCost::of(racers.iter().flat_map(|racer| racer.probes.iter().flatten()));
    Ok(TuningRecord { keys, cost, counts: tune.counts, same_rate, recipes })
}

/// Returns the study that races every recipe at its best and, where that differs, at the same rate as the others.
///
/// # Errors
/// A usage error if a value is refused.
pub(in crate::study) fn tuned(study: &Study, record: &TuningRecord) -> Result<Study> {
    let mut trials = vec![];
    let named = |planned: Planned, name: &str| Planned {
        trial: Trial { name: name.to_owned(), ..planned.trial },
        ..planned
    };
    for (planned, recipe) in study.trials.iter().zip(&record.recipes) {
        trials.push(named(at(planned, &recipe.chosen)?, &recipe.at_best));
    }
    for (planned, recipe) in study.trials.iter().zip(&record.recipes) {
        if let Some(name) = recipe.at_same_rate.as_ref().filter(|name| **name != recipe.at_best) {
            trials.push(named(at(planned, &with_rate(&recipe.chosen, record.same_rate))?, name));
        }
    }
    Ok(Study { trials, tune: None, ..study.clone() })
}

/// Names of trials, numbered where they are equal.
#[derive(Default)]
struct Names(Vec<Planned>);

impl Names {
    /// Adds a trial and returns its name.
    fn enter(&mut self, planned: Planned) -> String {
        self.0.push(planned);
        number_equal_names(&mut self.0);
        self.0.last().map_or_else(String::new, |planned| planned.trial.name.clone())
    }
}

/// Returns a recipe at these values, with a name that has them.
fn at(planned: &Planned, values: &Values) -> Result<Planned> {
    let mut trial = planned.trial.clone();
    for (name, value) in values {
        trial = name.parse::<TuneKey>()?.set(&trial, *value)?;
    }
    trial.name = name(&planned.trial, &trial, values);
    Ok(Planned { trial, ..planned.clone() })
}

/// Returns the name of a tuned trial: that before with the new optimizer and update rule in place of the old, followed by
/// those values that then are not part of it.
fn name(before: &Trial, tuned: &Trial, values: &Values) -> String {
    let (old, new) = (&before.recipe, &tuned.recipe);
    let is_old = |word: &str| word.parse::<Method>().is_ok_and(|method| method == old.optimizer);
    let has_optimizer = before.name.split(' ').any(is_old);
    let has_update = before.name.split(' ').any(|word| word == old.update.to_string());
    let replaced = |word: &str| match word {
        word if is_old(word) => new.optimizer.to_string(),
        word if word == old.update.to_string() => new.update.to_string(),
        word => word.to_owned(),
    };
    let is_shown = |key: &str| if key == TuneKey::Batch.name() { has_update } else { has_optimizer };
    let others = values.iter().filter(|(key, _)| !is_shown(key));
    let others = others.map(|(key, value)| format!("{key}={value}"));
    before.name.split(' ').map(replaced).chain(others).collect::<Vec<_>>().join(" ")
}

/// Returns values with another learning rate.
fn with_rate(values: &Values, rate: Option<f64>) -> Values {
    let rate = rate.map(|rate| (TuneKey::Lr.to_string(), rate));
    values.iter().map(|(name, value)| (name.clone(), *value)).chain(rate).collect()
}

/// Returns the rate given for all recipes, else that of the recipes' best rates which is good for most of them: in the
/// good basin of most, and of those the one with the lowest losses, each relative to the recipe's own lowest.
fn same_rate(racers: &[Racer], tune: &Tune) -> Result<Option<f64>> {
    if tune.same_rate.is_some() {
        return Ok(tune.same_rate);
    }
    let mut rates = vec![];
    let mut profiles = vec![];
    for racer in racers {
        let Some(axis) = racer.space.rate() else { return Ok(None) };
        rates.push(racer.best()?.at[axis]);
        profiles.push(Profile::of_all(&racer.searches, axis));
    }
    let suits = |at: f64| profiles.iter().filter(|profile| profile.excess(at) <= GOOD).count();
    let excess = |at: f64| profiles.iter().map(|profile| profile.excess(at).min(1.0)).sum::<f64>();
    let order = |a: &&f64, b: &&f64| suits(**a).cmp(&suits(**b)).then(excess(**b).total_cmp(&excess(**a)));
    let best = rates.iter().max_by(order);
    let rate = |dimension: &Dimension, at: f64| dimension.value(at);
    Ok(best.and_then(|at| Some(rate(&racers[0].space.0[racers[0].space.rate()?], *at))))
}

fn tuned_recipe(racer: &Racer) -> Result<TunedRecipe> {
    let Racer { planned, space, searches, probes } = racer;
    let best = racer.best()?;
    let good = space.rate().filter(|_| space.0.len() == 1).and_then(|axis| {
        let basin = Profile::of_all(searches, axis).basin()?;
        // a rate between two that missed the target says nothing about its neighbourhood
        (basin.low < basin.high)
            .then(|| Bounds { low: space.0[axis].value(basin.low), high: space.0[axis].value(basin.high) })
    });
    Ok(TunedRecipe {
        name: planned.trial.name.clone(),
        at_best: String::new(),
        at_same_rate: None,
        chosen: values(space, &best.at),
        inside: searches.last().is_some_and(|search| search.is_inside()),
        judged_by: match searches.last() {
            Some(search) if search.reaches_target() => JudgedBy::Target,
            _ => JudgedBy::Loss,
        },
        ranges: space.0.iter().map(|dimension| (dimension.key.to_string(), bounds(dimension))).collect(),
        good_rates: good,
        cost: TuningCost::of(probes.iter().flatten()),
        probes: points(racer),
    })
}

fn values(space: &Space, at: &[f64]) -> Values {
    space.values(at).into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// Returns the range that a search begins with.
fn bounds(dimension: &Dimension) -> Bounds {
    let [a, b] = [dimension.range.low, dimension.range.high].map(|at| dimension.value(at));
    Bounds { low: a.min(b), high: a.max(b) }
}

/// Returns what was probed, in order.
pub(super) fn points(racer: &Racer) -> Vec<ProbePoint> {
    let rungs = racer.searches.iter().enumerate();
    let tried = rungs.flat_map(|(rung, search)| search.points.iter().map(move |point| (rung, &point.at)));
    let finite = |loss: f64| Some(loss).filter(|loss| loss.is_finite());
    let point = |((rung, at), probes): ((usize, &Vec<f64>), &Vec<TrialRecord>)| ProbePoint {
        values: values(racer.space, at),
        rung,
        updates: probes.first().map_or(0, |probe| probe.budget.updates),
        loss: finite(mean_loss(probes)),
        losses: probes.iter().map(|probe| finite(loss(probe))).collect(),
        target_seconds: seconds_to_target(probes),
    };
    tried.zip(&racer.probes).map(point).collect()
}

/// Returns the mean time to the target; `None` if a probe did not reach it.
fn seconds_to_target(probes: &[TrialRecord]) -> Option<f64> {
    let seconds = |probe: &TrialRecord| probe.target.as_ref().and_then(|target| target.seconds);
    let all = probes.iter().map(seconds).sum::<Option<f64>>();
    all.map(|all| all / probes.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name of a trial of `optimizer` with batches of 10, at these values.
    fn renamed(name: &str, optimizer: &str, values: &[(&str, f64)]) -> String {
        let mut trial = Trial { name: name.to_owned(), ..Trial::default() };
        (trial.recipe.optimizer, trial.recipe.update) =
            (optimizer.parse().unwrap(), "batch:10".parse().unwrap());
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        let planned = Planned { trial, printed: crate::study::exhibit::Printed::default() };
        at(&planned, &values).unwrap().trial.name
    }

    #[test]
    fn a_name_has_the_new_optimizer_in_place_of_the_old_and_keeps_the_rest() {
        let rate = [("lr", 0.56)];
        for (name, optimizer, after) in [
            ("784-8-10 sgd:lr=0.1", "sgd:lr=0.1", "784-8-10 sgd:lr=0.56"),
            ("mse sgd:0.1", "sgd:lr=0.1", "mse sgd:lr=0.56"),
            ("batch:10 adam", "adam", "batch:10 adam:lr=0.56"),
            ("teacher's lr=0.1", "sgd:lr=0.1", "teacher's lr=0.1 lr=0.56"),
            ("sgd", "adam", "sgd lr=0.56"),
        ] {
            assert_eq!(renamed(name, optimizer, &rate), after);
        }
    }

    #[test]
    fn a_name_has_every_tuned_value_once() {
        let values = [("batch", 32.0), ("lr", 0.02), ("momentum", 0.926)];
        let of = |name: &str| renamed(name, "sgd:momentum=0.5", &values);
        assert_eq!(of("sgd:momentum=0.5"), "sgd:lr=0.02,momentum=0.926 batch=32");
        assert_eq!(of("batch:10 sgd:momentum=0.5"), "batch:32 sgd:lr=0.02,momentum=0.926");
        assert_eq!(of("mine"), "mine batch=32 lr=0.02 momentum=0.926");
    }
}
