use super::blend::Magnitude;
use super::prodigy::OverRoot;
use super::{Describe, Slot, Staged, Step};
use crate::Result;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// D-Adapt Adam: Adam whose learning rate is a lower bound d of the distance from the initial weights to the solution.
///
/// ```text
/// g ← g + λ w
/// r ← √β₂ r + (1 − √β₂) η d Σ g s / (√v + ε)                      Σ and ‖·‖₁ over all weights
/// m ← β₁ m + (1 − β₁) η d g       v ← β₂ v + (1 − β₂) g²          s ← √β₂ s + (1 − √β₂) η d g
/// d ← max(d, r / ((1 − √β₂) ‖s‖₁))
/// w ← w − m / (√v + ε)            no step before the first gradient
/// ```
///
/// Defazio and Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", ICML 2023 (arXiv 2301.07733). Keys and
/// defaults are those of the authors' `dadaptation.DAdaptAdam`, without its bias correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct DAdaptAdam {
    /// Multiplier η of the step; meant to be 1, or a schedule that decays from 1.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment; above 0, since the estimate needs one.
    pub beta2: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// Initial bound d.
    pub d0: f64,
}

impl Default for DAdaptAdam {
    fn default() -> Self {
        Self { lr: 1.0, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, d0: 1e-6 }
    }
}

impl Choice for DAdaptAdam {
    const NAME: &'static str = "d-adapt-adam";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps), ("d0", self.d0)])
    }
}

impl Describe for DAdaptAdam {
    fn slots(&self) -> Vec<Slot> {
        ["m", "v", "s"].map(Slot::new).to_vec()
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![("d", self.d0), ("r", 0.0)]
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        Some(&mut self.beta1)
    }

    fn beta2(&mut self) -> Option<&mut f64> {
        Some(&mut self.beta2)
    }
}

impl Staged for DAdaptAdam {
    fn step<A: Arithmetic>(&self, _: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let Self { eps, weight_decay, .. } = *self;
        let [d, r] = tensors.scalars else { return };
        let (root, lr) = (self.beta2.sqrt(), self.lr * *d);
        let moments = Moments { beta1: self.beta1, beta2: self.beta2, root, lr, weight_decay };
        let [mut along, mut length] = [0.0; 2];
        for Tensor { place, slots, .. } in tensors.all.iter_mut() {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            let [m, v, s] = slots.as_mut_slice() else { continue };
            along += arithmetic.reduce(&Along { eps, weight_decay }, g, w, [s, v])[0];
            arithmetic.sweep(&moments, g, 1.0, w, [m, v, s]);
            length += arithmetic.reduce(&Magnitude, s, s, [])[0];
        }
        if length == 0.0 {
            return;
        }
        *r = root * *r + (1.0 - root) * lr * along;
        *d = d.max(*r / ((1.0 - root) * length));
        for Tensor { place, slots, .. } in tensors.all {
            let [m, v, _] = slots.as_mut_slice() else { continue };
            let step = OverRoot { lr: 1.0, eps, weight_decay: 0.0 };
            arithmetic.sweep(&step, m, 1.0, &mut tensors.weights[place.clone()], [v]);
        }
    }
}

/// Σ (g + λ w) s / (√v + ε)
struct Along {
    eps: f64,
    weight_decay: f64,
}

impl Reduction<2, 1> for Along {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, [s, v]: [L; 2]) -> [L; 1] {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        [g * (s / (v.sqrt() + L::splat(self.eps)))]
    }
}

/// Updates m, v and s; leaves the weight unchanged.
#[derive(Clone, Copy)]
struct Moments {
    beta1: f64,
    beta2: f64,
    root: f64,
    lr: f64,
    weight_decay: f64,
}

impl Elementwise<3> for Moments {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v, s]: &mut [L; 3]) -> L {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        *m = m.mul_add(L::splat(self.beta1), L::splat(self.lr * (1.0 - self.beta1)) * g);
        *v = v.mul_add(L::splat(self.beta2), L::splat(1.0 - self.beta2) * g * g);
        *s = s.mul_add(L::splat(self.root), L::splat(self.lr * (1.0 - self.root)) * g);
        w
    }
}
