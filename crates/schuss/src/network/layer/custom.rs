//! A layer of one's own.

use super::operation::{Backward, Forward, Operation, Tensor};
use crate::Result;
use crate::network::layout::Role;
use crate::spec::custom;
use schuss_data::Shape;
use schuss_kernels::matrix::{Matrix, Start};
use schuss_kernels::padded;
use std::fmt::Debug;

/// A user-defined layer, which any network can use as [`Layer::Custom`](crate::network::Layer::Custom).
///
/// Its passes see one sample at a time, from the thread that runs the session, and must depend on their arguments alone.
pub trait CustomLayer: Debug + Send + Sync {
    /// Returns its name in specs and records, which includes its hyper-parameters.
    fn name(&self) -> String;

    /// Returns the shape of its outputs; by default that of its inputs.
    ///
    /// # Errors
    /// A usage error that says which inputs it needs.
    fn output(&self, input: Shape) -> Result<Shape> {
        Ok(input)
    }

    /// Returns the number of weights it trains, and their initial value; by default none.
    fn weights(&self, _input: Shape) -> CustomWeights {
        CustomWeights::default()
    }

    /// Computes the outputs `y` from the inputs `x`.
    fn forward(&self, x: &[f32], weights: &[f32], y: &mut [f32]);

    /// Writes the gradient at the inputs to `dx`, and adds those of the weights to `gradient`; `dy` is the gradient at
    /// the outputs.
    fn backward(&self, x: &[f32], weights: &[f32], dy: &[f32], dx: &mut [f32], gradient: &mut [f32]);
}

/// Weights of a [`CustomLayer`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CustomWeights {
    /// Number of weights.
    pub count: usize,
    /// Value of each before training.
    pub first: f32,
}

custom! {
    /// Row of the table that holds a [`CustomLayer`]: one of your own, found in specs as `custom:name=NAME` once it is
    /// registered.
    Custom of CustomLayer, registered in LAYERS as "layer"
}

impl Custom {
    fn weights(&self, input: Shape) -> CustomWeights {
        self.own.as_ref().map_or_else(CustomWeights::default, |layer| layer.weights(input))
    }
}

impl Operation for Custom {
    fn output(&self, input: Shape) -> Result<Shape> {
        self.own.as_ref().map_or(Ok(input), |layer| layer.output(input))
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let CustomWeights { count, first } = self.weights(input);
        let (inputs, role) = (input.features(), Role::Gain);
        let tensor = Tensor {
            suffix: "weight",
            role,
            rows: 1,
            cols: count,
            fan_in: inputs,
            fan_out: inputs,
            first: Some(first),
        };
        if count > 0 { vec![tensor] } else { vec![] }
    }

    fn forward(&self, pass: Forward) {
        let Some(layer) = &self.own else { return pass.pass_on() };
        let values = pass.weights.values();
        let weights = pass.tensors.first().map_or(&[][..], |tensor| &values[tensor.range()][..tensor.cols]);
        let ((rows, cols), y) = (pass.y.shape(), pass.y.into_data());
        for (row, y) in y.chunks_exact_mut(padded(cols)).enumerate().take(rows) {
            layer.forward(&pass.x.row(row)[..pass.x.shape().1], weights, &mut y[..cols]);
        }
    }

    fn backward(&self, pass: Backward) {
        let Some(layer) = &self.own else { return };
        let Backward { gradients, tensors, scratch, x, dy, dx, .. } = pass;
        let mut dx = dx.map(|dx| dx.into_data());
        let mut send_back = |weights: &[f32], gradient: &mut [f32]| {
            for row in 0..x.shape().0 {
                let below = dx.as_deref_mut().map(|dx| &mut dx[row * padded(x.shape().1)..]);
                let below = &mut below.unwrap_or(&mut *scratch)[..x.shape().1];
                layer.backward(row_of(x, row), weights, row_of(dy, row), below, gradient);
            }
        };
        let Some(tensor) = tensors.first() else { return send_back(&[], &mut []) };
        gradients.vectors(&mut |_, values, sums, start| {
            let (sums, weights) = (&mut sums[..tensor.cols], &values[tensor.range()][..tensor.cols]);
            if matches!(start, Start::Fresh) {
                sums.fill(0.0);
            }
            send_back(weights, sums);
        });
    }

    fn scratch(&self, input: Shape, _rows: usize) -> usize {
        padded(input.features())
    }
}

/// Returns the numbers of a row, without pad lanes.
fn row_of(matrix: Matrix<'_>, row: usize) -> &[f32] {
    &matrix.row(row)[..matrix.shape().1]
}
