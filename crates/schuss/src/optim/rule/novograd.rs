use super::blend::Lengths;
use super::{Describe, Slot, SlotShape, Staged, Step, knobs};
use crate::Result;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// NovoGrad: momentum of gradients that are normalized per tensor.
///
/// ```text
/// v ← β₂ v + (1 − β₂) ‖g‖²        first v ← ‖g‖²; ‖·‖ over a tensor
/// m ← β₁ m + g / (√v + ε) + λ w   first m ← g / (√v + ε) + λ w
/// w ← w − η m
/// ```
///
/// Ginsburg et al., "Stochastic Gradient Methods with Layer-wise Adaptive Moments for Training of Deep Networks", 2019
/// (arXiv 1905.11286). Keys and defaults are `optax.novograd`'s, which has none for lr.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct NovoGrad {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Weight decay λ, included in the first moment.
    pub weight_decay: f64,
}

impl Default for NovoGrad {
    fn default() -> Self {
        Self { lr: 0.01, beta1: 0.9, beta2: 0.25, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl Choice for NovoGrad {
    const NAME: &'static str = "novograd";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for NovoGrad {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m"), Slot::new("v").shaped(SlotShape::Scalar)]
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl Staged for NovoGrad {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let Self { lr, weight_decay, .. } = *self;
        let [beta1, beta2] = if step.t == 1 { [0.0; 2] } else { [self.beta1, self.beta2] };
        for Tensor { place, slots, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            let [m, v] = slots.as_mut_slice() else { continue };
            let [square, _] = arithmetic.reduce(&Lengths { weight_decay: 0.0 }, g, w, []);
            let second = beta2 * v[0].into() + (1.0 - beta2) * square;
            v[0] = A::T::splat(second).flush();
            let scale = 1.0 / (second.sqrt() + self.eps);
            arithmetic.sweep(&Momentum { lr, beta1, scale, weight_decay }, g, 1.0, w, [m]);
        }
    }
}

#[derive(Clone, Copy)]
struct Momentum {
    lr: f64,
    beta1: f64,
    scale: f64,
    weight_decay: f64,
}

impl Elementwise<1> for Momentum {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m]: &mut [L; 1]) -> L {
        let new = w.mul_add(L::splat(self.weight_decay), L::splat(self.scale) * g);
        *m = m.mul_add(L::splat(self.beta1), new);
        m.mul_add(L::splat(-self.lr), w)
    }
}
