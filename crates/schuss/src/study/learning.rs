//! Whether a trained network says more than one that never looks at its input.

use crate::Result;
use crate::session::Outcome;
use schuss_data::Dataset;

/// A training loss so many times the loss before any update has exploded.
const EXPLODED: f64 = 10.0;

/// The share of the commonest class in the split that curves look at: the accuracy of always answering it. None where
/// there are no classes, or labels are not known without reading all samples.
pub(super) fn chance(data: &Dataset) -> Result<Option<f64>> {
    let (_, split) = data.evaluated();
    if data.classes.is_empty() || split.store().labels().is_none() {
        return Ok(None);
    }
    let counts = split.class_counts(data.classes.len())?;
    let all: u64 = counts.iter().sum();
    Ok(counts.into_iter().max().filter(|_| all > 0).map(|most| most as f64 / all as f64))
}

/// Whether a trial that came to its end learned anything: its loss did not explode, and it is right more often than
/// `chance` is or, of numbers, explains some of their variance. None of one that did not come to its end or made no
/// update.
pub(super) fn learned(outcome: &Outcome, chance: Option<f64>) -> Option<bool> {
    let evaluation = outcome.evaluation.filter(|_| outcome.status.is_end() && outcome.updates > 0)?;
    let before = outcome.epochs.first().and_then(|row| row.eval_loss);
    let last = outcome.epochs.last().and_then(|row| row.train_loss);
    let exploded = before.zip(last).is_some_and(|(before, last)| last > EXPLODED * before.abs());
    let by_chance = evaluation.accuracy.zip(chance).is_some_and(|(accuracy, chance)| accuracy <= chance);
    let nothing_explained = evaluation.deviation.and_then(|found| found.r2).is_some_and(|r2| r2 <= 0.0);
    Some(!(exploded || by_chance || nothing_explained))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::record::{DeviationRecord, EpochRecord, Evaluation, Status};

    fn outcome(train_loss: f64, accuracy: Option<f64>, r2: Option<f64>) -> Outcome {
        let row = |eval_loss, train_loss| EpochRecord { eval_loss, train_loss, ..EpochRecord::default() };
        let deviation = r2.map(|r2| DeviationRecord { mae: 1.0, r2: Some(r2) });
        Outcome {
            status: Status::Finished,
            diverged: None,
            updates: 10,
            samples: 100,
            train_seconds: 1.0,
            wall_seconds: 1.0,
            epochs: vec![row(Some(2.0), None), row(Some(1.0), Some(train_loss))],
            target: None,
            evaluation: Some(Evaluation {
                loss: 1.0,
                accuracy,
                chance: None,
                only_class: None,
                labels: None,
                reconstruction: None,
                deviation,
            }),
            best: None,
        }
    }

    #[test]
    fn chance_an_exploded_loss_and_no_variance_explained_are_nothing_learned() {
        let found = |outcome: Outcome| learned(&outcome, Some(0.6));
        assert_eq!(found(outcome(1.0, Some(0.61), None)), Some(true));
        assert_eq!(found(outcome(1.0, Some(0.6), None)), Some(false));
        assert_eq!(found(outcome(1e9, Some(0.9), None)), Some(false));
        assert_eq!(found(outcome(1.0, None, Some(0.1))), Some(true));
        assert_eq!(found(outcome(1.0, None, Some(-0.1))), Some(false));
        assert_eq!(found(Outcome { status: Status::Diverged, ..outcome(1.0, Some(0.9), None) }), None);
    }

    #[test]
    fn chance_is_the_commonest_share_of_the_split_looked_at() {
        let data = schuss_data::load("digits:train=40,test=10,size=8").unwrap();
        let found = chance(&data).unwrap().unwrap();
        assert!((0.1..0.6).contains(&found), "{found}");
    }
}
