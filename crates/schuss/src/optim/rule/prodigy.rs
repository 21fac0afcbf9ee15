use super::blend::Magnitude;
use super::{Describe, Slot, Staged, Step};
use crate::Result;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative, normal, positive};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Prodigy: Adam whose learning rate is an estimate d, from below, of the distance from initial weights to solution.
///
/// ```text
/// r ← β₃ r + η d²/d₀ g·(w₀ − w)   s ← β₃ s + η d²/d₀ g            dots and ‖·‖₁ over all weights
/// m ← β₁ m + (1 − β₁) d g         v ← β₂ v + (1 − β₂) d² g²
/// d' ← max(d, k r / ‖s‖₁)         r / ‖s‖₁ is none where s is 0
/// w ← w − η d (m / (√v + d' ε) + λ w)
/// d ← d'
/// ```
///
/// Mishchenko and Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", ICML 2024 (arXiv 2306.06101).
/// Keys and defaults are those of the authors' `prodigyopt.Prodigy`, without its bias correction. Differs:
/// `optax.contrib.prodigy` has bias correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Prodigy {
    /// Multiplier η of the step; meant to be 1, or a schedule that decays from 1.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// Decay rate β₃ of r and s; 0 means √β₂.
    pub beta3: f64,
    /// ε, added to the denominator, times d', for numerical stability.
    pub eps: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Initial estimate d₀.
    pub d0: f64,
    /// Factor k of the estimate.
    pub d_coef: f64,
}

impl Default for Prodigy {
    fn default() -> Self {
        let (lr, eps, d0) = (1.0, 1e-8, 1e-6);
        Self { lr, beta1: 0.9, beta2: 0.999, beta3: 0.0, eps, weight_decay: 0.0, d0, d_coef: 1.0 }
    }
}

impl Choice for Prodigy {
    const NAME: &'static str = "prodigy";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2), ("beta3", self.beta3)])?;
        positive(&[("d_coef", self.d_coef)])?;
        normal(&[("eps", self.eps), ("d0", self.d0), ("d0 times eps", self.d0 * self.eps)])
    }
}

impl Describe for Prodigy {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::copied("start"), Slot::new("m"), Slot::new("v"), Slot::new("s")]
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

impl Staged for Prodigy {
    fn step<A: Arithmetic>(&self, _: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let [d, r] = tensors.scalars else { return };
        let moments = self.moments(*d);
        let [mut toward, mut length] = [0.0; 2];
        for Tensor { place, slots, .. } in tensors.all.iter_mut() {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            let [start, m, v, s] = slots.as_mut_slice() else { continue };
            toward += arithmetic.reduce(&Toward, g, w, [start])[0];
            arithmetic.sweep(&moments, g, 1.0, w, [m, v, s]);
            length += arithmetic.reduce(&Magnitude, s, s, [])[0];
        }
        if length == 0.0 {
            return; // no gradient so far
        }
        *r = moments.beta3 * *r + moments.of_gradient * toward;
        let lr = self.lr * *d;
        *d = d.max(self.d_coef * *r / length);
        let step = OverRoot { lr, eps: *d * self.eps, weight_decay: self.weight_decay };
        for Tensor { place, slots, .. } in tensors.all {
            let [_, m, v, _] = slots.as_mut_slice() else { continue };
            arithmetic.sweep(&step, m, 1.0, &mut tensors.weights[place.clone()], [v]);
        }
    }
}

impl Prodigy {
    fn moments(&self, d: f64) -> Moments {
        Moments {
            keep1: self.beta1,
            new1: (1.0 - self.beta1) * d,
            keep2: self.beta2,
            new2: (1.0 - self.beta2) * d * d,
            beta3: if self.beta3 > 0.0 { self.beta3 } else { self.beta2.sqrt() },
            of_gradient: d / self.d0 * self.lr * d,
        }
    }
}

/// g·(w₀ − w)
struct Toward;

impl Reduction<1, 1> for Toward {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, [start]: [L; 1]) -> [L; 1] {
        [g * (start - w)]
    }
}

/// Updates m, v and s; leaves the weight unchanged.
#[derive(Clone, Copy)]
struct Moments {
    keep1: f64,
    new1: f64,
    keep2: f64,
    new2: f64,
    beta3: f64,
    of_gradient: f64,
}

impl Elementwise<3> for Moments {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v, s]: &mut [L; 3]) -> L {
        *m = m.mul_add(L::splat(self.keep1), L::splat(self.new1) * g);
        *v = v.mul_add(L::splat(self.keep2), L::splat(self.new2) * g * g);
        *s = s.mul_add(L::splat(self.beta3), L::splat(self.of_gradient) * g);
        w
    }
}

/// w ← w − η (m / (√v + ε) + λ w), where m is passed in place of the gradient.
#[derive(Clone, Copy)]
pub(super) struct OverRoot {
    pub(super) lr: f64,
    pub(super) eps: f64,
    pub(super) weight_decay: f64,
}

impl Elementwise<1> for OverRoot {
    #[inline(always)]
    fn apply<L: Lane>(&self, m: L, w: L, [v]: &mut [L; 1]) -> L {
        let step = w.mul_add(L::splat(self.weight_decay), m / (v.sqrt() + L::splat(self.eps)));
        step.mul_add(L::splat(-self.lr), w)
    }
}
