use super::blend::{Blend, Lengths};
use super::{Describe, Needs, Slot, SlotShape, Staged, Step};
use crate::network::{Entry, Role};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::{Choice, below_one, non_negative, normal};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Muon: nearly orthogonalized momentum, so that a step changes all directions of a matrix alike.
///
/// ```text
/// m ← m + (1 − μ) (g − m)
/// X ← m                           nesterov: X ← (1 − μ) g + μ m
/// X ← X / max(‖X‖, ε)             then ns_steps times, with A = X Xᵀ (Xᵀ X if it is smaller):
/// X ← a X + (b A + c A²) X        a = 3.4445, b = −4.775, c = 2.0315
/// w ← w − η λ w − η s X           s = √max(1, outputs / inputs)
/// ```
///
/// It updates weight matrices only: biases stay fixed unless they get another rule, as in `weights@muon/adamw`.
/// `adjust` chooses s: `original`, as above; `match-rms-adamw`, 0.2 √max(outputs, inputs), whose steps are as large as
/// AdamW's; `spectral-unclamped`, √(outputs / inputs).
///
/// Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; match-rms-adamw and the decay are
/// from Liu et al., "Muon is Scalable for LLM Training", 2025 (arXiv 2502.16982). Keys and defaults are
/// `torch.optim.Muon`'s. Differs: PyTorch computes X in bf16, up to 8e-3 away from the f32 used here; Jordan has lr =
/// 0.02 and no decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Muon {
    /// Learning rate η.
    pub lr: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Momentum μ.
    pub momentum: f64,
    /// True to use Nesterov momentum.
    pub nesterov: bool,
    /// Number of Newton-Schulz iterations.
    pub ns_steps: f64,
    /// ε, lower bound of the norm that X is divided by.
    pub eps: f64,
    /// Scale of the step for the shape of the matrix: `original`, `match-rms-adamw` or `spectral-unclamped`.
    pub adjust: Adjust,
}

/// Scale of a step of [`Muon`] for the shape of its matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adjust {
    /// √max(1, outputs / inputs)
    #[default]
    Original,
    /// 0.2 √max(outputs, inputs)
    MatchRmsAdamw,
    /// √(outputs / inputs)
    SpectralUnclamped,
}

impl Adjust {
    fn factor(self, inputs: usize, outputs: usize) -> f64 {
        let (inputs, outputs) = (inputs as f64, outputs as f64);
        match self {
            Self::Original => (outputs / inputs).max(1.0).sqrt(),
            Self::MatchRmsAdamw => 0.2 * outputs.max(inputs).sqrt(),
            Self::SpectralUnclamped => (outputs / inputs).sqrt(),
        }
    }
}

/// Coefficients a, b and c of the Newton-Schulz iteration.
const NEWTON_SCHULZ: [f64; 3] = [3.4445, -4.7750, 2.0315];

impl Default for Muon {
    fn default() -> Self {
        let (lr, weight_decay, momentum, eps) = (1e-3, 0.1, 0.95, 1e-7);
        Self { lr, weight_decay, momentum, nesterov: true, ns_steps: 5.0, eps, adjust: Adjust::Original }
    }
}

impl Choice for Muon {
    const NAME: &'static str = "muon";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("momentum", self.momentum)])?;
        normal(&[("eps", self.eps)])?;
        if self.ns_steps.fract() != 0.0 || !(1.0..100.0).contains(&self.ns_steps) {
            return Err(Error::usage(format!(
                "ns_steps must be a whole number from 1 to 99, not {}",
                self.ns_steps
            )));
        }
        Ok(())
    }
}

impl Describe for Muon {
    fn wants(&self) -> Needs {
        Needs { beside: Some("adamw"), ..Needs::default() }
    }

    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("m")]
    }

    /// The next X, A, and b A + c A².
    fn scratch(&self) -> Vec<SlotShape> {
        vec![SlotShape::Like, SlotShape::SmallerSquare, SlotShape::SmallerSquare]
    }

    fn needs(&self, _: SlotShape, tensor: &Entry) -> bool {
        tensor.role == Role::Weight
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        Some(&mut self.momentum)
    }
}

impl Staged for Muon {
    fn step<A: Arithmetic>(&self, _: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        for tensor in tensors.all.iter_mut().filter(|tensor| tensor.is_matrix) {
            let place = tensor.place.clone();
            let (w, x) = (&mut tensors.weights[place.clone()], &mut tensors.gradients[place]);
            let [m] = tensor.slots.as_mut_slice() else { continue };
            arithmetic.sweep(&Blend::toward(1.0 - self.momentum), x, 1.0, m, []);
            let look_ahead = if self.nesterov { self.momentum } else { 1.0 };
            arithmetic.sweep(&Blend::toward(look_ahead), m, 1.0, x, []);
            self.orthogonalize(arithmetic, tensor, x);
            let lr = self.lr * self.adjust.factor(tensor.rows, tensor.cols);
            arithmetic.sweep(&Blend { keep: 1.0 - self.lr * self.weight_decay, share: -lr }, x, 1.0, w, []);
        }
    }
}

impl Muon {
    /// X ← nearly U Vᵀ, where X = U S Vᵀ.
    fn orthogonalize<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        tensor: &mut Tensor<A::Buffer>,
        x: &mut [A::T],
    ) {
        let [next, gram, polynomial] = tensor.scratch.as_mut_slice() else { return };
        let (rows, cols) = (tensor.rows, tensor.cols);
        let side = rows.min(cols);
        let [square, _] = arithmetic.reduce(&Lengths { weight_decay: 0.0 }, x, x, []);
        let [a, b, c] = NEWTON_SCHULZ;
        arithmetic.sweep(&Scale(1.0 / square.sqrt().max(self.eps)), next, 1.0, x, []);
        for _ in 0..self.ns_steps as u32 {
            let now = Matrix::new(x, rows, cols);
            if side == rows {
                arithmetic.product_of_rows(now, now, MatrixMut::new(gram, side, side));
            } else {
                arithmetic.product_of_columns(now, now, MatrixMut::new(gram, side, side));
            }
            let squared = Matrix::new(gram, side, side);
            arithmetic.product(squared, squared, MatrixMut::new(polynomial, side, side));
            arithmetic.sweep(&Blend { keep: c, share: b }, gram, 1.0, polynomial, []);
            let (p, next_x) = (Matrix::new(polynomial, side, side), MatrixMut::new(next, rows, cols));
            if side == rows {
                arithmetic.product(p, now, next_x);
            } else {
                arithmetic.product(now, p, next_x);
            }
            arithmetic.sweep(&Blend { keep: a, share: 1.0 }, next, 1.0, x, []);
        }
    }
}

/// x ← factor x
#[derive(Clone, Copy)]
struct Scale(f64);

impl Elementwise<0> for Scale {
    #[inline(always)]
    fn apply<L: Lane>(&self, _: L, x: L, _: &mut [L; 0]) -> L {
        L::splat(self.0) * x
    }
}
