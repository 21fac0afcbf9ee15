//! Comparison of a trained network with one that ignores its input.

use crate::session::Outcome;

/// Ratio of training loss to the loss before any update beyond which the loss has exploded.
const EXPLODED: f64 = 10.0;

/// Returns true if a trial learned something: its loss did not explode, and it is correct more often than always
/// predicting the most common class or, for numeric targets, explains some of the variance. `None` if the trial did not
/// run to its end or made no update.
pub(super) fn learned(outcome: &Outcome) -> Option<bool> {
    let evaluation =
        outcome.evaluation.as_ref().filter(|_| outcome.status.is_end() && outcome.updates > 0)?;
    let before = outcome.epochs.first().and_then(|row| row.eval_loss);
    let last = outcome.epochs.last().and_then(|row| row.train_loss);
    let exploded = before.zip(last).is_some_and(|(before, last)| last > EXPLODED * before.abs());
    let has_labels = evaluation.metric("label_accuracy").is_some();
    let by_chance =
        evaluation.accuracy.zip(evaluation.chance).is_some_and(|(accuracy, chance)| accuracy <= chance);
    let nothing_explained = evaluation.metric("r2").is_some_and(|r2| r2 <= 0.0);
    Some(!(exploded || by_chance && !has_labels || nothing_explained))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{EpochRecord, Evaluation, Status};

    fn outcome(train_loss: f64, accuracy: Option<f64>, r2: Option<f64>) -> Outcome {
        let row = |eval_loss, train_loss| EpochRecord { eval_loss, train_loss, ..EpochRecord::default() };
        Outcome {
            status: Status::Finished,
            diverged: None,
            updates: 10,
            samples: 100,
            train_seconds: 1.0,
            slices: None,
            wall_seconds: 1.0,
            epochs: vec![row(Some(2.0), None), row(Some(1.0), Some(train_loss))],
            target: None,
            evaluation: Some(Evaluation {
                loss: 1.0,
                accuracy,
                chance: accuracy.map(|_| 0.6),
                only_class: None,
                metrics: r2.map(|r2| ("r2".to_owned(), Some(r2))).into_iter().collect(),
            }),
            best: None,
            calibration: None,
        }
    }

    #[test]
    fn chance_an_exploded_loss_and_no_variance_explained_are_nothing_learned() {
        let found = |outcome: Outcome| learned(&outcome);
        assert_eq!(found(outcome(1.0, Some(0.61), None)), Some(true));
        assert_eq!(found(outcome(1.0, Some(0.6), None)), Some(false));
        assert_eq!(found(outcome(1e9, Some(0.9), None)), Some(false));
        assert_eq!(found(outcome(1.0, None, Some(0.1))), Some(true));
        assert_eq!(found(outcome(1.0, None, Some(-0.1))), Some(false));
        assert_eq!(found(Outcome { status: Status::Diverged, ..outcome(1.0, Some(0.9), None) }), None);
    }
}
