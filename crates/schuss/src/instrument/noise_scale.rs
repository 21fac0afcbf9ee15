//! Noise of the gradient, and the batch size at which it stops to dominate.

use super::{Chart, Held, Measure, Reading, View, instrument};
use crate::Result;

instrument! {
    /// Gradient noise scale: the variance of a sample's gradient relative to the square of the mean gradient.
    ///
    /// ```text
    /// B = tr Σ / ‖G‖²        G: mean gradient, Σ: covariance of the gradients of single samples
    /// ‖G‖² ≈ (m ‖ḡ‖² − mean ‖gᵢ‖²) / (m − 1)
    /// tr Σ ≈ b m / (m − 1) (mean ‖gᵢ‖² − ‖ḡ‖²)
    /// ```
    ///
    /// gᵢ are the mean gradients of m groups of b samples, ḡ is their mean. Both estimates are unbiased for samples drawn
    /// independently; their ratio is not quite. m b are up to 1,024 training samples, the same in every trial, m is about
    /// 32, b at most 32 and at least 2. Dropout, noise and batch statistics are those of training, the last over
    /// groups. B is the critical batch size in samples: with batches far below it, twice as many samples per update need
    /// half as many updates; far above, about as many. Undefined where the gradient is so small that its estimated square
    /// is not positive. `noise_scale_variance` (tr Σ) and `noise_scale_gradient` (‖G‖²) are recorded too.
    ///
    /// McCandlish et al., "An Empirical Model of Large-Batch Training", 2018 (arXiv 1812.06162), appendix A.1.
    NoiseScale = "noise-scale"
}

/// Number of groups, and of samples in the largest: few groups would make the estimates noisy.
const GROUPS: usize = 32;

impl Measure for NoiseScale {
    fn measure(&self, view: &mut View) -> Result<Vec<Reading>> {
        let samples = view.samples.len();
        let size = (samples / GROUPS).clamp(2, GROUPS).min(samples / 2); // at least 2, for batch statistics
        if size == 0 {
            return Ok(vec![]);
        }
        let mut squares = Squares::new(size);
        for first in (0..=samples - size).step_by(size) {
            squares.add(&view.probe.gradient(view.samples, first..first + size)?);
        }
        let Noise { variance, gradient } = squares.noise();
        let scale = (gradient > 0.0).then(|| variance / gradient);
        Ok(vec![
            Reading::of_network(scale),
            Reading::part("variance", variance),
            Reading::part("gradient", gradient),
        ])
    }

    /// Sums in f32 and f64, and the gradient of a group.
    fn held(&self, weights: usize) -> Held {
        Held { floats: 4 * weights, activations: 0 }
    }

    fn chart(&self) -> Option<Chart> {
        Some(Chart {
            title: "Gradient noise scale",
            label: "noise scale in samples",
            caption: "tr Σ / ‖G‖², the critical batch size: batches far below it use their samples almost fully, \
                      batches far above it hardly need fewer updates.",
            factor: 1.0,
        })
    }
}

/// Sums over groups of `size` samples.
struct Squares {
    size: usize,
    groups: usize,
    /// Σ ‖gᵢ‖²
    squares: f64,
    /// Σ gᵢ
    sum: Vec<f64>,
}

/// Unbiased estimates.
struct Noise {
    /// tr Σ
    variance: f64,
    /// ‖G‖²
    gradient: f64,
}

impl Squares {
    fn new(size: usize) -> Self {
        Self { size, groups: 0, squares: 0.0, sum: vec![] }
    }

    /// Adds the mean gradient of a group.
    fn add(&mut self, gradient: &[f32]) {
        self.groups += 1;
        self.sum.resize(gradient.len(), 0.0);
        for (sum, &slope) in self.sum.iter_mut().zip(gradient) {
            *sum += f64::from(slope);
            self.squares += f64::from(slope) * f64::from(slope);
        }
    }

    fn noise(&self) -> Noise {
        let (size, groups) = (self.size as f64, self.groups as f64);
        let each = self.squares / groups;
        let all = self.sum.iter().map(|sum| sum * sum).sum::<f64>() / (groups * groups);
        Noise {
            variance: size * groups / (groups - 1.0) * (each - all),
            gradient: (groups * all - each) / (groups - 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::random::{Key, Purpose};

    /// Means over many estimates from groups of gradients drawn around `mean` with these standard deviations.
    fn estimates(mean: &[f32], deviation: &[f32], size: usize, groups: usize) -> [f64; 2] {
        const TIMES: u64 = 4_000;
        let mut sums = [0.0; 2];
        for time in 0..TIMES {
            let mut draws = Key { seed: 1, purpose: Purpose::GradientNoise, epoch: 0 }.draws(time);
            let mut squares = Squares::new(size);
            for _ in 0..groups {
                let scale = 1.0 / (size as f32).sqrt(); // of the mean over a group
                let noisy = mean.iter().zip(deviation).map(|(mean, sd)| mean + scale * sd * draws.normal());
                squares.add(&noisy.collect::<Vec<_>>());
            }
            let Noise { variance, gradient } = squares.noise();
            sums = [sums[0] + variance, sums[1] + gradient];
        }
        sums.map(|sum| sum / TIMES as f64)
    }

    #[test]
    fn estimates_of_a_known_mean_and_covariance_are_unbiased_for_any_number_and_size_of_groups() {
        let (mean, deviation) = ([0.3, -0.2, 0.0, 0.1], [1.0, 2.0, 0.5, 3.0]);
        let gradient: f32 = mean.iter().map(|x| x * x).sum(); // 0.14
        let variance: f32 = deviation.iter().map(|x| x * x).sum(); // 14.25
        for (size, groups) in [(1, 2), (1, 16), (8, 4), (32, 32)] {
            let [found_variance, found_gradient] = estimates(&mean, &deviation, size, groups);
            let variance_error = (found_variance / f64::from(variance) - 1.0).abs();
            assert!(variance_error < 0.05, "{size} x {groups}: {found_variance}, not {variance}");
            // its standard deviation over one estimate is about tr Σ / (size groups)
            let tolerance = 5.0 * f64::from(variance) / (size * groups) as f64 / 4_000_f64.sqrt() + 0.003;
            let error = (found_gradient - f64::from(gradient)).abs();
            assert!(error < tolerance, "{size} x {groups}: {found_gradient}, not {gradient}");
        }
    }
}
