//! Errors of numeric predictions.

use super::metric::{Metric, Prediction, Row, Task};
use crate::record::Evaluation;
use serde::Serialize;

pub(super) const ROW: Row = Row { names: &["mae", "r2"], begin };

fn begin(task: &Task) -> Option<Box<dyn Metric>> {
    Some(Box::new(Sums::new(task.numbers?)))
}

/// Errors of numeric predictions, over all samples and outputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Deviation {
    /// Number of samples.
    pub samples: u64,
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Fraction of the variance explained (R²), the mean over outputs; None if the target of an output does not vary.
    pub r2: Option<f64>,
}

/// Sums over samples.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    samples: u64,
    absolute: f64,
    outputs: Vec<Output>,
}

/// Sums of one output, over targets minus the first target.
#[derive(Clone, Copy, Debug, Default)]
struct Output {
    first: f64,
    target: f64,
    target_squared: f64,
    squared_error: f64,
}

impl Sums {
    pub(crate) fn new(outputs: usize) -> Self {
        Self { samples: 0, absolute: 0.0, outputs: vec![Output::default(); outputs] }
    }

    pub(crate) fn add(&mut self, target: &[f64], predicted: &[f64]) {
        for ((output, &target), &predicted) in self.outputs.iter_mut().zip(target).zip(predicted) {
            let error = predicted - target;
            if self.samples == 0 {
                output.first = target;
            }
            output.target += target - output.first;
            output.target_squared += (target - output.first).powi(2);
            output.squared_error += error * error;
            self.absolute += error.abs();
        }
        self.samples += 1;
    }

    /// Returns the means, if there was a sample.
    pub(crate) fn mean(&self) -> Option<Deviation> {
        let (samples, outputs) = (self.samples as f64, self.outputs.len() as f64);
        let squared: f64 = self.outputs.iter().map(|output| output.squared_error).sum();
        let explained = self.outputs.iter().map(|output| output.explained(samples)).sum::<Option<f64>>();
        (self.samples > 0 && !self.outputs.is_empty()).then(|| Deviation {
            samples: self.samples,
            mse: squared / (samples * outputs),
            mae: self.absolute / (samples * outputs),
            r2: explained.map(|sum| sum / outputs),
        })
    }
}

impl Metric for Sums {
    fn take(&mut self, prediction: &Prediction) {
        if let Prediction::Numbers { actual, predicted } = prediction {
            self.add(actual, predicted);
        }
    }

    fn report(&self, evaluation: &mut Evaluation) {
        if let Some(Deviation { mae, r2, .. }) = self.mean() {
            evaluation.enter("mae", Some(mae));
            evaluation.enter("r2", r2);
        }
    }
}

impl Output {
    fn explained(&self, samples: f64) -> Option<f64> {
        let spread = self.target_squared - self.target * self.target / samples;
        (spread > 0.0).then(|| 1.0 - self.squared_error / spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from scikit-learn 1.9.1: mean_squared_error, mean_absolute_error, r2_score of two outputs.
    #[test]
    fn deviations_are_those_of_scikit_learn() {
        let mut sums = Sums::new(2);
        let pairs = [([0.5, 1.0], [0.0, 2.0]), ([-1.0, 1.0], [-1.0, 2.0]), ([7.0, -6.0], [8.0, -5.0])];
        pairs.iter().for_each(|(target, predicted)| sums.add(target, predicted));
        let found = sums.mean().unwrap();
        assert!((found.mse - 0.708_333_333_333_333_4).abs() < 1e-12);
        assert!((found.mae - 0.75).abs() < 1e-12);
        assert!((found.r2.unwrap() - 0.936_800_526_662_277_9).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_does_not_vary_has_no_share_explained_and_no_sample_no_mean() {
        let mut sums = Sums::new(1);
        assert_eq!(sums.mean(), None);
        sums.add(&[3.0], &[4.0]);
        sums.add(&[3.0], &[2.0]);
        assert_eq!(sums.mean(), Some(Deviation { samples: 2, mse: 1.0, mae: 1.0, r2: None }));
    }
}
