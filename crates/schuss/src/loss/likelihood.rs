//! Losses as likelihoods: random gradients at the outputs whose second moment is the curvature of the loss there.

use super::cross_entropy::Softmax;
use super::{Bce, Loss};
use schuss_data::random::Draws;
use schuss_kernels::Math;

/// Interpretation of the outputs by a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likelihood {
    /// Class logits.
    Logits,
    /// Class log-probabilities.
    LogProbabilities,
    /// One logit per output.
    BinaryLogits,
    /// One probability per output.
    BinaryProbabilities,
    /// Means of normal distributions.
    Means,
}

impl Loss {
    /// Returns the interpretation of the outputs, if the loss is a log-likelihood.
    pub(crate) fn likelihood(&self) -> Option<Likelihood> {
        match self {
            Self::CrossEntropy(_) => Some(Likelihood::Logits),
            Self::Nll(_) => Some(Likelihood::LogProbabilities),
            Self::Bce(Bce { pos_weight, .. }) if !pos_weight.is_empty() => None,
            Self::Bce(Bce { logits: true, .. }) => Some(Likelihood::BinaryLogits),
            Self::Bce(Bce { logits: false, .. }) => Some(Likelihood::BinaryProbabilities),
            Self::Mse(_) => Some(Likelihood::Means),
            _ => None,
        }
    }
}

impl Likelihood {
    /// Draws a gradient `delta` at the outputs `z` such that the mean of δᵀ δ over all draws is the curvature of the
    /// loss. For classes it is the gradient of a class drawn from the network's own distribution, otherwise a random
    /// sign times the square root of each output's curvature.
    pub(crate) fn draw(self, z: &[f32], draws: &mut Draws, delta: &mut [f32]) {
        let share = 1.0 / z.len() as f64;
        match self {
            Self::Logits => draw_class(z, draws, delta, |p| p),
            Self::LogProbabilities => draw_class(z, draws, delta, |_| 0.0),
            Self::BinaryLogits => draw_signs(z, draws, delta, |z| share * slope(Math::sigmoid(z))),
            Self::BinaryProbabilities => draw_signs(z, draws, delta, |p| share / slope(p).max(1e-12)),
            Self::Means => draw_signs(z, draws, delta, |_| 2.0 * share),
        }
    }
}

/// Returns the slope of σ at the point where its value is p.
fn slope(p: f64) -> f64 {
    p * (1.0 - p)
}

/// δ ← of(p) − onehot(class), the class drawn from p, the softmax of z.
fn draw_class(z: &[f32], draws: &mut Draws, delta: &mut [f32], of: impl Fn(f64) -> f64) {
    let softmax = Softmax::of_numbers(z);
    let mut left = f64::from(draws.unit());
    let mut drawn = z.len() - 1;
    for (index, (&z, delta)) in z.iter().zip(&mut *delta).enumerate() {
        let p = softmax.probability(z);
        if left >= 0.0 && left < p {
            drawn = index;
        }
        left -= p;
        *delta = of(p) as f32;
    }
    delta[drawn] -= 1.0;
}

/// δ ← ± √curvature
fn draw_signs(z: &[f32], draws: &mut Draws, delta: &mut [f32], curvature: impl Fn(f64) -> f64) {
    for (delta, &z) in delta.iter_mut().zip(z) {
        let root = curvature(f64::from(z)).sqrt() as f32;
        *delta = if draws.bits() & 1 == 0 { root } else { -root };
    }
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;
    use schuss_data::random::{Key, Purpose};
    use schuss_kernels::naive::largest;

    /// Mean of δᵀ δ over many draws at `z`, in row-major order.
    fn mean_square(likelihood: Likelihood, z: &[f32]) -> Vec<f64> {
        const DRAWS: u64 = 40_000;
        let (n, mut delta) = (z.len(), vec![0.0; z.len()]);
        let mut mean = vec![0.0; n * n];
        let key = Key { seed: 1, purpose: Purpose::DrawnTargets, epoch: 0 };
        for position in 0..DRAWS {
            likelihood.draw(z, &mut key.draws(position), &mut delta);
            for (i, sum) in mean.iter_mut().enumerate() {
                *sum += f64::from(delta[i / n] * delta[i % n]) / DRAWS as f64;
            }
        }
        mean
    }

    /// Second derivatives of a loss at `z`, by finite differences of its gradient.
    fn curvature(loss: &Loss, z: &[f32], target: Target) -> Vec<f64> {
        const STEP: f32 = 1e-3;
        let gradient_at = |index: usize, by: f32| {
            let (mut z, mut delta) = (z.to_vec(), vec![0.0; z.len()]);
            z[index] += by;
            loss.row(&z, target, &mut delta);
            delta
        };
        let row = |index| {
            let ends = [STEP, -STEP].map(|by| gradient_at(index, by));
            let slopes: Vec<f64> =
                ends[0].iter().zip(&ends[1]).map(|(a, b)| f64::from((a - b) / (2.0 * STEP))).collect();
            slopes
        };
        (0..z.len()).flat_map(row).collect()
    }

    #[test]
    fn the_mean_square_of_drawn_gradients_is_the_curvature_of_the_loss() {
        for (spec, target) in [
            ("cross-entropy", Target::Class(1)),
            ("cross-entropy:label_smoothing=0.1", Target::Class(0)),
            ("bce", Target::Row(&[0.2, 0.9, 0.5])),
            ("mse", Target::Row(&[0.2, 0.9, 0.5])),
        ] {
            let (loss, z): (Loss, _) = (spec.parse().unwrap(), [0.3, -1.2, 0.8]);
            let drawn = mean_square(loss.likelihood().unwrap(), &z);
            let errors = drawn.iter().zip(curvature(&loss, &z, target)).map(|(a, b)| (a - b).abs());
            assert!(largest(errors) < 0.01, "{spec}");
        }
    }

    #[test]
    fn gradients_drawn_behind_a_last_layer_are_those_drawn_before_it() {
        let (mut of_logits, mut of_logarithms) = ([0.0; 3], [0.0; 3]);
        let (z, key) = ([0.3, -1.2, 0.8], Key { seed: 1, purpose: Purpose::DrawnTargets, epoch: 0 });
        let softmax = Softmax::of_numbers(&z);
        let logarithms = z.map(|z| softmax.ln_probability(z) as f32);
        for position in 0..100 {
            Likelihood::Logits.draw(&z, &mut key.draws(position), &mut of_logits);
            Likelihood::LogProbabilities.draw(&logarithms, &mut key.draws(position), &mut of_logarithms);
            let all: f32 = of_logarithms.iter().sum(); // backward pass of log-softmax: δ − p Σ δ
            for ((a, b), z) in of_logits.iter().zip(of_logarithms).zip(logarithms) {
                assert!((a - (b - all * z.exp())).abs() < 1e-6);
            }
        }
    }
}
