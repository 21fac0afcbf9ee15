//! ClassPrediction of classes.

use super::{Answered, Predictor, overflow};
use crate::network::Arena;
use crate::{Cause, Error, Result};
use schuss_data::Split;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::padded;
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
        self.each_row(split, Self::score, |batch, row| visit(batch.class_prediction(row)?))
    }

    /// Returns a usage error unless the model predicts classes.
    pub(super) fn check_classes(&self) -> Result<()> {
        if self.about.targets.is_class() {
            return Ok(());
        }
        Err(Error::usage("the model predicts numbers, not classes").because(Cause::Mismatch))
    }

    /// Runs the forward pass of the gathered samples; leaves their probabilities in `deltas[0]`, which is not needed
    /// otherwise.
    pub(super) fn score(&mut self, rows: usize) {
        self.forward(rows);
        let outputs = self.plan.outputs;
        let Arena { outputs: activations, deltas, labels, scores, .. } = &mut self.arena;
        let found = activations.last().map_or(&[][..], |outputs| &outputs[..]);
        self.about.loss.judge(
            &mut self.team,
            Matrix::new(found, rows, outputs),
            &labels[..rows],
            MatrixMut::new(&mut deltas[0], rows, outputs),
            &mut scores[..rows],
        );
    }
}

impl<'a> Answered<'a> {
    /// Returns the prediction in `row` of the arena. Outputs beyond the classes take part in the softmax, as in
    /// training, but are never predicted.
    pub(super) fn class_prediction(&self, row: usize) -> Result<ClassPrediction<'a>> {
        let (index, loss) = (self.first + row, self.arena.scores[row].loss);
        if !loss.is_finite() {
            return Err(overflow(index));
        }
        let classes = self.about.classes.len();
        let part = row * padded(self.plan.outputs)..;
        let logits = self.arena.outputs.last().map_or(&[][..], |logits| &logits[part.clone()][..classes]);
        let probabilities = &self.arena.deltas[0][part][..classes];
        let probabilities = self.about.loss.gives_probabilities().then_some(probabilities);
        let class = self.arena.labels[row] as usize;
        let (label, weight) = (self.labelled.then_some(class), self.about.loss.weight(class));
        Ok(ClassPrediction {
            index,
            class: argmax(logits),
            label,
            probabilities,
            outputs: logits,
            loss,
            weight,
        })
    }
}
