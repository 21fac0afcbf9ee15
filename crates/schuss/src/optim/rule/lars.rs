use super::blend::Lengths;
use super::{Describe, Slot, Staged, Step};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// LARS: momentum whose steps are, per tensor, a fixed fraction of the norm of the weights.
///
/// ```text
/// g ← g + λ w
/// r ← τ ‖w‖ / (‖g‖ + ε)           ‖·‖ over a tensor; r is 1 where either is 0
/// v ← μ v + η r g
/// w ← w − v                       nesterov: w ← w − (η r g + μ v)
/// ```
///
/// You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017 (arXiv 1708.03888). Keys and
/// defaults are `optax.lars`'s, which has none for lr. Differs: the paper has ‖g‖ + λ ‖w‖ instead of ‖g + λ w‖. Biases
/// are often excluded, as in `bias@sgd:lr=0.1/lars`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Lars {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// True to use Nesterov momentum; needs momentum above 0.
    pub nesterov: bool,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// Trust coefficient τ: norm of a step over the norm of the weights.
    pub trust_coefficient: f64,
    /// ε, added to the norm of the gradient.
    pub eps: f64,
}

impl Default for Lars {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0.0, trust_coefficient: 1e-3, eps: 0.0 }
    }
}

impl Choice for Lars {
    const NAME: &'static str = "lars";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("momentum", self.momentum), ("weight_decay", self.weight_decay)])?;
        non_negative(&[("trust_coefficient", self.trust_coefficient), ("eps", self.eps)])?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::usage("nesterov needs momentum above 0"));
        }
        Ok(())
    }
}

impl Describe for Lars {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("velocity")]
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        Some(&mut self.momentum)
    }
}

impl Staged for Lars {
    fn step<A: Arithmetic>(&self, _: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let Self { momentum, nesterov, weight_decay, .. } = *self;
        for Tensor { place, slots, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            let [v] = slots.as_mut_slice() else { continue };
            let [g_norm, w_norm] = arithmetic.reduce(&Lengths { weight_decay }, g, w, []).map(f64::sqrt);
            let lr = self.lr * self.trust(g_norm, w_norm);
            arithmetic.sweep(&HeavyBall { lr, momentum, nesterov, weight_decay }, g, 1.0, w, [v]);
        }
    }
}

impl Lars {
    /// Returns r from the norms of gradient and weights.
    fn trust(&self, g: f64, w: f64) -> f64 {
        if g > 0.0 && w > 0.0 { self.trust_coefficient * w / (g + self.eps) } else { 1.0 }
    }
}

#[derive(Clone, Copy)]
struct HeavyBall {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
}

impl Elementwise<1> for HeavyBall {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v]: &mut [L; 1]) -> L {
        let momentum = L::splat(self.momentum);
        let step = L::splat(self.lr) * w.mul_add(L::splat(self.weight_decay), g);
        *v = momentum * *v + step;
        w - if self.nesterov { v.mul_add(momentum, step) } else { *v }
    }
}
