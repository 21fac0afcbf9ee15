//! What instruments see of a trial.

use crate::Result;
use crate::network::Params;
use schuss_data::Feed;
use std::ops::Range;

/// Number of training samples that instruments look at, if there are so many: the first of a permutation that is the
/// same in all trials.
pub(crate) const SAMPLES: usize = 1_024;

/// Measurements at the trained weights, which an engine makes for instruments. None of them changes weights or state,
/// except [`swap_weights`](Self::swap_weights), which undoes itself.
pub trait Probe {
    /// Returns the trained weights, not those that an optimizer averages for evaluation.
    fn weights(&self) -> &Params;

    /// Swaps the trained weights with others, at which everything is measured until they are swapped back.
    fn swap_weights(&mut self, weights: &mut [f32]);

    /// Returns the units of every activation that a gradient reaches, and whether they pass it on for any of the samples
    /// at `positions`: where the slope of the activation is not 0. Without noise and dropout.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn live_units(&mut self, samples: &mut Feed, positions: Range<usize>) -> Result<Vec<LiveUnits>>;

    /// Returns the mean training loss of the samples at `positions` at other weights.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn loss(&mut self, samples: &mut Feed, positions: Range<usize>, weights: &[f32]) -> Result<f64>;

    /// Returns the gradient of the mean training loss of the samples at `positions`, in the layout of the weights.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn gradient(&mut self, samples: &mut Feed, positions: Range<usize>) -> Result<Vec<f32>>;

    /// Checks that second derivatives of network and loss are known.
    ///
    /// # Errors
    /// A usage error that names the layer or loss whose are not.
    fn check_curvature(&self) -> Result<()>;

    /// Returns the Hessian of the mean training loss of the samples at `positions` times `direction`, both in the layout of
    /// the weights.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn curvature(
        &mut self,
        samples: &mut Feed,
        positions: Range<usize>,
        direction: &[f32],
    ) -> Result<Vec<f32>>;
}

/// Units of an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveUnits {
    /// Index of the activation in the model.
    pub layer: usize,
    /// True for units with a slope for some sample.
    pub live: Vec<bool>,
}

/// A trial at a report point.
pub(crate) struct View<'a> {
    pub(crate) probe: &'a mut dyn Probe,
    /// Training samples to look at.
    pub(crate) samples: &'a mut Feed,
    /// Trained weights before the last update, if there was one since the weights were last measured.
    pub(crate) before: Option<&'a [f32]>,
}
