//! Fully connected layers.

use super::bend::{Bend, RateSums, Tangent};
use super::operation::{Backward, Forward, Operation, Tensor, places};
use super::{MAX_WIDTH, layers};
use crate::network::layout::Role;
use crate::{Error, Result};
use schuss_data::Shape;
use schuss_kernels::matrix::{
    Matrix, MatrixMut, add_product, column_sums, input_gradient, linear, weight_gradient,
};

layers! {
    /// y = x W + b, `torch.nn.Linear`; W `[inputs, outputs]`.
    Linear = "linear" {
        /// Number of outputs.
        outputs: usize = 0,
    } => |layer| match layer.outputs {
        1..=MAX_WIDTH => Ok(()),
        0 => Err(Error::usage("a linear layer needs its number of outputs, as in linear:400")),
        units => Err(Error::usage(format!("a layer has {units} units; 1 to {MAX_WIDTH} are possible"))),
    };
}

impl Operation for Linear {
    fn output(&self, _: Shape) -> Result<Shape> {
        Ok(Shape::Flat(self.outputs))
    }

    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        let (inputs, outputs) = (input.features(), self.outputs);
        let tensor = |suffix, role, rows| Tensor {
            suffix,
            role,
            rows,
            cols: outputs,
            fan_in: inputs,
            fan_out: outputs,
            first: None,
        };
        vec![tensor("weight", Role::Weight, inputs), tensor("bias", Role::Bias, 1)]
    }

    fn forward(&self, pass: Forward) {
        let [weight, bias] = pass.places();
        let values = pass.weights.values();
        let w = Matrix::new(&values[weight], pass.x.shape().1, self.outputs);
        linear(pass.team, pass.x, w, &values[bias], pass.relu, pass.y);
    }

    fn backward(&self, pass: Backward) {
        let [weight] = pass.places();
        if let Some(dx) = pass.dx {
            let (team, values) = pass.gradients.compute();
            let w = Matrix::new(&values[weight], pass.x.shape().1, self.outputs);
            input_gradient(team, pass.dy, w, pass.after_relu.then_some(pass.x), dx);
        }
        pass.gradients.weight_and_bias(pass.x, pass.dy);
    }

    fn has_curvature(&self) -> bool {
        true
    }

    /// Ẏ = X Ẇ + ḃ + Ẋ W
    fn tangent(&self, pass: Tangent) {
        let [weight, bias] = places(pass.tensors);
        let (inputs, outputs, rows) = (pass.x.shape().1, self.outputs, pass.x.shape().0);
        let to = pass.y_rate.into_data();
        let moved = Matrix::new(&pass.direction[weight.clone()], inputs, outputs);
        linear(pass.team, pass.x, moved, &pass.direction[bias], false, MatrixMut::new(to, rows, outputs));
        if let Some(x_rate) = pass.x_rate {
            let w = Matrix::new(&pass.values[weight], inputs, outputs);
            add_product(pass.team, x_rate, w, MatrixMut::new(to, rows, outputs));
        }
        if pass.relu {
            zero_where_inactive(to, pass.y);
        }
    }

    /// Ḋˣ = Ḋ Wᵀ + D Ẇᵀ, Ġ = Xᵀ Ḋ + Ẋᵀ D
    fn bend(&self, pass: Bend) {
        let [weight, bias] = places(pass.tensors);
        let ((rows, inputs), outputs) = (pass.x.shape(), self.outputs);
        if let Some(dx_rate) = pass.dx_rate {
            let [w, moved] = [pass.values, pass.direction]
                .map(|values| Matrix::new(&values[weight.clone()], inputs, outputs));
            let (active, to) = (pass.after_relu.then_some(pass.x), dx_rate.into_data());
            input_gradient(pass.team, pass.dy_rate, w, active, MatrixMut::new(to, rows, inputs));
            let room = MatrixMut::new(pass.scratch, rows, inputs);
            input_gradient(pass.team, pass.dy, moved, active, room);
            to.iter_mut().zip(&*pass.scratch).for_each(|(rate, more)| *rate += more);
        }
        let RateSums { of_gradients, of_inputs } = pass.sums;
        column_sums(pass.team, pass.dy_rate, pass.start, &mut of_gradients[bias]);
        let to = MatrixMut::new(&mut of_gradients[weight.clone()], inputs, outputs);
        weight_gradient(pass.team, pass.x, pass.dy_rate, pass.start, to);
        if let Some(x_rate) = pass.x_rate {
            let to = MatrixMut::new(&mut of_inputs[weight], inputs, outputs);
            weight_gradient(pass.team, x_rate, pass.dy, pass.start, to);
        }
    }

    fn multiply_adds(&self, input: Shape) -> usize {
        input.features() * self.outputs
    }

    fn sole_key(&self) -> Option<String> {
        Some(self.outputs.to_string())
    }
}

/// Zeroes the rates of outputs at which a fused ReLU is flat.
fn zero_where_inactive(rates: &mut [f32], y: Matrix) {
    let inactive = rates.iter_mut().zip(y.data()).filter(|(_, y)| **y <= 0.0);
    inactive.for_each(|(rate, _)| *rate = 0.0);
}
