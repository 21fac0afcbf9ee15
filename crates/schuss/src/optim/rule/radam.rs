use super::adam::{corrections, epsilon, moments};
use super::terms::{mean_square, penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// RAdam: Adam that uses the first moment alone until the second is reliable enough.
///
/// ```text
/// g ← g + λ w
/// m ← m + (1 − β₁) (g − m)        v ← v + (1 − β₂) (g² − v)
/// ρ∞ ← 2 / (1 − β₂) − 1        ρ ← ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
/// r ← √(max(ρ − 4, 0) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ))
/// f ← max(sign(ρ − 5), 0)
/// d ← √v / √(1 − β₂ᵗ) + ε        eps_hat: d ← (√v + ε) / √(1 − β₂ᵗ)
/// w ← w − η / (1 − β₁ᵗ) · (1 − f + f r / d) m
/// ```
///
/// f is 1 once v effectively averages more than 5 gradients, else 0.
///
/// Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", ICLR 2020 (arXiv 1908.03265), with its
/// threshold 4 raised to 5 as in the authors' code. Keys and defaults are `torch.optim.RAdam`'s: with
/// `decoupled_weight_decay`, w ← w − η λ w replaces the first line. Differs: optax has no `eps_hat`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct RAdam {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Weight decay λ: an L2 penalty, unless it is decoupled.
    pub weight_decay: f64,
    /// True to decouple weight decay from the moments, as in AdamW.
    pub decoupled_weight_decay: bool,
    /// True to add ε before the bias correction of v.
    pub eps_hat: bool,
}

impl Default for RAdam {
    fn default() -> Self {
        let (lr, eps) = (1e-3, 1e-8);
        let (weight_decay, decoupled_weight_decay) = (0.0, false);
        Self { lr, beta1: 0.9, beta2: 0.999, eps, weight_decay, decoupled_weight_decay, eps_hat: true }
    }
}

impl Choice for RAdam {
    const NAME: &'static str = "radam";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl RAdam {
    /// Returns r after update `t`; `None` while v is not reliable enough.
    fn rectification(&self, t: u64) -> Option<f64> {
        let most = 2.0 / (1.0 - self.beta2) - 1.0;
        let power = power(self.beta2, t);
        let length = most - 2.0 * t as f64 * power / (1.0 - power);
        let ratio = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length);
        (length > 5.0).then(|| ratio.sqrt())
    }
}

impl Describe for RAdam {
    fn slots(&self) -> Vec<Slot> {
        moments(false)
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for RAdam {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        let rectification = self.rectification(step.t);
        let decay = self.lr * self.weight_decay;
        let (penalty, keep) =
            if self.decoupled_weight_decay { (0.0, 1.0 - decay) } else { (self.weight_decay, 1.0) };
        visitor.visit(&Rectified {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            step: self.lr / correct1 * rectification.map_or(1.0, |r| r * correct2.sqrt()),
            eps: rectification.map(|_| epsilon(self.eps, self.eps_hat, correct2)),
            weight_decay: penalty,
            keep,
        })
    }
}

/// Returns βᵗ, carrying along the rounding error of every product, since ρ would amplify errors many times.
fn power(beta: f64, mut t: u64) -> f64 {
    let [mut power, mut square] = [1.0, beta].map(|value| Compensated { value, error: 0.0 });
    while t > 0 {
        if t & 1 == 1 {
            power = power.times(square);
        }
        square = square.times(square);
        t >>= 1;
    }
    power.value
}

/// Number, and the rounding error to add to it.
#[derive(Clone, Copy)]
struct Compensated {
    value: f64,
    error: f64,
}

impl Compensated {
    fn times(self, other: Self) -> Self {
        let rough = self.value * other.value;
        let missing =
            self.value.mul_add(other.value, -rough) + (self.value * other.error + self.error * other.value);
        let value = rough + missing;
        Self { value, error: missing - (value - rough) }
    }
}

#[derive(Clone, Copy)]
struct Rectified {
    new1: f64,
    keep2: f64,
    /// Product of all factors of m that are the same for all weights.
    step: f64,
    /// `None` while the second moment is left out.
    eps: Option<f64>,
    /// λ of the L2 penalty
    weight_decay: f64,
    /// Factor that decoupled weight decay applies to a weight.
    keep: f64,
}

impl Elementwise<2> for Rectified {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> L {
        let g = penalised(g, w, self.weight_decay);
        *m = toward(*m, g, self.new1);
        *v = mean_square(*v, g, self.keep2);
        let step = L::splat(self.step) * *m;
        let step = self.eps.map_or(step, |eps| step / (v.sqrt() + L::splat(eps)));
        w.mul_add(L::splat(self.keep), -step)
    }
}
