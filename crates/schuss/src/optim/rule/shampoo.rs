use super::blend::{Blend, Descend};
use super::{Describe, Slot, SlotShape, Staged, Step};
use crate::Result;
use crate::network::{Entry, Role};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::optim::eigen::Eigen;
use crate::spec::{Choice, below_one, non_negative, normal, whole};
use documented::{Documented, DocumentedFields};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::{Lane, padded};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Shampoo: the gradient matrix, preconditioned on both sides by inverse roots of its accumulated second moments.
///
/// ```text
/// g ← g + λ w
/// L ← L + g gᵀ                    R ← R + gᵀ g
/// u ← (L + ε)^(−1/4) g (R + ε)^(−1/4)      a bias, a row, has R alone: u ← g (R + ε)^(−1/2)
/// v ← μ v + u
/// w ← w − η v
/// ```
///
/// The roots are recomputed at update 1 and after every `every` updates, from eigenvalues and eigenvectors in f64 on
/// one thread: 0.4 s for 784 rows, 0.6 s or more for all of 784-400-256-10, which is why `every` is 100.
///
/// Gupta, Koren and Singer, "Shampoo: Preconditioned Stochastic Tensor Optimization", ICML 2018 (arXiv 1802.09568),
/// algorithm 1, which has no momentum and no decay; keys and defaults are schuss's own. Differs:
/// `pytorch_optimizer.Shampoo` makes no step before update `every`, and mixes its last step into the gradient instead
/// of keeping a velocity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Shampoo {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ; 0 means none, and no velocity (momentum buffer) is kept.
    pub momentum: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// ε, added to L and R as a multiple of the identity.
    pub eps: f64,
    /// Updates between recomputations of the inverse roots.
    pub every: f64,
}

impl Default for Shampoo {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.0, weight_decay: 0.0, eps: 1e-4, every: 100.0 }
    }
}

impl Choice for Shampoo {
    const NAME: &'static str = "shampoo";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("momentum", self.momentum)])?;
        normal(&[("eps", self.eps)])?;
        whole(&[("every", self.every)])
    }
}

impl Describe for Shampoo {
    fn slots(&self) -> Vec<Slot> {
        let slot = |name, shape| Slot::new(name).shaped(shape);
        let mut slots = vec![
            slot("L", SlotShape::SquareOfRows),
            slot("R", SlotShape::SquareOfCols),
            slot("root of L", SlotShape::SquareOfRows),
            slot("root of R", SlotShape::SquareOfCols),
        ];
        if self.momentum > 0.0 {
            slots.push(Slot::new("velocity"));
        }
        slots
    }

    /// An intermediate product, and square matrices.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![SlotShape::Like, SlotShape::SquareOfRows, SlotShape::SquareOfCols]
    }

    fn needs(&self, shape: SlotShape, tensor: &Entry) -> bool {
        shape != SlotShape::SquareOfRows || tensor.role == Role::Weight
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        (self.momentum > 0.0).then_some(&mut self.momentum)
    }
}

impl Staged for Shampoo {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let renew = (step.t - 1).is_multiple_of(self.every as u64);
        for tensor in tensors.all {
            let place = tensor.place.clone();
            let (w, g) = (&mut tensors.weights[place.clone()], &mut tensors.gradients[place]);
            arithmetic.sweep(&Blend { keep: 1.0, share: self.weight_decay }, w, 1.0, g, []);
            gather(arithmetic, tensor, g);
            if renew {
                self.renew_roots(arithmetic, tensor, tensors.eigen);
            }
            precondition(arithmetic, tensor, g);
            if let [.., velocity] = &mut tensor.slots[ROOTS.end..] {
                arithmetic.sweep(&Blend { keep: self.momentum, share: 1.0 }, g, 1.0, velocity, []);
                g.copy_from_slice(velocity);
            }
            arithmetic.sweep(&Descend { lr: self.lr, weight_decay: 0.0 }, g, 1.0, w, []);
        }
    }
}

/// Indices of the roots among the slots.
const ROOTS: Range<usize> = 2..4;

/// L ← L + g gᵀ, R ← R + gᵀ g
fn gather<A: Arithmetic>(arithmetic: &mut A, tensor: &mut Tensor<A::Buffer>, g: &[A::T]) {
    let ([l, r, ..], [_, l_room, r_room]) = (tensor.slots.as_mut_slice(), tensor.scratch.as_mut_slice())
    else {
        return;
    };
    let (rows, cols) = (tensor.rows, tensor.cols);
    let (g, add) = (Matrix::new(g, rows, cols), Blend { keep: 1.0, share: 1.0 });
    if tensor.is_matrix {
        arithmetic.product_of_rows(g, g, MatrixMut::new(l_room, rows, rows));
        arithmetic.sweep(&add, l_room, 1.0, l, []);
    }
    arithmetic.product_of_columns(g, g, MatrixMut::new(r_room, cols, cols));
    arithmetic.sweep(&add, r_room, 1.0, r, []);
}

/// g ← root of L · g · root of R
fn precondition<A: Arithmetic>(arithmetic: &mut A, tensor: &mut Tensor<A::Buffer>, g: &mut [A::T]) {
    let ([l_root, r_root], [half, ..]) = (&tensor.slots[ROOTS], tensor.scratch.as_mut_slice()) else {
        return;
    };
    let (rows, cols) = (tensor.rows, tensor.cols);
    if tensor.is_matrix {
        let root = Matrix::new(l_root, rows, rows);
        arithmetic.product(root, Matrix::new(g, rows, cols), MatrixMut::new(half, rows, cols));
    } else {
        half.copy_from_slice(g);
    }
    let root = Matrix::new(r_root, cols, cols);
    arithmetic.product(Matrix::new(half, rows, cols), root, MatrixMut::new(g, rows, cols));
}

impl Shampoo {
    fn renew_roots<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        tensor: &mut Tensor<A::Buffer>,
        eigen: &mut Eigen,
    ) {
        let ([l, r, l_root, r_root, ..], [_, l_room, r_room]) =
            (tensor.slots.as_mut_slice(), tensor.scratch.as_mut_slice())
        else {
            return;
        };
        let sides = if tensor.is_matrix { 2 } else { 1 };
        let root = |value: f64| (0..=sides).fold(value.clamp(0.0, f64::INFINITY) + self.eps, |x, _| x.sqrt());
        if tensor.is_matrix {
            eigen.decompose(Matrix::new(l, tensor.rows, tensor.rows));
            scale_and_square(
                arithmetic,
                eigen,
                root,
                l_room,
                MatrixMut::new(l_root, tensor.rows, tensor.rows),
            );
        }
        eigen.decompose(Matrix::new(r, tensor.cols, tensor.cols));
        scale_and_square(arithmetic, eigen, root, r_room, MatrixMut::new(r_root, tensor.cols, tensor.cols));
    }
}

/// Σ x xᵀ / root(value)² over all eigenvectors x and their values.
pub(super) fn scale_and_square<A: Arithmetic>(
    arithmetic: &mut A,
    eigen: &Eigen,
    root: impl Fn(f64) -> f64,
    room: &mut [A::T],
    to: MatrixMut<A::T>,
) {
    let (side, _) = to.shape();
    for (k, row) in room.chunks_exact_mut(padded(side)).enumerate() {
        let factor = 1.0 / root(eigen.value(k));
        row.iter_mut().zip(eigen.vector(k)).for_each(|(to, x)| *to = A::T::splat(factor * x));
    }
    let rows = Matrix::new(room, side, side);
    arithmetic.product_of_columns(rows, rows, to);
}
