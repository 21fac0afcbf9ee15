//! Normalisation over the features of a sample.

use super::layers;
use super::operation::{Backward, Forward, Operation, Tensor, gain_and_bias};
use crate::spec::normal;
use schuss_data::Shape;
use schuss_kernels::matrix::column_sums;
use schuss_kernels::normalize::{Moments, gain_gradient, layer_norm_gradient, normalize, row_moments};
use schuss_kernels::padded;

layers! {
    /// y = (x − mean) / √(variance + ε) γ + β over the features of a sample. `torch.nn.LayerNorm`. Ba, Kiros and
    /// Hinton, 2016 (arXiv 1607.06450).
    LayerNorm = "layer-norm" {
        /// ε
        eps: f64 = 1e-5,
    } => |layer| normal(&[("eps", layer.eps)]);
}

impl Operation for LayerNorm {
    fn tensors(&self, input: Shape) -> Vec<Tensor> {
        gain_and_bias(input)
    }

    fn forward(&self, pass: Forward) {
        let [gain, bias] = pass.places();
        let (mean, scale) = pass.scratch.split_at_mut(pass.x.shape().0);
        row_moments(pass.team, pass.x, self.eps, mean, scale);
        let moments = Moments::PerRow { mean, scale };
        let values = pass.weights.values();
        normalize(pass.team, pass.x, moments, &values[gain], &values[bias], pass.y);
    }

    fn backward(&self, pass: Backward) {
        let [gain] = pass.places();
        let Backward { x, dy, mut dx, scratch, .. } = pass;
        let (mean, scale) = scratch.split_at_mut(x.shape().0);
        pass.gradients.vectors(&mut |team, values, sums, start| {
            row_moments(team, x, self.eps, mean, scale);
            let moments = Moments::PerRow { mean, scale };
            let (of_gain, of_bias) = sums.split_at_mut(gain.len());
            gain_gradient(team, x, moments, dy, start, of_gain);
            column_sums(team, dy, start, of_bias);
            if let Some(dx) = dx.take() {
                layer_norm_gradient(team, x, moments, &values[gain.clone()], dy, dx);
            }
        });
    }

    /// A mean and a scale per sample.
    fn scratch(&self, _: Shape, rows: usize) -> usize {
        padded(2 * rows)
    }
}
