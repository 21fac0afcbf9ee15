//! Counts of predicted classes against the true ones.

use super::metric::{Metric, Prediction, Row, Task};
use crate::record::Evaluation;
use schuss_kernels::rows::argmax;
use serde::Serialize;
use std::cmp::{Ordering, Reverse};

pub(super) const ROW: Row = Row { names: &[], begin };

fn begin(task: &Task) -> Option<Box<dyn Metric>> {
    Some(Box::new(ClassCounts::new(task.classes?)))
}

/// Number of samples by true and predicted class.
///
/// # Example
/// ```
/// use schuss::metrics::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(3);
/// for (actual, predicted) in [(0, 0), (0, 1), (1, 1), (2, 1)] {
///     matrix.add(actual, predicted);
/// }
/// assert_eq!(matrix.counts(), [[1, 1, 0], [0, 1, 0], [0, 1, 0]]);
/// assert_eq!(matrix.accuracy(), Some(0.5));
/// assert_eq!(matrix.recall(0), Some(0.5));
/// assert_eq!(matrix.chance(), Some(0.5)); // half of the samples are of class 0
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfusionMatrix {
    /// [true class][predicted class]
    counts: Vec<Vec<u64>>,
}

/// Pair of different classes, one of which was predicted for samples of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// True class.
    pub actual: usize,
    /// Predicted class.
    pub predicted: usize,
    /// Number of samples.
    pub count: u64,
}

impl ConfusionMatrix {
    /// Creates an empty matrix of `classes` rows and columns.
    pub fn new(classes: usize) -> Self {
        Self { counts: vec![vec![0; classes]; classes] }
    }

    /// Counts a sample; one of a class beyond the last is ignored.
    pub fn add(&mut self, actual: usize, predicted: usize) {
        if let Some(count) = self.counts.get_mut(actual).and_then(|row| row.get_mut(predicted)) {
            *count += 1;
        }
    }

    /// Counts, indexed by true class, then by predicted class.
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Returns the number of samples whose class was predicted.
    pub fn correct(&self) -> u64 {
        self.counts.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// Returns the fraction of samples whose class was predicted; `None` without samples.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.correct(), self.samples())
    }

    /// Returns the fraction of the samples of `class` for which it was predicted; `None` if the class has none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let row = self.counts.get(class)?;
        ratio(row[class], row.iter().sum())
    }

    /// Returns the accuracy of always predicting the most common class: its fraction of the samples. `None` without
    /// samples.
    pub fn chance(&self) -> Option<f64> {
        self.totals().chance()
    }

    /// Returns the class predicted for every sample, if there is only one.
    pub fn only_class(&self) -> Option<usize> {
        self.totals().only()
    }

    /// Returns the pairs of classes that were confused, the most frequent first.
    pub fn confusions(&self) -> Vec<Confusion> {
        let rows = self.counts.iter().enumerate();
        let pairs = rows.flat_map(|(actual, row)| {
            let counts = row.iter().enumerate();
            counts.map(move |(predicted, &count)| Confusion { actual, predicted, count })
        });
        let mut confusions: Vec<Confusion> =
            pairs.filter(|pair| pair.count > 0 && pair.actual != pair.predicted).collect();
        confusions.sort_by_key(|pair| Reverse(pair.count));
        confusions
    }

    /// Returns the classes that have samples, the one with the lowest recall first.
    pub fn by_recall(&self) -> Vec<usize> {
        let recalls: Vec<Option<f64>> = (0..self.counts.len()).map(|class| self.recall(class)).collect();
        let mut classes: Vec<usize> = (0..recalls.len()).filter(|&class| recalls[class].is_some()).collect();
        classes.sort_by(|&a, &b| recalls[a].partial_cmp(&recalls[b]).unwrap_or(Ordering::Equal));
        classes
    }

    /// Returns the sums of rows and columns.
    fn totals(&self) -> ClassCounts {
        let mut totals = ClassCounts::new(self.counts.len());
        for (row, actual) in self.counts.iter().zip(&mut totals.actual) {
            *actual = row.iter().sum();
            totals.predicted.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        totals
    }
}

/// Number of samples per true class and per predicted class: the sums of rows and columns of a [`ConfusionMatrix`],
/// which takes too much memory to be kept during training if there are many classes.
#[derive(Clone, Debug)]
struct ClassCounts {
    samples: u64,
    correct: u64,
    actual: Vec<u64>,
    predicted: Vec<u64>,
}

impl ClassCounts {
    fn new(classes: usize) -> Self {
        Self { samples: 0, correct: 0, actual: vec![0; classes], predicted: vec![0; classes] }
    }

    /// Adds a sample of a class and its outputs.
    fn add(&mut self, class: usize, outputs: &[f32]) {
        let predicted = argmax(outputs);
        self.samples += 1;
        self.correct += u64::from(predicted == class);
        for (counts, class) in [(&mut self.actual, class), (&mut self.predicted, predicted)] {
            if let Some(count) = counts.get_mut(class) {
                *count += 1;
            }
        }
    }

    /// Returns the fraction of samples in the most common class.
    fn chance(&self) -> Option<f64> {
        largest_share(self.actual.iter().copied())
    }

    /// Returns the class predicted for every sample, if there is one.
    fn only(&self) -> Option<usize> {
        let mut predicted = self.predicted.iter().enumerate().filter(|(_, count)| **count > 0);
        let (class, _) = predicted.next()?;
        predicted.next().is_none().then_some(class)
    }
}

impl Metric for ClassCounts {
    fn take(&mut self, prediction: &Prediction) {
        if let Prediction::Class { actual, outputs } = prediction {
            self.add(*actual, outputs);
        }
    }

    fn report(&self, evaluation: &mut Evaluation) {
        evaluation.accuracy = ratio(self.correct, self.samples);
        evaluation.chance = self.chance();
        evaluation.only_class = self.only();
    }
}

/// Returns the largest of some counts as a fraction of their sum.
pub(super) fn largest_share(counts: impl Iterator<Item = u64> + Clone) -> Option<f64> {
    ratio(counts.clone().max()?, counts.sum())
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_predicts_one_class_is_known_and_the_most_common_class_is_its_chance() {
        let mut counts = ClassCounts::new(3);
        assert_eq!((counts.chance(), counts.only()), (None, None));
        [0, 2, 2, 1].into_iter().for_each(|class| counts.add(class, &[0.0, 0.0, 1.0]));
        assert_eq!((counts.chance(), counts.only()), (Some(0.5), Some(2)));
        counts.add(1, &[0.0, 1.0, 0.0]);
        assert_eq!((counts.chance(), counts.only()), (Some(0.4), None));
    }

    fn matrix(classes: usize, pairs: &[[usize; 2]]) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(classes);
        pairs.iter().for_each(|&[actual, predicted]| matrix.add(actual, predicted));
        matrix
    }

    /// The example of `confusion_matrix` in the documentation of scikit-learn, with fractions by hand.
    #[test]
    fn rows_of_a_confusion_matrix_are_true_classes_as_in_scikit_learn() {
        let found = matrix(3, &[[2, 0], [0, 0], [2, 2], [2, 2], [0, 0], [1, 2]]);
        assert_eq!(found.counts(), [[2, 0, 0], [0, 0, 1], [1, 0, 2]]);
        assert_eq!((found.samples(), found.correct(), found.accuracy()), (6, 4, Some(4.0 / 6.0)));
        assert_eq!([0, 1, 2].map(|class| found.recall(class)), [Some(1.0), Some(0.0), Some(2.0 / 3.0)]);
        assert_eq!((found.chance(), found.only_class()), (Some(0.5), None));
        assert_eq!(serde_json::to_string(&found).unwrap(), "[[2,0,0],[0,0,1],[1,0,2]]");
    }

    #[test]
    fn the_most_frequent_confusion_and_the_lowest_recall_come_first() {
        let found = matrix(4, &[[0, 1], [1, 2], [1, 2], [1, 1], [0, 0], [3, 3], [3, 1]]);
        let pairs: Vec<[usize; 2]> = found.confusions().iter().map(|c| [c.actual, c.predicted]).collect();
        assert_eq!((pairs, found.confusions()[0].count), (vec![[1, 2], [0, 1], [3, 1]], 2));
        assert_eq!(found.by_recall(), [1, 0, 3], "class 2 has no samples");
    }

    #[test]
    fn a_matrix_without_samples_has_no_accuracy_and_a_class_beyond_the_last_is_ignored() {
        let found = matrix(2, &[[2, 0], [0, 2]]);
        assert_eq!((found.samples(), found.accuracy(), found.chance()), (0, None, None));
        assert_eq!((found.recall(0), found.recall(7), found.only_class()), (None, None, None));
        assert_eq!(matrix(2, &[[0, 1], [1, 1]]).only_class(), Some(1));
    }
}
