//! ReLU with a learned slope below zero.

use super::layers;
use super::operation::{Backward, Forward, Operation, Tensor};
use crate::network::layout::Role;
use crate::spec;
use schuss_data::Shape;
use schuss_kernels::activation::{Slopes, prelu, prelu_gradient, prelu_slope_gradients};

layers! {
    /// max(x, 0) + slope min(x, 0) with one learned slope per unit; `torch.nn.PReLU`. He et al., ICCV 2015 (arXiv
    /// 1502.01852).
    Prelu = "prelu" {
        /// Initial slope.
        slope: f64 = 0.25,
    } => |layer| spec::finite(&[("slope", layer.slope)]);
}

impl Operation for Prelu {
    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        vec![Tensor::per_feature("weight", Role::Gain, input, self.slope as f32)]
    }

    fn forward(&self, pass: Forward) {
        let [slopes] = pass.places();
        prelu(pass.team, Slopes::PerUnit(&pass.weights.values()[slopes]), pass.x, pass.y);
    }

    fn backward(&self, pass: Backward) {
        let [slopes] = pass.places();
        let Backward { x, dy, .. } = pass;
        if let Some(dx) = pass.dx {
            let (team, values) = pass.gradients.compute();
            prelu_gradient(team, Slopes::PerUnit(&values[slopes]), x, dy, dx);
        }
        pass.gradients.vectors(&mut |team, _, sums, start| prelu_slope_gradients(team, x, dy, start, sums));
    }

    fn is_activation(&self) -> bool {
        true
    }
}
