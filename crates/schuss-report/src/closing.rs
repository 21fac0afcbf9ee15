//! What to do with what a run left: where the best weights are, how to continue it.

use crate::text::plural;
use schuss::study::record::{Best, BestRecord, Status, Summary, TrialRecord};
use schuss_data::text::significant;
use std::path::Path;

/// Trials that are named one by one.
const NAMED: usize = 4;

/// Sentences about the best weights and about going on, for a run in `folder`.
pub fn closing(summary: &Summary, folder: &Path) -> Vec<String> {
    let rose = summary.trials.iter().filter_map(|trial| Some((trial, better_before(trial)?)));
    let rose: Vec<(&TrialRecord, &BestRecord)> = rose.collect();
    let several = summary.trials.len() > 1;
    let mut sentences: Vec<String> =
        rose.iter().take(NAMED).map(|(trial, best)| best_weights(trial, best, folder, several)).collect();
    if rose.len() > NAMED {
        let more = plural(rose.len() - NAMED, "more trial");
        sentences.push(format!("{more} had a lower eval loss before the end: the best weights of each are in its best.safetensors"));
    }
    sentences.extend(longer(summary, folder));
    sentences
}

/// The weights with the lowest loss, if that was lower than the last.
fn better_before(trial: &TrialRecord) -> Option<&BestRecord> {
    let best = trial.best.as_ref().filter(|_| trial.status.is_end())?;
    let last = trial.epochs.last()?.eval_loss?;
    (best.best.eval_loss < last).then_some(best)
}

fn best_weights(trial: &TrialRecord, best: &BestRecord, folder: &Path, several: bool) -> String {
    let BestRecord { model, best: Best { epoch, eval_loss, .. } } = best;
    let last = trial.epochs.last().and_then(|row| row.eval_loss).unwrap_or(f64::NAN);
    let name = if several { format!("{}, seed {}: ", trial.name, trial.seed) } else { String::new() };
    let place = match epoch {
        0 => "before any update".to_owned(),
        epoch => format!("at epoch {epoch}"),
    };
    format!(
        "{name}eval loss was lowest, {}, {place}, and rose to {} by the end; those weights are in {}",
        significant(*eval_loss, 4),
        significant(last, 4),
        folder.join(model).display(),
    )
}

/// How to train longer, where that is possible: the epochs were used up and no number of updates was given.
fn longer(summary: &Summary, folder: &Path) -> Option<String> {
    let ended = |trial: &TrialRecord| trial.status.is_end() || trial.status == Status::Diverged;
    let finished =
        |trial: &&TrialRecord| trial.status == Status::Finished && trial.budget.max_updates.is_none();
    let epochs = summary.trials.iter().filter(finished).map(|trial| trial.budget.epochs).max()?;
    summary.trials.iter().all(ended).then(|| {
        format!(
            "train longer with: schuss resume {} --epochs {}",
            folder.display(),
            2 * u64::from(epochs.max(1))
        )
    })
}
