//! Sharpness of the loss: the largest curvature of all directions.

use super::lanczos::{Largest, largest_eigenvalue, most_products};
use super::{Chart, Held, Measure, Probe, Reading, View, instrument};
use crate::Result;
use crate::network::Layout;
use schuss_data::Feed;
use schuss_data::random::{Key, Purpose};
use std::ops::Range;

instrument! {
    /// Largest eigenvalue of the Hessian of the training loss, on up to 1,024 training samples.
    ///
    /// ```text
    /// sharpness λ = max vᵀ H v over ‖v‖ = 1        H = ∂²L/∂w²
    /// gradient descent is stable up to     η = 2 / λ
    /// heavy ball (sgd with momentum μ)     η = 2 (1 + μ) / λ
    /// Nesterov                             η = 2 (1 + μ) / (λ (1 + 2 μ))
    /// ```
    ///
    /// By Lanczos iteration with full reorthogonalisation from a fixed start, on exact products H v; it ends when the
    /// residual is 0.1 % of λ, or after 50 products. `sharpness_products` and `sharpness_residual` (relative) are
    /// recorded too. The loss is that of training, with dropout and noise drawn once; second derivatives at kinks are
    /// those of the branch taken, so those of ReLU are 0. Batch-norm, layer-norm, prelu, penalties and the rarer losses
    /// are not supported.
    ///
    /// Cohen et al., "Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability", ICLR 2021 (arXiv
    /// 2103.00065); Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6, 1994.
    Sharpness = "sharpness"
}

impl Measure for Sharpness {
    fn measure(&self, view: &mut View) -> Result<Vec<Reading>> {
        let positions = 0..view.samples.len();
        let Largest { value, products, residual } =
            sharpness(view.probe, view.samples, positions, TOLERANCE)?;
        Ok(vec![
            Reading::of_network(Some(value)),
            Reading::part("products", products as f64),
            Reading::part("residual", residual),
        ])
    }

    /// The vectors of the iteration, a product and the sums that it is made of; the rates of a microbatch.
    fn held(&self, weights: usize) -> Held {
        Held { floats: (most_products(weights) + 5) * weights, activations: 1 }
    }

    fn chart(&self) -> Option<Chart> {
        Some(Chart {
            title: "Sharpness",
            label: "sharpness",
            caption: "Largest eigenvalue λ of the Hessian of the training loss: gradient descent is unstable at \
                      learning rates above 2 / λ.",
            factor: 1.0,
        })
    }

    fn supports(&self, probe: &dyn Probe) -> Result<()> {
        probe.check_curvature()
    }
}

/// Residual relative to the eigenvalue at which the instrument is content.
const TOLERANCE: f64 = 1e-3;

/// Returns the largest eigenvalue of the Hessian of the training loss over the samples at `positions`, at the trained
/// weights, with a relative residual of at most `tolerance` or after the most products.
///
/// # Errors
/// If samples cannot be read.
pub(crate) fn sharpness(
    probe: &mut dyn Probe,
    samples: &mut Feed,
    positions: Range<usize>,
    tolerance: f64,
) -> Result<Largest> {
    let start = start(probe.weights().layout());
    largest_eigenvalue(start, tolerance, |direction| probe.curvature(samples, positions.clone(), direction))
}

/// Draws a direction in which all trained numbers move.
fn start(layout: &Layout) -> Vec<f32> {
    let mut draws = Key { seed: 0, purpose: Purpose::Direction, epoch: 0 }.draws(0);
    let mut direction = vec![0.0; layout.len()];
    for entry in layout.entries().iter().filter(|entry| entry.is_trained()) {
        entry.places().for_each(|place| direction[place] = draws.normal());
    }
    direction
}
