//! Prediction of numbers: of regressions, of several labels, and the pixels of autoencoders.

use super::{Answered, Predictor, overflow};
use crate::{Cause, Error, Result};
use schuss_data::Split;
use std::ops::ControlFlow;

/// Numeric prediction for one sample.
#[derive(Clone, Copy, Debug)]
pub struct NumberPrediction<'a> {
    /// Index of the sample in its split.
    pub index: usize,
    /// Target, if known; for an autoencoder, the normalised input.
    pub target: Option<&'a [f64]>,
    /// Predicted numbers, in the same units as the target; with several labels, the probability of each.
    pub numbers: &'a [f64],
}

impl NumberPrediction<'_> {
    /// Returns the labels, out of all `labels` of a model, whose probability is above one half.
    pub fn labels<'l>(&self, labels: &'l [String]) -> Vec<&'l str> {
        let applies = |(label, probability): (&'l String, &f64)| (*probability > 0.5).then_some(&**label);
        labels.iter().zip(self.numbers).filter_map(applies).collect()
    }

    /// Returns an image reconstructed by an autoencoder: a byte per number, 255 for 1 and above.
    pub fn pixels(&self) -> Vec<u8> {
        self.numbers.iter().map(|x| (x.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
    }
}

/// Prediction for one sample by a network that does not predict classes, in the network's own units.
#[derive(Clone, Copy)]
pub(super) struct RawPrediction<'a> {
    pub(super) index: usize,
    /// Target as stored, if known.
    pub(super) target: Option<&'a [f32]>,
    pub(super) outputs: &'a [f32],
    /// The outputs, or the probabilities computed from them.
    pub(super) predicted: &'a [f32],
}

impl Predictor {
    /// Predicts the numbers for every sample of `split`, in order, and calls `visit` with them until `visit` breaks.
    ///
    /// # Errors
    /// A usage error if the samples do not fit the network's inputs or it predicts classes, a data error if the outputs
    /// of a sample overflow, and any error of `visit`.
    pub fn predict_numbers(
        &mut self,
        split: &Split,
        visit: &mut dyn FnMut(NumberPrediction) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.each_number_row(split, |batch, raw| {
            let target = raw.target.map(|stored| batch.original(stored));
            let numbers = batch.numbers(raw.predicted);
            visit(NumberPrediction { index: raw.index, target: target.as_deref(), numbers: &numbers })
        })
    }

    /// Calls `visit` with the prediction for every sample of `split`.
    pub(super) fn each_number_row(
        &mut self,
        split: &Split,
        mut visit: impl FnMut(&Answered, RawPrediction) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check_numbers()?;
        self.each_row(split, Self::answer, |batch, row| visit(batch, batch.raw(row)?))
    }

    /// Returns a usage error if the model predicts classes.
    pub(super) fn check_numbers(&self) -> Result<()> {
        if self.about.targets.is_class() {
            return Err(Error::usage("the model predicts classes, not numbers").because(Cause::Mismatch));
        }
        Ok(())
    }

    /// Runs the forward pass of the gathered samples and computes predictions from their outputs.
    pub(super) fn answer(&mut self, rows: usize) {
        self.forward(rows);
        let Self { about, arena, team, plan, .. } = self;
        arena.answer(team, plan, rows, about.loss.answer(about.targets));
    }
}

impl<'a> Answered<'a> {
    /// Returns the prediction in `row` of the arena.
    pub(super) fn raw(&self, row: usize) -> Result<RawPrediction<'a>> {
        let (index, arena, plan) = (self.first + row, self.arena, self.plan);
        let outputs = arena.output(plan, row);
        if outputs.iter().any(|x| !x.is_finite()) {
            return Err(overflow(index));
        }
        let target = self.labelled.then(|| arena.target(plan, row));
        Ok(RawPrediction { index, target, outputs, predicted: arena.answered(plan, row) })
    }

    /// Adds the offsets back to stored numbers.
    pub(super) fn original(&self, stored: &[f32]) -> Vec<f64> {
        let offset = |output: usize| self.units.map_or(0.0, |_| self.about.offsets.label(output));
        stored.iter().enumerate().map(|(output, &number)| f64::from(number) + offset(output)).collect()
    }

    /// Converts predictions to the units of the data.
    pub(super) fn numbers(&self, predicted: &[f32]) -> Vec<f64> {
        let number = |(output, &value): (usize, &f32)| match self.units {
            Some(units) => units.original(output, value),
            None => f64::from(value),
        };
        predicted.iter().enumerate().map(number).collect()
    }

    /// Converts stored numbers to the scale of the outputs.
    pub(super) fn wanted(&self, stored: &[f32]) -> Vec<f32> {
        let wanted = |(output, &number): (usize, &f32)| match self.units {
            Some(units) => units.wanted(output, number),
            None => number,
        };
        stored.iter().enumerate().map(wanted).collect()
    }
}
