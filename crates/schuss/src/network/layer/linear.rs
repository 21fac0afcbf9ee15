//! Fully connected layers.

use super::operation::{Backward, Forward, Operation, Tensor};
use super::{MAX_WIDTH, layers};
use crate::network::layout::Role;
use crate::{Error, Result};
use schuss_data::Shape;
use schuss_kernels::matrix::{Matrix, input_gradient, linear};

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
        let w = Matrix::new(&pass.values[weight], pass.x.shape().1, self.outputs);
        linear(pass.team, pass.x, w, &pass.values[bias], pass.relu, pass.y);
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

    fn multiply_adds(&self, input: Shape) -> usize {
        input.features() * self.outputs
    }

    fn sole_key(&self) -> Option<String> {
        Some(self.outputs.to_string())
    }
}
