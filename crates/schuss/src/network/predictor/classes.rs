//! ClassPrediction of classes.

use super::{Answered, Network, Predictor, overflow, until_break};
use crate::{Cause, Error, Result};
use schuss_data::Split;
use schuss_kernels::rows::argmax;
use std::ops::ControlFlow;

/// Predicted class of one sample.
#[derive(Clone, Copy, Debug)]
pub struct ClassPrediction<'a> {
    /// Index of the sample in its split.
    pub index: usize,
    /// Most probable class; the first in case of ties.
    pub class: usize,
    /// True class, if known.
    pub label: Option<usize>,
    /// Probabilities, one per class. They sum to 1 unless the loss treats each class separately (`bce`, `focal`). None
    /// if the loss does not turn outputs into probabilities: `mse`, `hinge` and the like.
    pub probabilities: Option<&'a [f32]>,
    /// Outputs, one per class.
    pub outputs: &'a [f32],
    /// Loss the network was trained with, for the true class, or for the first class if the true one is unknown.
    pub loss: f64,
    /// Contribution to the divisor of summed losses: 1, or the class weight.
    pub weight: f64,
}

impl ClassPrediction<'_> {
    /// Returns the probability of every class, or its output if outputs are not probabilities.
    pub fn class_scores(&self) -> &[f32] {
        self.probabilities.unwrap_or(self.outputs)
    }

    /// Returns all classes, the most probable first.
    pub fn ranking(&self) -> Vec<usize> {
        let scores = self.class_scores();
        let mut classes: Vec<usize> = (0..scores.len()).collect();
        classes.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        classes
    }
}

impl Predictor {
    /// Predicts the class of every sample of `split`, in order, and calls `visit` with it until `visit` breaks.
    ///
    /// # Errors
    /// A usage error if the samples do not fit the network's inputs or it does not predict classes, a data error if a
    /// class has no output or the outputs of a sample overflow, and any error of `visit`.
    pub fn predict_classes(
        &mut self,
        split: &Split,
        visit: &mut dyn FnMut(ClassPrediction) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check_classes()?;
        let finish = |answered: &Answered, classes: &mut Vec<usize>| {
            (0..answered.rows).try_for_each(|row| {
                classes.push(answered.class_prediction(row)?.class);
                Ok(())
            })
        };
        self.each_share(split, 1, finish, |answered, classes| {
            let rows = classes.drain(..).enumerate();
            until_break(rows, |(row, class)| visit(answered.prediction_of(row, class)))
        })
    }

    /// Returns a usage error unless the model predicts classes.
    pub(super) fn check_classes(&self) -> Result<()> {
        if self.about.targets.is_class() {
            return Ok(());
        }
        Err(Error::usage("the model predicts numbers, not classes").because(Cause::Mismatch))
    }
}

impl<'a> Answered<'a> {
    /// Returns the prediction in `row`. Outputs beyond the classes take part in the softmax, as in training, but are
    /// never predicted.
    pub(super) fn class_prediction(&self, row: usize) -> Result<ClassPrediction<'a>> {
        if !self.arena.scores[row].loss.is_finite() {
            return Err(overflow(self.first + row));
        }
        let prediction = self.prediction_of(row, 0);
        Ok(ClassPrediction { class: argmax(prediction.outputs), ..prediction })
    }

    /// Returns the prediction in `row`, whose most probable class is `class`.
    fn prediction_of(&self, row: usize, class: usize) -> ClassPrediction<'a> {
        let Network { about, plan, .. } = self.network;
        let (classes, arena) = (about.classes.len(), self.arena);
        let probabilities = &arena.answered(plan, row)[..classes];
        let label = arena.labels[row] as usize;
        ClassPrediction {
            index: self.first + row,
            class,
            label: self.labelled.then_some(label),
            probabilities: about.loss.gives_probabilities().then_some(probabilities),
            outputs: &arena.output(plan, row)[..classes],
            loss: arena.scores[row].loss,
            weight: about.loss.weight(label),
        }
    }
}
