use super::adam::{corrections, moments};
use super::{Describe, Slot, Staged, Step, knobs};
use crate::Result;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// LAMB: Adam whose step is scaled, per tensor, to the norm of the weights.
///
/// ```text
/// m ← m + (1 − β₁) (g − m)        v ← β₂ v + (1 − β₂) g²
/// u ← m / (1 − β₁ᵗ) / (√v / √(1 − β₂ᵗ) + ε) + λ w
/// w ← w − η ‖w‖ / ‖u‖ u           ‖·‖ over a tensor; the ratio is 1 where either is 0
/// ```
///
/// You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", ICLR 2020 (arXiv 1904.00962).
/// Keys and defaults are `optax.lamb`'s, which has none for lr.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Lamb {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Weight decay λ, included in the step before it is scaled.
    pub weight_decay: f64,
}

impl Default for Lamb {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl Choice for Lamb {
    const NAME: &'static str = "lamb";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Lamb {
    fn slots(&self) -> Vec<Slot> {
        moments(false)
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl Staged for Lamb {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let [correct1, correct2] = corrections(self.beta1, self.beta2, step.t);
        let direction = Direction {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            new2: 1.0 - self.beta2,
            correct1,
            root_of_correct2: correct2.sqrt(),
            eps: self.eps,
            weight_decay: self.weight_decay,
        };
        for Tensor { place, slots, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &mut tensors.gradients[place.clone()]);
            let [m, v] = slots.as_mut_slice() else { continue };
            arithmetic.sweep(&direction, w, 1.0, g, [m, v]);
            let [u, w_squared] = arithmetic.reduce(&Squares, g, w, []);
            let ratio = if u > 0.0 && w_squared > 0.0 { (w_squared / u).sqrt() } else { 1.0 };
            arithmetic.sweep(&Along { lr: self.lr * ratio }, g, 1.0, w, []);
        }
    }
}

/// Updates the moments and overwrites the gradient with the direction u; the sweep's fixed input is the weight.
#[derive(Clone, Copy)]
struct Direction {
    new1: f64,
    keep2: f64,
    new2: f64,
    correct1: f64,
    root_of_correct2: f64,
    eps: f64,
    weight_decay: f64,
}

impl Elementwise<2> for Direction {
    #[inline(always)]
    fn apply<L: Lane>(&self, w: L, g: L, [m, v]: &mut [L; 2]) -> L {
        *m = (g - *m).mul_add(L::splat(self.new1), *m);
        *v = L::splat(self.keep2).mul_add(*v, L::splat(self.new2) * g * g);
        let scale = v.sqrt() / L::splat(self.root_of_correct2) + L::splat(self.eps);
        w.mul_add(L::splat(self.weight_decay), *m / L::splat(self.correct1) / scale)
    }
}

/// Σ u² and Σ w².
pub(super) struct Squares;

impl Reduction<0, 2> for Squares {
    #[inline(always)]
    fn terms<L: Lane>(&self, u: L, w: L, _: [L; 0]) -> [L; 2] {
        [u * u, w * w]
    }
}

/// w ← w − η u
#[derive(Clone, Copy)]
pub(super) struct Along {
    pub(super) lr: f64,
}

impl Elementwise<0> for Along {
    #[inline(always)]
    fn apply<L: Lane>(&self, u: L, w: L, _: &mut [L; 0]) -> L {
        u.mul_add(L::splat(-self.lr), w)
    }
}
