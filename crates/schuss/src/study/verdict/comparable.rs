//! Recipes that can be ranked against each other.

use super::recipe::Recipe;
use crate::record::{TargetBound, TargetRecord, TrialRecord};

/// Returns the target of a trial.
pub(super) fn target(trial: &TrialRecord) -> Option<TargetBound> {
    trial.target.as_ref().map(TargetRecord::bound)
}

/// Returns what differs so that recipes cannot be ranked: targets, budgets unless that is meant, losses or kinds of targets.
pub(super) fn unlike(recipes: &[Recipe], own_budgets: bool) -> Option<&'static str> {
    let (first, others) = recipes.split_first()?;
    let goal = |recipe: &Recipe| target(recipe.first());
    let differs = |what: &dyn Fn(&Recipe) -> bool| others.iter().any(what);
    let is_classes = |recipe: &Recipe| recipe.choice("targets").is_none_or(|targets| targets == "class");
    let losses_differ = differs(&|other| other.choice("loss") != first.choice("loss"));
    if differs(&|other| goal(other) != goal(first)) {
        Some("targets")
    } else if !own_budgets && differs(&|other| !other.first().budget.is_like(&first.first().budget)) {
        Some("budgets")
    } else if differs(&|other| other.choice("targets") != first.choice("targets")) {
        Some("kinds of targets")
    } else if losses_differ && goal(first).is_some_and(|target| target.metric.ends_with("loss")) {
        Some("losses, and the target is a bound on the loss")
    } else if losses_differ && goal(first).is_none() && !recipes.iter().all(is_classes) {
        Some("losses, which cannot be compared with each other")
    } else {
        None
    }
}
