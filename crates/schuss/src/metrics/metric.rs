//! Metrics of an evaluation: the task they depend on, the predictions they see, and what they report.

use super::{Custom, LossGroups, METRICS};
use crate::record::Evaluation;
use schuss_data::ImageShape;
use std::fmt::Debug;

/// Task of a network, which determines the metrics that apply and the predictions that they see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// Number of classes, if one is predicted per sample.
    pub classes: Option<usize>,
    /// Labels, if several are predicted per sample.
    pub labels: Option<LabelTask>,
    /// Number of outputs, if they are numbers in the units of the data.
    pub numbers: Option<usize>,
    /// Shape of the images that an autoencoder reconstructs.
    pub image: Option<ImageShape>,
}

/// Labels of a multi-label task, each 0 or 1.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelTask {
    /// Names of the labels.
    pub names: Vec<String>,
    /// Outputs above this bound predict 1.
    pub bound: f32,
}

/// Target of a sample and the prediction for it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Prediction<'a> {
    /// One class.
    Class {
        /// True class.
        actual: usize,
        /// Outputs of the network, one per class; the largest one predicts its class.
        outputs: &'a [f32],
    },
    /// Several labels.
    Labels {
        /// True labels, each 0 or 1.
        actual: &'a [f32],
        /// Outputs of the network, one per label; see [`LabelTask::bound`].
        outputs: &'a [f32],
    },
    /// Numbers, in the units of the data.
    Numbers {
        /// True numbers.
        actual: &'a [f64],
        /// Predicted numbers.
        predicted: &'a [f64],
    },
    /// A reconstructed image, `[channels, height, width]`.
    Image {
        /// The image, without noise.
        actual: &'a [f32],
        /// Its reconstruction.
        predicted: &'a [f32],
    },
}

/// A metric while an evaluation runs.
pub(super) trait Metric: Debug + Send {
    /// Adds a prediction; those of another kind are ignored.
    fn take(&mut self, prediction: &Prediction);

    /// Enters the values over all predictions.
    fn report(&self, evaluation: &mut Evaluation);
}

/// Row of the table of metrics.
pub(super) struct Row {
    /// Names of the values in records, beside `accuracy` and `chance`.
    pub(super) names: &'static [&'static str],
    /// Begins an evaluation; `None` if the metric does not apply to the task.
    pub(super) begin: fn(&Task) -> Option<Box<dyn Metric>>,
}

/// All metrics of one evaluation.
#[derive(Debug)]
pub struct Metrics {
    task: Task,
    running: Vec<Box<dyn Metric>>,
    /// Losses by groups of samples, if they are asked for.
    losses: Option<LossGroups>,
}

impl Metrics {
    /// Begins an evaluation: all built-in metrics that apply to `task`, and `own` ones.
    pub fn begin(task: &Task, own: &[Custom]) -> Self {
        let built_in = METRICS.iter().filter_map(|row| (row.begin)(task));
        let own = own.iter().filter_map(|metric| metric.begin(task));
        Self { task: task.clone(), running: built_in.chain(own).collect(), losses: None }
    }

    /// Begins an evaluation of the built-in metrics that apply to `task` and have names, without accuracy and chance.
    pub(crate) fn begin_named(task: &Task) -> Self {
        let named = METRICS.iter().filter(|row| !row.names.is_empty());
        let running = named.filter_map(|row| (row.begin)(task)).collect();
        Self { task: task.clone(), running, losses: None }
    }

    /// Asks for the losses of the split's `samples` samples too.
    pub(crate) fn with_losses(self, samples: usize) -> Self {
        Self { losses: Some(LossGroups::new(samples)), ..self }
    }

    /// Returns the task: [`take`](Self::take) needs a prediction per sample of each kind that it has.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Adds a prediction.
    pub fn take(&mut self, prediction: &Prediction) {
        self.running.iter_mut().for_each(|metric| metric.take(prediction));
    }

    /// Adds the loss of the next sample, in the units of the evaluation's, and its weight in the mean.
    pub fn take_loss(&mut self, loss: f64, weight: f64) {
        if let Some(losses) = &mut self.losses {
            losses.take(loss, weight);
        }
    }

    /// Removes the losses of the samples, if they were asked for, and returns them.
    pub(crate) fn split_off_losses(&mut self) -> Option<LossGroups> {
        self.losses.take()
    }

    /// Ends the evaluation, whose mean loss is `loss`.
    pub fn end(self, loss: f64) -> Evaluation {
        let mut evaluation = Evaluation { loss, ..Evaluation::default() };
        self.running.iter().for_each(|metric| metric.report(&mut evaluation));
        evaluation
    }
}
