//! Rates of change of a layer's passes along a direction of the weights, for products with the Hessian.

use super::operation::Mode;
use crate::network::layout::Entry;
use schuss_data::Shape;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start};
use schuss_kernels::{Buffer, Team};

/// A forward pass that has been made, and the rates of change of its inputs and outputs.
pub(crate) struct Tangent<'a> {
    pub(crate) team: &'a mut Team,
    /// All parameters of the network.
    pub(crate) values: &'a [f32],
    /// Rates of change of all parameters.
    pub(crate) direction: &'a [f32],
    /// The layer's own tensors.
    pub(crate) tensors: &'a [Entry],
    pub(crate) input: Shape,
    pub(crate) x: Matrix<'a>,
    pub(crate) y: Matrix<'a>,
    /// None if no layer below trains anything, so that inputs do not change.
    pub(crate) x_rate: Option<Matrix<'a>>,
    /// Becomes the rate of Y.
    pub(crate) y_rate: MatrixMut<'a>,
    /// Index of the layer.
    pub(crate) layer: usize,
    /// True if a ReLU is fused into the layer.
    pub(crate) relu: bool,
    pub(crate) mode: &'a Mode,
}

/// A backward pass, and the rates of change of its gradients.
pub(crate) struct Bend<'a> {
    pub(crate) team: &'a mut Team,
    /// All parameters of the network.
    pub(crate) values: &'a [f32],
    /// Rates of change of all parameters.
    pub(crate) direction: &'a [f32],
    /// The layer's own tensors.
    pub(crate) tensors: &'a [Entry],
    /// Room for one row of inputs per sample.
    pub(crate) scratch: &'a mut [f32],
    pub(crate) input: Shape,
    pub(crate) x: Matrix<'a>,
    pub(crate) y: Matrix<'a>,
    /// None if no layer below trains anything.
    pub(crate) x_rate: Option<Matrix<'a>>,
    pub(crate) y_rate: Matrix<'a>,
    /// Gradient at the outputs, and its rate.
    pub(crate) dy: Matrix<'a>,
    pub(crate) dy_rate: Matrix<'a>,
    /// Becomes the rate of the gradient at the inputs; None if no layer below trains anything.
    pub(crate) dx_rate: Option<MatrixMut<'a>>,
    /// Destination of the rates of the gradients of the layer's tensors.
    pub(crate) sums: &'a mut RateSums,
    pub(crate) start: Start,
    /// Index of the layer.
    pub(crate) layer: usize,
    /// True if a ReLU is fused into the layer before, so that the rate of dX is 0 where X is.
    pub(crate) after_relu: bool,
    pub(crate) mode: &'a Mode,
}

/// Sums over samples of the rates of the gradients of all parameters, in two parts that are added at the end, so that
/// each is one chain in the order of samples.
pub(crate) struct RateSums {
    /// Terms with the rates of gradients at outputs.
    pub(crate) of_gradients: Buffer,
    /// Terms with the rates of inputs.
    pub(crate) of_inputs: Buffer,
}

impl RateSums {
    pub(crate) fn new(len: usize) -> Self {
        Self { of_gradients: Buffer::zeros(len), of_inputs: Buffer::zeros(len) }
    }

    /// Returns the sum of both parts over `count`.
    pub(crate) fn divided(&self, count: f64) -> Vec<f32> {
        let pairs = self.of_gradients.iter().zip(self.of_inputs.iter());
        pairs.map(|(a, b)| ((f64::from(*a) + f64::from(*b)) / count) as f32).collect()
    }
}
