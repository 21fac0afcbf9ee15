//! Sharpness-aware minimisation.

use super::arithmetic::Arithmetic;
use crate::Result;
use crate::spec::{self, Choice};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Gradients at the point of highest loss within distance ρ, to first order. Every update evaluates its samples twice.
///
/// ```text
/// g taken at w + ρ g / ‖g‖                  the norm over all weights
/// g taken at w + ρ w² ⊙ g / ‖w ⊙ g‖         adaptive
/// ```
///
/// Foret, Kleiner, Mobahi and Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving Generalization", ICLR
/// 2021 (arXiv 2010.01412); adaptive: Kwon, Kim, Park and Choi, "ASAM", ICML 2021 (arXiv 2102.11600).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Sam {
    /// Distance ρ.
    pub rho: f64,
    /// True to measure distances relative to each weight.
    pub adaptive: bool,
}

impl Default for Sam {
    fn default() -> Self {
        Self { rho: 0.05, adaptive: false }
    }
}

impl Choice for Sam {
    const NAME: &'static str = "sam";

    fn check(&self) -> Result<()> {
        spec::non_negative(&[("rho", self.rho)])
    }
}

impl Sam {
    /// Moves `weights`, at which the gradients are `gradients`, to the point of highest loss.
    pub(crate) fn climb<A: Arithmetic>(&self, arithmetic: &mut A, gradients: &[A::T], weights: &mut [A::T]) {
        let Self { rho, adaptive } = *self;
        let [square] = arithmetic.reduce(&Steepness { adaptive }, gradients, weights, []);
        let uphill = Uphill { step: rho / (square.sqrt() + 1e-12), adaptive };
        arithmetic.sweep(&uphill, gradients, 1.0, weights, []);
    }
}

/// Σ g², or Σ (w g)²
struct Steepness {
    adaptive: bool,
}

impl Reduction<0, 1> for Steepness {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, _: [L; 0]) -> [L; 1] {
        let slope = if self.adaptive { w * g } else { g };
        [slope * slope]
    }
}

/// w ← w + step g, or w + step w² g
#[derive(Clone, Copy)]
struct Uphill {
    step: f64,
    adaptive: bool,
}

impl Elementwise<0> for Uphill {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, _: &mut [L; 0]) -> L {
        let slope = if self.adaptive { w * w * g } else { g };
        slope.mul_add(L::splat(self.step), w)
    }
}
