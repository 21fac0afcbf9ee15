//! Prediction of numbers: of regressions, of several labels, and the pixels of autoencoders.

use super::{Answered, Network, Predictor, overflow, until_break};
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
    /// Target as stored, if known.
    pub(super) target: Option<&'a [f32]>,
    pub(super) outputs: &'a [f32],
    /// The outputs, or the probabilities computed from them.
    pub(super) predicted: &'a [f32],
}

/// Predictions for the first samples of a block, in the units of the data.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    rows: usize,
    /// [rows, outputs], or empty if targets are not known
    actual: Vec<f64>,
    /// [rows, outputs]
    predicted: Vec<f64>,
}

impl Numbers {
    /// Appends the prediction in `row`.
    pub(super) fn push(&mut self, answered: &Answered, row: usize) -> Result<()> {
        let raw = answered.raw(row)?;
        self.rows += 1;
        self.actual.extend(raw.target.into_iter().flat_map(|stored| answered.original(stored)));
        self.predicted.extend(answered.in_units(raw.predicted));
        Ok(())
    }

    /// Returns the prediction for sample `first + row`.
    pub(super) fn prediction(&self, first: usize, row: usize) -> NumberPrediction<'_> {
        let width = self.predicted.len() / self.rows.max(1);
        let place = row * width..(row + 1) * width;
        NumberPrediction {
            index: first + row,
            target: self.actual.get(place.clone()).filter(|_| !self.actual.is_empty()),
            numbers: &self.predicted[place],
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.actual.clear();
        self.predicted.clear();
    }
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
        self.check_numbers()?;
        let finish = |answered: &Answered, numbers: &mut Numbers| {
            numbers.clear();
            (0..answered.rows).try_for_each(|row| numbers.push(answered, row))
        };
        self.each_share(split, 1, finish, |answered, numbers| {
            until_break(0..numbers.rows, |row| visit(numbers.prediction(answered.first, row)))
        })
    }

    /// Returns a usage error if the model predicts classes.
    pub(super) fn check_numbers(&self) -> Result<()> {
        if self.about.targets.is_class() {
            return Err(Error::usage("the model predicts classes, not numbers").because(Cause::Mismatch));
        }
        Ok(())
    }
}

impl<'a> Answered<'a> {
    /// Returns the prediction in `row` of the arena.
    pub(super) fn raw(&self, row: usize) -> Result<RawPrediction<'a>> {
        let (arena, plan) = (self.arena, self.network.plan);
        let outputs = arena.output(plan, row);
        if outputs.iter().any(|x| !x.is_finite()) {
            return Err(overflow(self.first + row));
        }
        let target = self.labelled.then(|| arena.target(plan, row));
        Ok(RawPrediction { target, outputs, predicted: arena.answered(plan, row) })
    }

    /// Adds the offsets back to stored numbers.
    fn original<'n>(&self, stored: &'n [f32]) -> impl Iterator<Item = f64> + use<'a, 'n> {
        let Network { about, units, .. } = self.network;
        let offset = move |output: usize| units.map_or(0.0, |_| about.offsets.label(output));
        stored.iter().enumerate().map(move |(output, &number)| f64::from(number) + offset(output))
    }

    /// Converts predictions to the units of the data.
    fn in_units<'n>(&self, predicted: &'n [f32]) -> impl Iterator<Item = f64> + use<'a, 'n> {
        let units = self.network.units;
        predicted.iter().enumerate().map(move |(output, &value)| match units {
            Some(units) => units.original(output, value),
            None => f64::from(value),
        })
    }

    /// Converts stored numbers to the scale of the outputs.
    pub(super) fn wanted<'n>(&self, stored: &'n [f32]) -> impl Iterator<Item = f32> + use<'a, 'n> {
        let units = self.network.units;
        stored.iter().enumerate().map(move |(output, &number)| match units {
            Some(units) => units.wanted(output, number),
            None => number,
        })
    }
}
