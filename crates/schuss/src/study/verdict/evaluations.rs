//! The recorded evaluations of trials: what may be known of the times between them.

use super::median::middle;
use super::recipe::Recipe;
use crate::record::{CurvePoint, Measure, TrialRecord};

/// Returns the evaluations of a trial by the metric; those at the ends of epochs if others were not recorded.
pub(super) fn points(trial: &TrialRecord, metric: &str) -> Vec<CurvePoint> {
    let recorded = trial.target.as_ref().map_or("eval_loss", |target| &target.metric);
    if recorded == metric && !trial.evaluations.is_empty() {
        return trial.evaluations.clone();
    }
    trial.ends_of_epochs().iter().map(|point| point.on_curve(metric)).collect()
}

/// Returns the median distance of the evaluation that met the target from the one before it.
pub(super) fn resolution(recipes: &[Recipe], by: Measure) -> Option<f64> {
    let trials = recipes.iter().flat_map(|recipe| &recipe.trials);
    let steps = trials.filter_map(|trial| {
        let target = trial.target.as_ref().filter(|_| by.is_time())?;
        let points = points(trial, &target.metric);
        let updates = target.updates?;
        let hit = points.iter().position(|point| point.updates == updates)?;
        let (before, at) = (points.get(hit.checked_sub(1)?)?, points[hit]);
        Some(if by == Measure::Updates {
            at.updates.saturating_sub(before.updates) as f64
        } else {
            at.seconds - before.seconds
        })
    });
    let mut steps: Vec<f64> = steps.filter(|step| step.is_finite()).collect();
    steps.sort_by(f64::total_cmp);
    middle(&steps)
}

/// Returns true if every trial met the target at its first evaluation after an update, as far as evaluations were recorded,
/// or before the first update.
pub(super) fn met_at_once(recipes: &[Recipe]) -> bool {
    let mut trials = recipes.iter().flat_map(|recipe| &recipe.trials).peekable();
    let at_once = |trial: &&TrialRecord| {
        let Some(updates) = trial.target.as_ref().and_then(|target| target.updates) else { return false };
        let mut points = trial.evaluations.iter();
        let first = points.find(|point| point.value.is_some() && point.updates > 0);
        updates == 0 || first.is_some_and(|first| updates <= first.updates)
    };
    trials.peek().is_some() && trials.all(at_once)
}
