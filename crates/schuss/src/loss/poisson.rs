use super::{RowLoss, Target, mean_of_each};
use crate::Result;
use crate::spec::{Choice, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Math;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// Negative log-likelihood of counts t with a Poisson distribution, mean over samples and outputs.
///
/// ```text
/// z = ln rate:   ℓ = 1/n Σ eᶻ − t z              ∂ℓ/∂z = 1/n (eᶻ − t)
/// z = rate:      ℓ = 1/n Σ z − t ln(z + ε)       ∂ℓ/∂z = 1/n (1 − t / (z + ε))
/// ```
///
/// Classes are one-hot. With `full`, Stirling's t ln t − t + ln(2πt) / 2 is added for ln t! if t > 1. e^z overflows
/// above 709, and a rate below −ε has no logarithm: the trial diverges. `torch.nn.PoissonNLLLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Poisson {
    /// True if the outputs are logarithms of rates.
    pub log_input: bool,
    /// True to add the constant part, which no weight affects.
    pub full: bool,
    /// Constant ε added to the rate in the logarithm.
    pub eps: f64,
}

impl Default for Poisson {
    fn default() -> Self {
        Self { log_input: true, full: false, eps: 1e-8 }
    }
}

impl Choice for Poisson {
    const NAME: &'static str = "poisson";

    fn check(&self) -> Result<()> {
        normal(&[("eps", self.eps)])
    }
}

impl RowLoss for Poisson {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        mean_of_each(z, target, delta, |z, t| {
            let (value, slope) = if self.log_input {
                let rate: f64 = Math::exp(z);
                (rate - t * z, rate - t)
            } else {
                let rate = z + self.eps;
                (z - t * Math::ln(rate), 1.0 - t / rate)
            };
            (if self.full { value + stirling(t) } else { value }, slope)
        })
    }

    fn takes_rows(&self) -> bool {
        true
    }
}

/// Returns Stirling's approximation of ln t!; 0 for t up to 1.
fn stirling(t: f64) -> f64 {
    if t > 1.0 { t * Math::ln(t) - t + 0.5 * Math::ln(TAU * t) } else { 0.0 }
}
