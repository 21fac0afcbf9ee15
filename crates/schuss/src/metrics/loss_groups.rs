//! Losses of an evaluation by groups of its samples, and the error that the choice of samples gives a difference of
//! two evaluations.
//!
//! ```text
//! Dᵍ = Σ ℓᵢ(now) − ℓᵢ(before) over the samples i of group g,   Wᵍ = Σ wᵢ,   W = Σ Wᵍ,   R = Σ Dᵍ / W
//! error² = G / (G − 1)  Σ (Dᵍ − R Wᵍ)² / W²
//! ```
//!
//! It is the standard deviation of R under resampling of the groups (the bootstrap), in closed form: Efron and
//! Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 5 and 6. Both evaluations see the same samples, so
//! that samples that are hard for both cancel. Up to 1,024 samples each is a group; more are dealt to 1,024 groups at
//! random, which needs no more memory for more samples and gives the error to within 1 / √(2 · 1,024), about 2 %.

use schuss_data::random::{Key, Purpose};

/// Maximum number of groups.
const MOST_GROUPS: usize = 1_024;

/// Sums of losses and weights over groups of the samples of a split.
#[derive(Clone, Debug)]
pub(crate) struct LossGroups {
    /// Number of samples of the split.
    samples: usize,
    /// Number of samples taken so far.
    taken: usize,
    /// Sum of the losses of each group.
    losses: Vec<f64>,
    /// Sum of the weights of each group.
    weights: Vec<f64>,
}

impl LossGroups {
    /// Begins an evaluation of `samples` samples.
    pub(crate) fn new(samples: usize) -> Self {
        let groups = samples.min(MOST_GROUPS);
        Self { samples, taken: 0, losses: vec![0.0; groups], weights: vec![0.0; groups] }
    }

    /// Adds the next sample: its loss, and its weight in the mean.
    pub(crate) fn take(&mut self, loss: f64, weight: f64) {
        let group = self.group(self.taken);
        self.losses[group] += loss;
        self.weights[group] += weight;
        self.taken += 1;
    }

    /// Returns the group of a sample.
    fn group(&self, sample: usize) -> usize {
        if self.samples <= MOST_GROUPS {
            return sample;
        }
        let key = Key { seed: 0, purpose: Purpose::LossGroups, epoch: 0 };
        key.draws(sample as u64).bits() as usize % MOST_GROUPS
    }

    /// Returns the sum of the losses of each group; empty if the engine did not give a loss per sample.
    pub(crate) fn into_losses(self) -> Vec<f64> {
        if self.taken == self.samples { self.losses } else { vec![] }
    }

    /// Returns the standard error of the difference between the mean losses now and `before`, by groups; `None` without
    /// them, or with fewer than two samples.
    pub(crate) fn error_of_difference(&self, before: &[f64]) -> Option<f64> {
        let groups = self.losses.len();
        if groups < 2 || before.len() != groups || self.taken != self.samples {
            return None;
        }
        let differences = || self.losses.iter().zip(before).map(|(now, before)| now - before);
        let weight: f64 = self.weights.iter().sum();
        let mean = differences().sum::<f64>() / weight;
        let residuals = differences().zip(&self.weights).map(|(sum, weight)| sum - mean * weight);
        let squares: f64 = residuals.map(|residual| residual * residual).sum();
        let error = (groups as f64 / (groups - 1) as f64 * squares).sqrt() / weight;
        Some(error).filter(|error| error.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::random::Draws;

    fn draws(position: u64) -> Draws {
        Key { seed: 7, purpose: Purpose::Digits, epoch: 0 }.draws(position)
    }

    fn grouped(losses: &[f64], weights: &[f64]) -> LossGroups {
        let mut groups = LossGroups::new(losses.len());
        losses.iter().zip(weights).for_each(|(&loss, &weight)| groups.take(loss, weight));
        groups
    }

    /// Losses before and now: the same samples are hard in both, and some get harder.
    fn losses(samples: usize) -> [Vec<f64>; 2] {
        let mut draws = draws(0);
        let pairs = (0..samples).map(|_| {
            let before = f64::from(draws.unit()).powi(4) * 5.0;
            (before, before + f64::from(draws.normal()).powi(3) * 0.1 + 0.02)
        });
        let (before, now) = pairs.unzip();
        [before, now]
    }

    /// Standard deviation of the weighted mean difference over many resamples.
    fn bootstrapped(before: &[f64], now: &[f64], weights: &[f64]) -> f64 {
        const RESAMPLES: u64 = 4_000;
        let n = now.len();
        let mean = |resample: u64| {
            let mut draws = draws(1 + resample);
            let (mut sum, mut weight) = (0.0, 0.0);
            for _ in 0..n {
                let i = draws.bits() as usize % n;
                sum += now[i] - before[i];
                weight += weights[i];
            }
            sum / weight
        };
        let means: Vec<f64> = (0..RESAMPLES).map(mean).collect();
        let centre = means.iter().sum::<f64>() / RESAMPLES as f64;
        let squares: f64 = means.iter().map(|mean| (mean - centre).powi(2)).sum();
        (squares / (RESAMPLES - 1) as f64).sqrt()
    }

    #[test]
    fn the_error_of_a_rise_is_the_spread_of_the_rises_of_resampled_samples() {
        let [before, now] = losses(200);
        let alike = vec![1.0; 200];
        let by_class: Vec<f64> = (0..200).map(|i| if i % 3 == 0 { 5.0 } else { 0.5 }).collect();
        for weights in [alike, by_class] {
            let weighed = |losses: &[f64]| -> Vec<f64> {
                losses.iter().zip(&weights).map(|(loss, weight)| loss * weight).collect()
            };
            let (before, now) = (weighed(&before), weighed(&now));
            let error = grouped(&now, &weights)
                .error_of_difference(&grouped(&before, &weights).into_losses())
                .unwrap();
            let resampled = bootstrapped(&before, &now, &weights);
            assert!((error / resampled - 1.0).abs() < 0.05, "{error} {resampled}");
        }
    }

    #[test]
    fn groups_of_samples_give_the_error_that_single_samples_give() {
        let n = 20_000;
        let [before, now] = losses(n);
        let weights = vec![1.0; n];
        let by_groups =
            grouped(&now, &weights).error_of_difference(&grouped(&before, &weights).into_losses()).unwrap();
        let mean = now.iter().zip(&before).map(|(now, before)| now - before).sum::<f64>() / n as f64;
        let squares: f64 = now.iter().zip(&before).map(|(now, before)| (now - before - mean).powi(2)).sum();
        let by_samples = (squares / (n - 1) as f64 / n as f64).sqrt();
        assert!((by_groups / by_samples - 1.0).abs() < 0.07, "{by_groups} {by_samples}");
    }

    #[test]
    fn the_rise_of_a_single_sample_is_one_standard_error() {
        let before = vec![0.1; 50];
        let mut now = before.clone();
        now[17] = 9.0;
        let weights = vec![1.0; 50];
        let error = grouped(&now, &weights).error_of_difference(&before).unwrap();
        let rise = (9.0 - 0.1) / 50.0;
        assert!((rise / error - 1.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_loss_of_every_sample_there_is_no_error() {
        let unheard = LossGroups::new(10);
        assert_eq!(unheard.error_of_difference(&[0.0; 10]), None);
        assert!(unheard.into_losses().is_empty());
        assert_eq!(grouped(&[1.0], &[1.0]).error_of_difference(&[2.0]), None);
        assert_eq!(grouped(&[1.0, 2.0], &[1.0; 2]).error_of_difference(&[]), None);
        assert_eq!(grouped(&[0.0, 0.0], &[0.0; 2]).error_of_difference(&[0.0; 2]), None);
    }
}
