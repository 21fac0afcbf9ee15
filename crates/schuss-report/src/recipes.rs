//! Trials of a run grouped by recipe; each recipe is one line of a chart.

use crate::chart::scale::{Bounds, range};
use crate::text::shorten;
use schuss::record::{
    Best, EpochRecord, EvaluationPoint, Group, Spread, Status, Summary, Trace, TrialRecord,
};

/// Trials of one recipe over its seeds.
pub(crate) struct Recipe<'a> {
    /// Name, truncated to fit a legend.
    pub(crate) name: String,
    /// Index of its colour, dashes and marker; the same in every chart.
    pub(crate) style: usize,
    pub(crate) runs: Vec<Run<'a>>,
    /// Recorded statistics over its seeds.
    pub(crate) group: Option<&'a Group>,
}

/// Trial with its trace.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) trial: &'a TrialRecord,
    pub(crate) trace: Option<&'a Trace>,
}

/// Maximum length of a name in charts and sentences, in characters.
pub(crate) const LONGEST_NAME: usize = 60;

/// Groups trials into recipes, in order of first appearance.
pub(crate) fn recipes<'a>(summary: &'a Summary, traces: &'a [Trace]) -> Vec<Recipe<'a>> {
    let mut recipes: Vec<Recipe> = Vec::new();
    for (i, trial) in summary.trials.iter().enumerate() {
        let run = Run { trial, trace: traces.get(i) };
        let same = |recipe: &&mut Recipe| {
            let first = recipe.runs[0].trial;
            first.name == trial.name && first.config_id == trial.config_id
        };
        match recipes.iter_mut().find(same) {
            Some(recipe) => recipe.runs.push(run),
            None => {
                let group = summary
                    .groups
                    .iter()
                    .find(|group| group.config_id == trial.config_id && group.name == trial.name);
                let name = shorten(&trial.name, LONGEST_NAME);
                recipes.push(Recipe { name, style: recipes.len(), runs: vec![run], group });
            }
        }
    }
    recipes
}

/// Returns the name of a trial, with its seed if there are several.
pub(crate) fn trial_name(summary: &Summary, trial: &TrialRecord) -> String {
    let several = summary.trials.iter().any(|other| other.seed != trial.seed);
    let seed = if several { format!(", seed {}", trial.seed) } else { String::new() };
    format!("{}{seed}", shorten(&trial.name, LONGEST_NAME))
}

impl Recipe<'_> {
    /// Returns true if all its trials diverged.
    pub(crate) fn diverged(&self) -> bool {
        self.runs.iter().all(|run| run.trial.status == Status::Diverged)
    }

    /// Returns the number of trials with a final result.
    pub(crate) fn survivors(&self) -> usize {
        self.runs.iter().filter(|run| eval_loss(run.trial).is_some()).count()
    }

    /// Returns the point from which it over-fits, if more than half of its trials do: the median of theirs.
    pub(crate) fn turning_point(&self) -> Option<Best> {
        let points = self.runs.iter().filter_map(|run| Some(run.trial.overfitting?.lowest));
        let mut points: Vec<Best> = points.collect();
        points.sort_by_key(|point| point.updates);
        let middle = points.get(points.len().saturating_sub(1) / 2)?;
        (2 * points.len() > self.runs.len()).then_some(*middle)
    }

    /// Returns the median over its trials of an optional value.
    pub(crate) fn median(&self, of: impl Fn(&TrialRecord) -> Option<f64>) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| of(run.trial)).collect())
    }

    /// Returns the range over its trials, if there is more than one value.
    pub(crate) fn range(&self, of: impl Fn(&TrialRecord) -> Option<f64>) -> Option<Bounds> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| of(run.trial)).collect();
        if values.len() < 2 { None } else { range(values.into_iter()) }
    }
}

/// Returns the median of the finite numbers.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    Spread::of(values).map(|spread| spread.median)
}

/// Returns the training seconds of a typical epoch.
pub(crate) fn epoch_seconds(trial: &TrialRecord) -> Option<f64> {
    trial.epoch_seconds
}

/// Returns a value of the last epoch; none if the trial diverged or stopped before the weights were evaluated.
fn last(trial: &TrialRecord, of: impl Fn(&EpochRecord) -> Option<f64>) -> Option<f64> {
    if trial.status == Status::Diverged { None } else { trial.epochs.last().and_then(of) }
}

/// Returns the (running) training loss of the last epoch.
pub(crate) fn train_loss(trial: &TrialRecord) -> Option<f64> {
    last(trial, |row| row.train_loss)
}

/// Returns the loss on the evaluation split after the last update.
pub(crate) fn eval_loss(trial: &TrialRecord) -> Option<f64> {
    last(trial, |row| row.eval_loss)
}

/// Returns true if some trial predicts classes or several labels, so that there is an accuracy.
pub(crate) fn predict_classes(summary: &Summary) -> bool {
    let is_right_or_wrong = |trial: &TrialRecord| {
        trial.recipe.get("targets").is_none_or(|targets| targets == "class") || eval_accuracy(trial).is_some()
    };
    summary.trials.iter().any(is_right_or_wrong)
}

/// Returns the accuracy on the evaluation split after the last update.
pub(crate) fn eval_accuracy(trial: &TrialRecord) -> Option<f64> {
    last(trial, |row| row.eval_accuracy)
}

/// Returns a further metric of the evaluation after the last update: `mse`, `psnr`, `ssim`, `mae` or `r2`.
pub(crate) fn quality(trial: &TrialRecord, name: &str) -> Option<f64> {
    last(trial, |row| metric(row, name))
}

fn metric(row: &EpochRecord, name: &str) -> Option<f64> {
    row.metrics.get(name).copied().flatten()
}

/// Returns the training seconds until the target, if it was reached.
pub(crate) fn target_seconds(trial: &TrialRecord) -> Option<f64> {
    trial.target.as_ref().and_then(|target| target.seconds)
}

impl Run<'_> {
    /// Returns the evaluations within epochs if there are any, else those at the ends of epochs.
    pub(crate) fn evaluations(&self) -> Vec<EvaluationPoint> {
        match self.trace {
            Some(trace) if trace.evaluations.len() > self.trial.epochs.len() => trace.evaluations.clone(),
            _ => self.epochs(),
        }
    }

    /// Returns the epochs as evaluation points, with cumulative training seconds.
    pub(crate) fn epochs(&self) -> Vec<EvaluationPoint> {
        self.trial.ends_of_epochs()
    }
}
