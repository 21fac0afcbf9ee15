//! Leaders under a target or a budget moved by 5 %, from the recorded evaluations.

use super::design::Design;
use super::evaluations::points;
use super::outcome::Outcome;
use super::racer::{Entry, Racer};
use super::ranking::Ranking;
use super::recipe::Recipe;
use crate::record::{CurvePoint, Firm, Measure, Status, TargetBound, TrialRecord};

/// Returns who would lead if target or budget were moved by 5 %.
pub(super) fn firm(recipes: &[Recipe], by: Measure, target: Option<&TargetBound>, design: Design) -> Firm {
    let racers = |moved: &dyn Fn(&TrialRecord) -> Option<Outcome>| -> Option<Vec<Racer>> {
        recipes.iter().map(|recipe| racer(recipe, by, moved)).collect()
    };
    let name = |racers: Option<Vec<Racer>>| {
        certain_leader(racers?, by, design).map(|leader| recipes[leader].name.to_owned())
    };
    let at = |factor: f64| {
        let target = target?;
        let target = TargetBound { value: target.value * factor, ..target.clone() };
        name(racers(&|trial| under_target(trial, by, &target)))
    };
    Firm {
        target_minus_5: at(0.95),
        target_plus_5: at(1.05),
        budget_minus_5: name(racers(&|trial| under_budget(trial, by, 0.95))),
        budget_plus_5: target.and_then(|_| name(racers(&|trial| by.outcome(trial)))),
    }
}

/// Returns the outcomes of a recipe under a moved target or budget; `None` if the records do not have them.
fn racer(recipe: &Recipe, by: Measure, moved: &dyn Fn(&TrialRecord) -> Option<Outcome>) -> Option<Racer> {
    let entry = |trial: &&TrialRecord| Some(by.entry(trial, moved(trial)?));
    let counts = |trial: &&&TrialRecord| by.outcome(trial).is_some();
    let entries: Option<Vec<Entry>> = recipe.trials.iter().filter(counts).map(entry).collect();
    Some(Racer { entries: entries?, ..by.racer(recipe) })
}

/// Returns the time to another target; `None` if no evaluation was recorded.
fn under_target(trial: &TrialRecord, by: Measure, target: &TargetBound) -> Option<Outcome> {
    let points = points(trial, &target.metric);
    let time = |point: &CurvePoint| if by == Measure::Updates { point.updates as f64 } else { point.seconds };
    let met = points.iter().find(|point| point.value.is_some_and(|value| target.is_met(value)));
    match met {
        _ if points.is_empty() => None,
        Some(point) => Some(Outcome::Reached(time(point))),
        None if trial.status == Status::Diverged => Some(Outcome::Never),
        None => Some(Outcome::Beyond(by.spent(trial))),
    }
}

/// Returns the outcome with this share of the budget; `None` if no evaluation was recorded.
fn under_budget(trial: &TrialRecord, by: Measure, share: f64) -> Option<Outcome> {
    let limit = share * trial.budget.updates as f64;
    if !by.is_time() {
        let metric = if by == Measure::EvalAccuracy { "eval_accuracy" } else { "eval_loss" };
        let points = points(trial, metric);
        let last = points.iter().rfind(|point| point.updates as f64 <= limit && point.updates > 0)?;
        let ended = trial.status == Status::Diverged;
        let value = last.value.map(|value| Outcome::Reached(by.sign() * value));
        return if ended { Some(Outcome::Never) } else { value };
    }
    let hit = trial.target.as_ref().and_then(|target| target.updates);
    let outcome = by.outcome(trial)?;
    let done = hit.unwrap_or(trial.updates) as f64;
    Some(match outcome {
        // the trial would have ended in proportion to its updates
        Outcome::Reached(time) | Outcome::Beyond(time) if done > limit => {
            Outcome::Beyond(time * limit / done)
        }
        outcome => outcome,
    })
}

/// Returns the leader if the censored trials of the others could not change it: even if all of them had reached the target
/// just when they ended.
fn certain_leader(racers: Vec<Racer>, by: Measure, design: Design) -> Option<usize> {
    let mut others = racers.clone();
    let leader = Ranking::among(racers, by, design).leader?;
    let is_other = |(index, _): &(usize, &mut Racer)| *index != leader;
    for (_, racer) in others.iter_mut().enumerate().filter(is_other) {
        for entry in &mut racer.entries {
            if let Outcome::Beyond(end) = entry.outcome {
                entry.outcome = Outcome::Reached(end);
            }
        }
    }
    (Ranking::among(others, by, design).leader == Some(leader)).then_some(leader)
}
