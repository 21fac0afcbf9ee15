use super::adam::corrections;
use super::terms::toward;
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Yogi: Adam whose second moment changes by at most a fixed share of g², so that it does not decrease quickly.
///
/// ```text
/// m ← m + (1 − β₁) (g − m)        v ← v − (1 − β₂) sign(v − g²) g²
/// w ← w − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
/// ```
///
/// Zaheer et al., "Adaptive Methods for Nonconvex Optimization", NeurIPS 2018. Keys and defaults are
/// `optax.scale_by_yogi`'s, in which m starts at the same value as v; the equation is computed with √(1 − β₂ᵗ)
/// multiplied into η and ε. Differs: the paper corrects neither moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Yogi {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Initial value of m and v.
    pub initial_accumulator_value: f64,
}

impl Default for Yogi {
    fn default() -> Self {
        Self { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-3, initial_accumulator_value: 1e-6 }
    }
}

impl Choice for Yogi {
    const NAME: &'static str = "yogi";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("initial_accumulator_value", self.initial_accumulator_value)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Yogi {
    fn slots(&self) -> Vec<Slot> {
        ["m", "v"].map(|name| Slot::filled(name, self.initial_accumulator_value)).to_vec()
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for Yogi {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        visitor.visit(&Additive {
            new1: 1.0 - self.beta1,
            new2: 1.0 - self.beta2,
            step: self.lr / correct1 * correct2.sqrt(),
            eps: self.eps * correct2.sqrt(),
        })
    }
}

#[derive(Clone, Copy)]
struct Additive {
    new1: f64,
    new2: f64,
    /// η √(1 − β₂ᵗ) / (1 − β₁ᵗ)
    step: f64,
    /// ε √(1 − β₂ᵗ)
    eps: f64,
}

impl Elementwise<2> for Additive {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> L {
        let square = g * g;
        *m = toward(*m, g, self.new1);
        *v = *v - L::splat(self.new2) * (*v - square).sign() * square;
        w - L::splat(self.step) * *m / (v.sqrt() + L::splat(self.eps))
    }
}
