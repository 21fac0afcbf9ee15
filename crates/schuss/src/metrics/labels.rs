//! Counts of predicted labels against the true ones.

use super::classes::largest_share;
use super::metric::{LabelTask, Metric, Prediction, Row, Task};
use crate::record::Evaluation;
use serde::Serialize;
use std::collections::HashMap;

pub(super) const ROW: Row = Row { names: &["label_accuracy", "f1_macro"], begin };

fn begin(task: &Task) -> Option<Box<dyn Metric>> {
    let labels = task.labels.clone()?;
    Some(Box::new(LabelMetric { counts: LabelCounts::new(labels.names.len()), labels }))
}

/// Counts with the names of the labels.
#[derive(Debug)]
struct LabelMetric {
    labels: LabelTask,
    counts: LabelCounts,
}

impl Metric for LabelMetric {
    fn take(&mut self, prediction: &Prediction) {
        if let Prediction::Labels { actual, outputs } = prediction {
            self.counts.take(actual, outputs, self.labels.bound);
        }
    }

    fn report(&self, evaluation: &mut Evaluation) {
        let Some(scores) = self.counts.scores(&self.labels.names) else { return };
        (evaluation.accuracy, evaluation.chance) = (Some(scores.accuracy), scores.chance);
        evaluation.enter("label_accuracy", Some(scores.label_accuracy));
        evaluation.enter("f1_macro", Some(scores.f1_macro));
        for LabelScore { label, f1, .. } in &scores.labels {
            evaluation.enter(&format!("f1 {label}"), Some(*f1));
        }
    }
}

/// Counts of correct predictions in a multi-label task.
#[derive(Clone, Debug)]
pub(crate) struct LabelCounts {
    samples: u64,
    /// Number of samples with all labels correct.
    exact: u64,
    labels: Vec<LabelCount>,
    /// Number of samples with each combination of true labels, for up to [`COMBINED`] labels.
    combinations: HashMap<u64, u64>,
}

/// Maximum number of labels whose combinations are counted.
const COMBINED: usize = u64::BITS as usize;

/// Number of samples by true and predicted value of one label.
#[derive(Clone, Copy, Debug, Default)]
struct LabelCount {
    actual: u64,
    predicted: u64,
    both: u64,
}

impl LabelCounts {
    pub(crate) fn new(labels: usize) -> Self {
        let labels = vec![LabelCount::default(); labels];
        Self { samples: 0, exact: 0, labels, combinations: HashMap::new() }
    }

    /// Adds the labels of a sample, each 0 or 1, and its outputs, of which those above `bound` predict 1.
    pub(crate) fn take(&mut self, actual: &[f32], outputs: &[f32], bound: f32) {
        let (mut is_exact, mut combination) = (true, 0_u64);
        for (at, (label, (&actual, &output))) in
            self.labels.iter_mut().zip(actual.iter().zip(outputs)).enumerate()
        {
            let (actual, predicted) = (actual > 0.5, output > bound);
            label.actual += u64::from(actual);
            label.predicted += u64::from(predicted);
            label.both += u64::from(actual && predicted);
            is_exact &= actual == predicted;
            combination |= u64::from(actual && at < COMBINED) << (at % COMBINED);
        }
        self.samples += 1;
        self.exact += u64::from(is_exact);
        if self.labels.len() <= COMBINED {
            *self.combinations.entry(combination).or_default() += 1;
        }
    }

    /// Returns the scores with the `names` of the labels, if there was a sample.
    pub(crate) fn scores(&self, names: &[String]) -> Option<LabelScores> {
        let of_label = |(label, name): (&LabelCount, &String)| label.score(name, self.samples);
        let labels: Vec<LabelScore> = self.labels.iter().zip(names).map(of_label).collect();
        let mean = |of: fn(&LabelScore) -> f64| labels.iter().map(of).sum::<f64>() / labels.len() as f64;
        (self.samples > 0 && !labels.is_empty()).then(|| LabelScores {
            samples: self.samples,
            accuracy: self.exact as f64 / self.samples as f64,
            chance: largest_share(self.combinations.values().copied()),
            label_accuracy: mean(|label| label.accuracy),
            f1_macro: mean(|label| label.f1),
            labels: labels.clone(),
        })
    }
}

impl LabelCount {
    fn score(self, name: &str, samples: u64) -> LabelScore {
        let Self { actual, predicted, both } = self;
        let right = samples + 2 * both - actual - predicted;
        let f1 = if actual + predicted == 0 { 0.0 } else { 2.0 * both as f64 / (actual + predicted) as f64 };
        LabelScore {
            label: name.to_owned(),
            accuracy: right as f64 / samples as f64,
            chance: actual.max(samples - actual) as f64 / samples as f64,
            f1,
            samples: actual,
        }
    }
}

/// Scores of multi-label predictions over some samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScores {
    /// Number of samples.
    pub samples: u64,
    /// Fraction of samples with all labels correct.
    pub accuracy: f64,
    /// Fraction of samples with the most common combination of labels: the accuracy of always predicting it. None for
    /// more than 64 labels.
    pub chance: Option<f64>,
    /// Fraction of the labels of all samples that are correct.
    pub label_accuracy: f64,
    /// Mean of the F1 scores of all labels.
    pub f1_macro: f64,
    /// Scores of each label.
    pub labels: Vec<LabelScore>,
}

/// Scores of the predictions of one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScore {
    /// Name of the label.
    pub label: String,
    /// Fraction of samples for which the label is correct.
    pub accuracy: f64,
    /// Accuracy of always predicting the more common value, 0 or 1.
    pub chance: f64,
    /// Harmonic mean of precision and recall; 0 if the label is neither present nor predicted in any sample.
    pub f1: f64,
    /// Number of samples that have the label.
    pub samples: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values by hand, with scikit-learn's definitions: accuracy_score of rows, f1_score with zero_division=0.
    #[test]
    fn several_labels_are_scored_as_scikit_learn_does() {
        let mut counts = LabelCounts::new(3);
        let names = ["cat", "dog", "bird"].map(str::to_owned);
        assert_eq!(counts.scores(&names), None);
        let actual = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];
        let outputs = [[0.9, 0.1, 0.2], [0.8, 0.4, 0.1], [0.7, 0.6, 0.1], [0.1, 0.2, 0.3]];
        actual.iter().zip(&outputs).for_each(|(actual, outputs)| counts.take(actual, outputs, 0.5));
        let found = counts.scores(&names).unwrap();
        assert_eq!((found.samples, found.accuracy, found.chance), (4, 0.25, Some(0.5)));
        let of = |score: &LabelScore| [score.accuracy, score.chance, score.f1];
        assert_eq!(of(&found.labels[0]), [0.5, 0.75, 4.0 / 6.0]);
        assert_eq!(of(&found.labels[1]), [0.75, 0.5, 2.0 / 3.0]);
        assert_eq!(of(&found.labels[2]), [1.0, 1.0, 0.0]);
        assert!((found.f1_macro - 4.0 / 9.0).abs() < 1e-12 && found.label_accuracy == 0.75, "{found:?}");
    }
}
