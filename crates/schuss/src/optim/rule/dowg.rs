use super::blend::Descend;
use super::dog::squares;
use super::{Describe, Slot, Staged, Step};
use crate::Result;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, non_negative, normal};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// DoWG: DoG whose gradients are weighted by the distance the weights had moved.
///
/// ```text
/// g ← g + λ w
/// d ← max(d, ‖w − w₀‖²)           ‖·‖ over all weights
/// G ← G + d ‖g‖²
/// w ← w − η d / (√G + ε) g
/// ```
///
/// Khaled, Mishchenko and Jin, "DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method", NeurIPS
/// 2023 (arXiv 2305.16284). Keys and defaults are `optax.contrib.dowg`'s; the paper has no ε.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Dowg {
    /// Multiplier η of the step.
    pub lr: f64,
    /// Initial d, the square of a distance that is not too long; 0 means ε.
    pub init_estim_sq_dist: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Dowg {
    fn default() -> Self {
        Self { lr: 1.0, init_estim_sq_dist: 0.0, eps: 1e-4, weight_decay: 0.0 }
    }
}

impl Choice for Dowg {
    const NAME: &'static str = "dowg";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        non_negative(&[("init_estim_sq_dist", self.init_estim_sq_dist)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Dowg {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::copied("start")]
    }

    fn scalars(&self) -> Vec<(&'static str, f64)> {
        let first = if self.init_estim_sq_dist > 0.0 { self.init_estim_sq_dist } else { self.eps };
        vec![("d", first), ("G", 0.0)]
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }
}

impl Staged for Dowg {
    fn step<A: Arithmetic>(&self, _: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let [gradient, way, _] = squares(self.weight_decay, arithmetic, &tensors);
        let [d, sum] = tensors.scalars else { return };
        *d = d.max(way);
        *sum += *d * gradient;
        let lr = self.lr * *d / (sum.sqrt() + self.eps);
        for Tensor { place, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            arithmetic.sweep(&Descend { lr, weight_decay: self.weight_decay }, g, 1.0, w, []);
        }
    }
}
