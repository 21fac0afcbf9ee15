//! Hints at the end of a run: location of the best weights, command to train longer.

use crate::text::{count, list, loss, plural, seconds, shell_word};
use schuss::record::{Best, BestRecord, Status, Summary, TrialRecord, TuningRecord};
use std::path::Path;

/// Maximum number of trials named individually.
const NAMED: usize = 4;

/// Returns sentences about the best weights and about training longer, for a run in `folder`.
pub fn closing(summary: &Summary, folder: &Path) -> Vec<String> {
    let split = &summary.data.eval_split;
    let rose = summary.trials.iter().filter_map(|trial| Some((trial, better_before(trial)?)));
    let rose: Vec<(&TrialRecord, &BestRecord)> = rose.collect();
    let several = summary.trials.len() > 1;
    let named = rose.iter().take(NAMED).map(|(trial, best)| {
        let name = if several { format!("{}, seed {}: ", trial.name, trial.seed) } else { String::new() };
        format!("{name}{}", best_weights(trial, best, split, folder))
    });
    let mut sentences: Vec<String> = named.collect();
    if let Some(more) = rose.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let more = plural(more, "more trial");
        sentences.push(format!(
            "{more} had a lower {split} loss before the end; the best weights of a trial are in its best.safetensors"
        ));
    }
    sentences.extend(longer(summary, folder));
    sentences.extend(summary.tuning.as_ref().map(tuning_cost));
    sentences
}

/// Returns a sentence about the cost of a tuning.
pub(crate) fn tuning_cost(tuning: &TuningRecord) -> String {
    let TuningRecord { keys, cost, recipes, .. } = tuning;
    let each = if recipes.len() > 1 { ", the same number for each recipe" } else { "" };
    let counted = if tuning.counts {
        "counted in the times to the target"
    } else {
        "not counted in the times of the race"
    };
    format!(
        "tuning {} took {}{each}: {} updates and {} s of training, {counted}",
        list(keys),
        plural(cost.probes, "probe"),
        count(cost.updates),
        seconds(cost.train_seconds)
    )
}

/// Returns the weights with the lowest loss, if that was lower than the last, and lower than before training.
fn better_before(trial: &TrialRecord) -> Option<&BestRecord> {
    let best = trial.best.as_ref().filter(|_| trial.status.is_end())?;
    let last = trial.epochs.last()?.eval_loss?;
    (best.best.epoch > 0 && best.best.eval_loss < last).then_some(best)
}

fn best_weights(trial: &TrialRecord, best: &BestRecord, split: &str, folder: &Path) -> String {
    let BestRecord { model, best: Best { epoch, eval_loss, .. } } = best;
    let last = trial.epochs.last().and_then(|row| row.eval_loss).unwrap_or(f64::NAN);
    format!(
        "the {split} loss was lowest at epoch {epoch}, {}, and rose to {} by the end; the weights of epoch {epoch} are in {}",
        loss(*eval_loss),
        loss(last),
        folder.join(model).display(),
    )
}

/// Returns the command to train longer, if that is possible for every trial that has not diverged.
fn longer(summary: &Summary, folder: &Path) -> Option<String> {
    let alive = summary.trials.iter().filter(|trial| trial.status != Status::Diverged);
    let alive: Vec<&TrialRecord> = alive.collect();
    let stays = |trial: &&TrialRecord| matches!(trial.status, Status::Target | Status::Stopped);
    if alive.iter().all(stays) || !alive.iter().all(|trial| stays(trial) || trial.can_be_extended()) {
        return None;
    }
    let epochs = alive.iter().map(|trial| trial.budget.epochs).max()?;
    let folder = shell_word(&folder.display().to_string());
    Some(format!("train longer with: schuss resume {folder} --epochs {}", 2 * u64::from(epochs.max(1))))
}
