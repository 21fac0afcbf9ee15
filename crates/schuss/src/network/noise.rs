//! Noise on the input of a network in training.

use crate::Result;
use crate::spec::{self, Choice, choices};
use documented::{Documented, DocumentedFields};
use schuss_data::random::Draws;
use serde::{Deserialize, Serialize};

/// Adds normal noise to every input value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Gaussian {
    /// Standard deviation.
    pub std: f64,
}

/// Sets a random fraction of input values to 0. Vincent et al., "Extracting and Composing Robust Features with
/// Denoising Autoencoders", ICML 2008.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    /// Fraction of values set to 0.
    pub p: f64,
}

/// Sets a random fraction of input values to 0 or 1, with equal probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SaltAndPepper {
    /// Fraction of values set to 0 or 1.
    pub p: f64,
}

impl Default for Gaussian {
    fn default() -> Self {
        Self { std: 0.3 }
    }
}

impl Default for Masking {
    fn default() -> Self {
        Self { p: 0.3 }
    }
}

impl Default for SaltAndPepper {
    fn default() -> Self {
        Self { p: 0.1 }
    }
}

impl Choice for Gaussian {
    const NAME: &'static str = "gaussian";

    fn check(&self) -> Result<()> {
        spec::positive(&[("std", self.std)])
    }
}

impl Choice for Masking {
    const NAME: &'static str = "masking";

    fn check(&self) -> Result<()> {
        spec::below_one(&[("p", self.p)])
    }
}

impl Choice for SaltAndPepper {
    const NAME: &'static str = "salt-and-pepper";

    fn check(&self) -> Result<()> {
        spec::below_one(&[("p", self.p)])
    }
}

choices! {
    /// Noise on the input, drawn anew for every sample in every epoch; each sample of the evaluation split has its own
    /// fixed noise.
    pub enum Noise ("noise", always &["std", "p"]) {
        /// Normal noise.
        Gaussian,
        /// Random zeros.
        Masking,
        /// Random zeros and ones.
        SaltAndPepper,
    }
}

impl Noise {
    /// Adds noise from `draws` to the numbers of a sample.
    pub(crate) fn disturb(&self, numbers: &mut [f32], draws: &mut Draws) {
        match self {
            Self::Gaussian(noise) => numbers.iter_mut().for_each(|x| *x += noise.std as f32 * draws.normal()),
            Self::Masking(noise) => {
                numbers.iter_mut().filter(|_| f64::from(draws.unit()) < noise.p).for_each(|x| *x = 0.0)
            }
            Self::SaltAndPepper(noise) => {
                for x in numbers {
                    let draw = f64::from(draws.unit());
                    if draw < noise.p {
                        *x = if draw < noise.p / 2.0 { 0.0 } else { 1.0 };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::random::{Key, Purpose};

    fn disturbed(noise: &str) -> Vec<f32> {
        let mut numbers = vec![0.5; 20_000];
        let mut draws = Key { seed: 1, purpose: Purpose::Noise, epoch: 0 }.draws(3);
        noise.parse::<Noise>().unwrap().disturb(&mut numbers, &mut draws);
        numbers
    }

    fn share(numbers: &[f32], value: f32) -> f64 {
        numbers.iter().filter(|&&x| x == value).count() as f64 / numbers.len() as f64
    }

    #[test]
    fn noise_disturbs_as_many_numbers_and_as_much_as_it_says() {
        let masked = disturbed("masking:0.25");
        assert!((share(&masked, 0.0) - 0.25).abs() < 0.01 && (share(&masked, 0.5) - 0.75).abs() < 0.01);
        let peppered = disturbed("salt-and-pepper:0.2");
        assert!((share(&peppered, 0.0) - 0.1).abs() < 0.01 && (share(&peppered, 1.0) - 0.1).abs() < 0.01);
        let blurred = disturbed("gaussian:std=0.4");
        let variance = blurred.iter().map(|x| f64::from(x - 0.5).powi(2)).sum::<f64>() / 20_000.0;
        assert!((variance.sqrt() - 0.4).abs() < 0.01, "{variance}");
    }

    #[test]
    fn specs_survive_a_round_trip() {
        for text in ["gaussian:std=0.3", "masking:p=0.5", "salt-and-pepper:p=0.1"] {
            assert_eq!(text.parse::<Noise>().unwrap().to_string(), text);
        }
        assert!("masking:p=1".parse::<Noise>().is_err() && "gaussian:std=0".parse::<Noise>().is_err());
    }
}
