use super::blend::Descend;
use super::{Describe, Slot, Staged, Step};
use crate::Result;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use serde::{Deserialize, Serialize};

/// DoG: the step size is the largest distance from the start so far, over the root of the sum of all squared gradients.
///
/// ```text
/// g ← g + λ w
/// r ← max(r, ‖w − w₀‖)            first r ← ρ (1 + ‖w₀‖); ‖·‖ over all weights
/// G ← G + ‖g‖²                    first G ← ε + ‖g‖²
/// w ← w − η r / √G g
/// ```
///
/// Ivgi, Hinder and Carmon, "DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule", ICML 2023
/// (arXiv 2302.12022). Keys and defaults are those of the authors' `dog.DoG`, who advise leaving lr at 1 and evaluating
/// an average of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Dog {
    /// Multiplier η of the step.
    pub lr: f64,
    /// Initial distance ρ, relative to the weights.
    pub reps_rel: f64,
    /// ε, added to the first sum of squared gradients for numerical stability.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Dog {
    fn default() -> Self {
        Self { lr: 1.0, reps_rel: 1e-6, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Choice for Dog {
    const NAME: &'static str = "dog";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        normal(&[("reps_rel", self.reps_rel), ("eps", self.eps)])
    }
}

impl Describe for Dog {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::copied("start")]
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![("r", 0.0), ("G", self.eps)]
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }
}

impl Staged for Dog {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let [gradient, way, weights] = squares(self.weight_decay, arithmetic, &tensors);
        let [r, sum] = tensors.scalars else { return };
        if step.t == 1 {
            *r = self.reps_rel * (1.0 + weights.sqrt());
        }
        *r = r.max(way.sqrt());
        *sum += gradient;
        let lr = self.lr * *r / sum.sqrt();
        for Tensor { place, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            arithmetic.sweep(&Descend { lr, weight_decay: self.weight_decay }, g, 1.0, w, []);
        }
    }
}

/// ‖g + λ w‖², ‖w − w₀‖² and ‖w‖² over all weights; w₀ is the first slot.
pub(super) fn squares<A: Arithmetic>(
    weight_decay: f64,
    arithmetic: &mut A,
    tensors: &Tensors<A>,
) -> [f64; 3] {
    let mut total = [0.0; 3];
    for Tensor { place, slots, .. } in tensors.all.iter() {
        let (w, g) = (&tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
        let [start, ..] = slots.as_slice() else { continue };
        let squares = arithmetic.reduce(&Squares { weight_decay }, g, w, [start]);
        total.iter_mut().zip(squares).for_each(|(total, square)| *total += square);
    }
    total
}

struct Squares {
    weight_decay: f64,
}

impl Reduction<1, 3> for Squares {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, [start]: [L; 1]) -> [L; 3] {
        let (g, way) = (w.mul_add(L::splat(self.weight_decay), g), w - start);
        [g * g, way * way, w * w]
    }
}
