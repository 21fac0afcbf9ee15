use super::blend::{Descend, Lengths};
use super::{Describe, Needs, Staged, Step};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, non_negative, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Gradient descent with Polyak's step size: the step that would reach the lowest loss if the loss were linear.
///
/// ```text
/// γ ← min((loss − f) / (‖g‖² + ε), γ_max)   ‖·‖ over all weights; 0 where loss ≤ f or ‖g‖² + ε vanishes
/// w ← w − s γ g
/// ```
///
/// The loss is the mean over the update's samples. Loizou et al., "Stochastic Polyak Step-size for SGD: An Adaptive
/// Learning Rate for Fast Convergence", AISTATS 2021 (arXiv 2002.10542); making no step for a loss below f is SPS+ of
/// Garrigos, Gower and Schaipp (arXiv 2307.14528). Keys and defaults are those of `optax.polyak_sgd`, which documents
/// this equation but divides by its `scaling` s, since it scales the gradient first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct PolyakSgd {
    /// Maximum step size γ_max.
    pub max_lr: f64,
    /// Multiplier s of the step, driven by schedules.
    pub scaling: f64,
    /// Lowest loss f that can be reached.
    pub f_min: f64,
    /// ε, which damps steps along small gradients.
    pub eps: f64,
}

impl Default for PolyakSgd {
    fn default() -> Self {
        Self { max_lr: 1.0, scaling: 1.0, f_min: 0.0, eps: 0.0 }
    }
}

impl Choice for PolyakSgd {
    const NAME: &'static str = "polyak-sgd";

    fn check(&self) -> Result<()> {
        positive(&[("max_lr", self.max_lr)])?;
        non_negative(&[("scaling", self.scaling), ("eps", self.eps)])?;
        if !self.f_min.is_finite() {
            return Err(Error::usage(format!("f_min must be a finite number, not {}", self.f_min)));
        }
        Ok(())
    }
}

impl Describe for PolyakSgd {
    fn wants(&self) -> Needs {
        Needs { loss: true, ..Needs::default() }
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.scaling)
    }
}

impl Staged for PolyakSgd {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let mut square = self.eps;
        for Tensor { place, .. } in tensors.all.iter() {
            let (w, g) = (&tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            square += arithmetic.reduce(&Lengths { weight_decay: 0.0 }, g, w, [])[0];
        }
        let gap = (step.loss - self.f_min).max(0.0);
        let lr = if square > f64::EPSILON { (gap / square).min(self.max_lr) } else { 0.0 };
        for Tensor { place, .. } in tensors.all {
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place.clone()]);
            arithmetic.sweep(&Descend { lr: self.scaling * lr, weight_decay: 0.0 }, g, 1.0, w, []);
        }
    }
}
