//! Values at the end of the budget beside times to the target.

use super::course::{Course, Race};
use super::ranked;
use super::recipe::Recipe;
use crate::record::{FinalValues, Measure, PairOutcome, Spread, Status, Verdict};

/// Returns the values of a recipe at the end of the budget, over the trials that got there.
pub(super) fn last(recipe: &Recipe) -> FinalValues {
    let spread = |by: Measure| {
        let racer = by.racer(recipe);
        let reached = racer.entries.iter().filter_map(|entry| entry.outcome.reached());
        Spread::of(reached.map(|value| by.sign() * value).collect())
    };
    FinalValues { eval_loss: spread(Measure::EvalLoss), eval_accuracy: spread(Measure::EvalAccuracy) }
}

/// Ranks the recipes by the values at the end of the budget that `by` does not rank: the loss if all minimise the same
/// one, and the accuracy. Empty where trials ended at their target, so that they did not have the same budget.
pub(super) fn verdicts(counted: &[Recipe], race: Race, course: &Course) -> Vec<Verdict> {
    let (recipes, by) = (race.recipes, race.by);
    let mut trials = counted.iter().flat_map(|recipe| &recipe.trials);
    if trials.any(|trial| trial.status == Status::Target) {
        return vec![];
    }
    let same_loss = recipes.iter().all(|recipe| recipe.choice("loss") == recipes[0].choice("loss"));
    let is_measured = |by: &Measure| {
        counted.iter().any(|recipe| {
            let last = last(recipe);
            let spread = if *by == Measure::EvalLoss { last.eval_loss } else { last.eval_accuracy };
            spread.is_some()
        })
    };
    let others = [Measure::EvalLoss, Measure::EvalAccuracy].into_iter().filter(|other| *other != by);
    let others = others.filter(|other| same_loss || *other == Measure::EvalAccuracy).filter(is_measured);
    let ranked_by = |by| {
        let race = Race { by, ..race };
        ranked(counted, race, course.standing_by(race), true)
    };
    others.map(ranked_by).collect()
}

/// Returns true if the order of times and that at the end of the budget disagree: another recipe leads, or one that is
/// faster than another is worse. `None` if there are not both.
pub(super) fn orders_disagree(verdict: &Verdict) -> Option<bool> {
    let end = verdict.quality.first().filter(|_| verdict.by.is_time())?;
    let (leader, best) = verdict.leader.as_ref().zip(end.leader.as_ref())?;
    let is_reversed = |a: PairOutcome, b: PairOutcome| {
        [(PairOutcome::Faster, PairOutcome::Worse), (PairOutcome::Slower, PairOutcome::Better)]
            .contains(&(a, b))
    };
    let reversed = verdict
        .pairs
        .iter()
        .any(|pair| end.pair(&pair.a, &pair.b).is_some_and(|other| is_reversed(pair.outcome, other.outcome)));
    Some(reversed || leader != best)
}
