use super::{Point, Row, RowLoss, mean_of_outputs};
use crate::Result;
use crate::spec::{Choice, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::{Lane, Math};
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        mean_of_outputs(row, |row, _, z, t| {
            let Point { value, slope } = if self.log_input { of_logarithm(z, t) } else { self.of_rate(z, t) };
            Point { value: if self.full { value + stirling(row, t) } else { value }, slope }
        })
    }

    fn takes_rows(&self) -> bool {
        true
    }
}

impl Poisson {
    /// Returns value and slope at a rate.
    fn of_rate<L: Math>(&self, z: L, t: L) -> Point<L> {
        let rate = z + L::splat(self.eps);
        Point { value: z - t * rate.ln(), slope: L::splat(1.0) - t / rate }
    }
}

/// Returns value and slope at the logarithm of a rate.
fn of_logarithm<L: Math>(z: L, t: L) -> Point<L> {
    let rate = z.exp();
    Point { value: rate - t * z, slope: rate - t }
}

/// Returns Stirling's approximation of ln t!; 0 for t up to 1.
fn stirling<R: Row>(row: &R, t: R::Lane) -> R::Lane {
    let [one, half, tau] = [1.0, 0.5, TAU].map(R::Lane::splat);
    row.where_positive(t - one, || t * t.ln() - t + half * (tau * t).ln())
}
