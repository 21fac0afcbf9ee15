use super::blend::Blend;
use super::{Describe, Needs, Slot, Staged, Step};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use serde::{Deserialize, Serialize};

/// MoMo: momentum with Polyak's step size, from a model of the loss built from all gradients so far.
///
/// ```text
/// m ← μ m + (1 − μ) g             f ← μ f + (1 − μ) loss          c ← μ c + (1 − μ) g·w
/// τ ← min(η, ((1 + η λ) (f − f* − c) + m·w)₊ / ‖m‖²)              all three first without a memory
/// w ← (w − τ m) / (1 + η λ)       dots and ‖·‖ over all weights; τ is 0 where m is
/// ```
///
/// The loss is the mean over the update's samples. Schaipp, Ohana, Eickenberg, Defazio and Gower, "MoMo: Momentum
/// Models for Adaptive Learning Rates", ICML 2024 (arXiv 2305.07583). Defaults are those of the authors' `momo.Momo`,
/// which calls μ `beta` and f* `lb`. Differs: `optax.contrib.momo` decays by η λ / (1 + η λ) w without dividing τ m by
/// 1 + η λ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Momo {
    /// Learning rate η, upper bound of the step size.
    pub lr: f64,
    /// Decay rate μ of gradients and losses.
    pub momentum: f64,
    /// Weight decay λ.
    pub weight_decay: f64,
    /// Lowest loss f* that can be reached.
    pub f_star: f64,
}

impl Default for Momo {
    fn default() -> Self {
        Self { lr: 1.0, momentum: 0.9, weight_decay: 0.0, f_star: 0.0 }
    }
}

impl Choice for Momo {
    const NAME: &'static str = "momo";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("momentum", self.momentum)])?;
        if !self.f_star.is_finite() {
            return Err(Error::usage(format!("f_star must be a finite number, not {}", self.f_star)));
        }
        Ok(())
    }
}

impl Describe for Momo {
    fn wants(&self) -> Needs {
        Needs { loss: true, ..Needs::default() }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m")]
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![("f", 0.0), ("c", 0.0)]
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        Some(&mut self.momentum)
    }
}

impl Staged for Momo {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let new = if step.t == 1 { 1.0 } else { 1.0 - self.momentum };
        let [mut m_w, mut m_m, mut g_w] = [0.0; 3];
        for Tensor { place, slots, .. } in tensors.all.iter_mut() {
            let (w, g) = (&tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            let [m] = slots.as_mut_slice() else { continue };
            arithmetic.sweep(&Blend::toward(new), g, 1.0, m, []);
            let dots = arithmetic.reduce(&Dots, g, w, [m]);
            (m_w, m_m, g_w) = (m_w + dots[0], m_m + dots[1], g_w + dots[2]);
        }
        let [f, c] = tensors.scalars else { return };
        *f += new * (step.loss - *f);
        *c += new * (g_w - *c);
        let decay = 1.0 + self.lr * self.weight_decay;
        let gap = (decay * (*f - self.f_star - *c) + m_w).max(0.0);
        let tau = if m_m > 0.0 { (gap / m_m).min(self.lr) } else { 0.0 };
        for Tensor { place, slots, .. } in tensors.all {
            let [m] = slots.as_mut_slice() else { continue };
            let step = Blend { keep: 1.0 / decay, share: -tau / decay };
            arithmetic.sweep(&step, m, 1.0, &mut tensors.weights[place.clone()], []);
        }
    }
}

/// m·w, m·m and g·w.
struct Dots;

impl Reduction<1, 3> for Dots {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, [m]: [L; 1]) -> [L; 3] {
        [m * w, m * m, g * w]
    }
}
