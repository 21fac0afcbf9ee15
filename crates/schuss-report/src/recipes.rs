//! The trials of a run, gathered by recipe: what one line of a chart is made of.

use crate::text::shorten;
use schuss::study::record::{
    Best, EpochRecord, EvaluationPoint, Group, Reconstruction, Status, Summary, Trace, TrialRecord,
};

/// The trials of one recipe over its seeds.
pub(crate) struct Recipe<'a> {
    /// Its name, cut where it is too long to stand in a legend.
    pub(crate) name: String,
    /// Number of its colour, dashes and marker; the same in every chart.
    pub(crate) style: usize,
    pub(crate) runs: Vec<Run<'a>>,
    /// Statistics over its seeds, as recorded.
    pub(crate) group: Option<&'a Group>,
}

/// One trial with what was recorded while it ran.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) trial: &'a TrialRecord,
    pub(crate) trace: Option<&'a Trace>,
}

/// Characters of a name in charts and sentences.
const LONGEST_NAME: usize = 60;

/// Recipes in the order in which they first appear.
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

/// The name of a trial, with its seed where there are several.
pub(crate) fn trial_name(summary: &Summary, trial: &TrialRecord) -> String {
    let several = summary.trials.iter().any(|other| other.seed != trial.seed);
    let seed = if several { format!(", seed {}", trial.seed) } else { String::new() };
    format!("{}{seed}", shorten(&trial.name, LONGEST_NAME))
}

impl Recipe<'_> {
    /// Whether every one of its trials diverged.
    pub(crate) fn diverged(&self) -> bool {
        self.runs.iter().all(|run| run.trial.status == Status::Diverged)
    }

    /// Trials with a result at the end.
    pub(crate) fn survivors(&self) -> usize {
        self.runs.iter().filter(|run| eval_loss(run.trial).is_some()).count()
    }

    /// Where the evaluation loss was lowest, if the one trial it has over-fitted afterwards.
    pub(crate) fn turning_point(&self) -> Option<Best> {
        let [run] = self.runs.as_slice() else { return None };
        run.trial.best.as_ref().filter(|_| run.trial.overfitted).map(|best| best.best)
    }

    /// Median over its trials of something each of them may have.
    pub(crate) fn median(&self, of: impl Fn(&TrialRecord) -> Option<f64>) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| of(run.trial)).collect())
    }

    /// The range over its trials, if there is more than one.
    pub(crate) fn range(&self, of: impl Fn(&TrialRecord) -> Option<f64>) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.runs.iter().filter_map(|run| of(run.trial)).collect();
        if values.len() < 2 { None } else { crate::chart::scale::range(values.into_iter()) }
    }
}

/// Median of the finite numbers; the mean of the middle two where their count is even.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// Seconds of training of a typical epoch.
pub(crate) fn epoch_seconds(trial: &TrialRecord) -> Option<f64> {
    trial.epoch_seconds
}

/// What is known at the end: nothing, if the trial diverged or was cut off before the weights were evaluated.
fn last(trial: &TrialRecord, of: impl Fn(&EpochRecord) -> Option<f64>) -> Option<f64> {
    if trial.status == Status::Diverged { None } else { trial.epochs.last().and_then(of) }
}

/// Training loss (running) of the last epoch.
pub(crate) fn train_loss(trial: &TrialRecord) -> Option<f64> {
    last(trial, |row| row.train_loss)
}

/// Loss on the evaluation split after the last update.
pub(crate) fn eval_loss(trial: &TrialRecord) -> Option<f64> {
    last(trial, |row| row.eval_loss)
}

/// Whether outputs are compared with classes, or with several labels.
pub(crate) fn tell_classes(summary: &Summary) -> bool {
    let is_right_or_wrong =
        |trial: &TrialRecord| trial.recipe.targets == "class" || eval_accuracy(trial).is_some();
    summary.trials.iter().any(is_right_or_wrong)
}

/// The accuracy of always answering the commonest class, or combination of labels, of the evaluation split.
pub(crate) fn chance(summary: &Summary) -> Option<f64> {
    let measured =
        || summary.trials.iter().find_map(|trial| trial.epochs.iter().find_map(|row| metric(row, "chance")));
    summary.data.eval_chance().or_else(measured)
}

/// What [`chance`] is the accuracy of.
pub(crate) fn commonest(summary: &Summary) -> &'static str {
    if summary.data.labels.is_empty() { "the commonest class" } else { "the commonest combination of labels" }
}

/// Accuracy on the evaluation split after the last update.
pub(crate) fn eval_accuracy(trial: &TrialRecord) -> Option<f64> {
    last(trial, |row| row.eval_accuracy)
}

/// A further metric of the evaluation after the last update: `mse`, `psnr`, `ssim`, `mae` or `r2`.
pub(crate) fn quality(trial: &TrialRecord, name: &str) -> Option<f64> {
    last(trial, |row| metric(row, name))
}

fn metric(row: &EpochRecord, name: &str) -> Option<f64> {
    row.metrics.get(name).copied().flatten()
}

fn reconstruction(row: &EpochRecord) -> Option<Reconstruction> {
    let mse = metric(row, "mse")?;
    Some(Reconstruction { mse, psnr: metric(row, "psnr").unwrap_or(f64::NAN), ssim: metric(row, "ssim") })
}

/// Seconds of training until the target, if it was reached and the weights lasted.
pub(crate) fn target_seconds(trial: &TrialRecord) -> Option<f64> {
    if trial.status == Status::Diverged {
        None
    } else {
        trial.target.as_ref().and_then(|target| target.seconds)
    }
}

impl Run<'_> {
    /// Evaluations within epochs where there are any, else the epochs' own.
    pub(crate) fn evaluations(&self) -> Vec<EvaluationPoint> {
        match self.trace {
            Some(trace) if trace.evaluations.len() > self.trial.epochs.len() => trace.evaluations.clone(),
            _ => self.epochs(),
        }
    }

    /// The epochs as points of evaluation, with the seconds of training added up.
    pub(crate) fn epochs(&self) -> Vec<EvaluationPoint> {
        let mut seconds = 0.0;
        let point = |row: &EpochRecord| {
            seconds += row.train_seconds;
            EvaluationPoint {
                epoch: row.epoch,
                updates: row.updates,
                samples: row.samples,
                train_seconds: seconds,
                train_loss: row.train_loss,
                eval_loss: row.eval_loss,
                eval_accuracy: row.eval_accuracy,
                reconstruction: reconstruction(row),
                deviation: None,
            }
        };
        self.trial.epochs.iter().map(point).collect()
    }
}
