use super::adam::corrections;
use super::blend::{Blend, TowardSquare};
use super::{Describe, Slot, SlotShape, Staged, Step};
use crate::Result;
use crate::network::{Entry, Role};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::optim::eigen::Eigen;
use crate::spec::{Choice, below_one, non_negative, normal, whole};
use documented::{Documented, DocumentedFields};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Lane, padded};
use serde::{Deserialize, Serialize};

/// SOAP: Adam in the eigenbasis of Shampoo, the eigenvectors P and Q of second moments of the gradient matrix.
///
/// ```text
/// m ← m + (1 − β₁) (g − m)        v ← v + (1 − β₂) ((P g Qᵀ)² − v)
/// u ← Pᵀ (P m Qᵀ / (√v + ε)) Q    biases have neither P nor Q
/// w ← (1 − η λ) (w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) u)
/// L ← L + (1 − β₃) (g gᵀ − L)     R ← R + (1 − β₃) (gᵀ g − R)
/// P ← rows of P L made orthonormal, every few updates; likewise Q; v along with them
/// ```
///
/// The first gradient only initializes L, R and their eigenvectors; t counts from the second. The last line is one step
/// of power iteration, with rows ordered by p·L p, largest first. Eigenvectors and orthonormal rows are computed in f64
/// on one thread: 0.2 s for 784 rows, 0.3 s for all of 784-400-256-10, or a fifth of that with `max_dim=400`, which
/// leaves out the 784 inputs.
///
/// Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025 (arXiv 2409.11321). Keys and defaults
/// are those of the authors' code, as `pytorch_optimizer.SOAP` has it, whose precondition_frequency is `every` and
/// whose max_precondition_dim is `max_dim`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Soap {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// Decay rate β₃ of L and R.
    pub shampoo_beta: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Updates between recomputations of P and Q.
    pub every: f64,
    /// Largest side of a matrix that is rotated; longer sides have no P or Q.
    pub max_dim: f64,
}

impl Default for Soap {
    fn default() -> Self {
        let (lr, eps, weight_decay) = (3e-3, 1e-8, 0.01);
        let (beta, every, max_dim) = (0.95, 10.0, 10_000.0);
        Self { lr, beta1: beta, beta2: beta, shampoo_beta: beta, eps, weight_decay, every, max_dim }
    }
}

impl Choice for Soap {
    const NAME: &'static str = "soap";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2), ("shampoo_beta", self.shampoo_beta)])?;
        normal(&[("eps", self.eps)])?;
        whole(&[("every", self.every), ("max_dim", self.max_dim)])
    }
}

impl Describe for Soap {
    fn slots(&self) -> Vec<Slot> {
        let slot = |name, shape| Slot::new(name).shaped(shape);
        vec![
            Slot::new("m"),
            Slot::new("v"),
            slot("L", SlotShape::SquareOfRows),
            slot("R", SlotShape::SquareOfCols),
            slot("P", SlotShape::SquareOfRows),
            slot("Q", SlotShape::SquareOfCols),
        ]
    }

    /// A rotated moment, an intermediate product, and square matrices.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![SlotShape::Like, SlotShape::Like, SlotShape::SquareOfRows, SlotShape::SquareOfCols]
    }

    fn needs(&self, shape: SlotShape, tensor: &Entry) -> bool {
        let turns = |side: usize| tensor.role == Role::Weight && side as f64 <= self.max_dim;
        match shape {
            SlotShape::SquareOfRows => turns(tensor.rows),
            SlotShape::SquareOfCols => turns(tensor.cols),
            _ => true,
        }
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

impl Staged for Soap {
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>) {
        let t = step.t - 1; // the first update makes no step
        for tensor in tensors.all {
            let place = tensor.place.clone();
            let (w, g) = (&mut tensors.weights[place.clone()], &tensors.gradients[place]);
            if t > 0 {
                self.descend(arithmetic, tensor, g, w, t);
            }
            self.gather(arithmetic, tensor, g);
            if t == 0 {
                first_axes::<A>(tensor, tensors.eigen);
            } else if t.is_multiple_of(self.every as u64) {
                turn_axes(arithmetic, tensor, tensors.eigen);
            }
        }
    }
}

impl Soap {
    /// Updates m and v, and moves the weights along u.
    fn descend<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        tensor: &mut Tensor<A::Buffer>,
        g: &[A::T],
        w: &mut [A::T],
        t: u64,
    ) {
        let ([m, v, _, _, p, q], [u, half, ..]) =
            (tensor.slots.as_mut_slice(), tensor.scratch.as_mut_slice())
        else {
            return;
        };
        let axes = Axes { p, q, rows: tensor.rows, cols: tensor.cols };
        axes.turn(arithmetic, g, u, half);
        arithmetic.sweep(&TowardSquare { share: 1.0 - self.beta2 }, u, 1.0, v, []);
        arithmetic.sweep(&Blend::toward(1.0 - self.beta1), g, 1.0, m, []);
        axes.turn(arithmetic, m, u, half);
        arithmetic.sweep(&OverRoot { eps: self.eps }, v, 1.0, u, []);
        axes.turn_back(arithmetic, u, half);
        let [correct1, correct2] = corrections(self.beta1, self.beta2, t);
        let (lr, keep) = (self.lr / correct1 * correct2.sqrt(), 1.0 - self.lr * self.weight_decay);
        arithmetic.sweep(&Blend { keep, share: -keep * lr }, u, 1.0, w, []);
    }

    /// Updates L and R.
    fn gather<A: Arithmetic>(&self, arithmetic: &mut A, tensor: &mut Tensor<A::Buffer>, g: &[A::T]) {
        let ([_, _, l, r, ..], [.., l_room, r_room]) =
            (tensor.slots.as_mut_slice(), tensor.scratch.as_mut_slice())
        else {
            return;
        };
        let (rows, cols) = (tensor.rows, tensor.cols);
        let (g, toward) = (Matrix::new(g, rows, cols), Blend::toward(1.0 - self.shampoo_beta));
        if !l.is_empty() {
            arithmetic.product_of_rows(g, g, MatrixMut::new(l_room, rows, rows));
            arithmetic.sweep(&toward, l_room, 1.0, l, []);
        }
        if !r.is_empty() {
            arithmetic.product_of_columns(g, g, MatrixMut::new(r_room, cols, cols));
            arithmetic.sweep(&toward, r_room, 1.0, r, []);
        }
    }
}

/// P and Q in row-major order; empty for a side that is not rotated.
struct Axes<'a, T> {
    p: &'a [T],
    q: &'a [T],
    rows: usize,
    cols: usize,
}

impl<T: Copy> Axes<'_, T> {
    /// `to` ← P `from` Qᵀ
    fn turn<A: Arithmetic<T = T>>(&self, arithmetic: &mut A, from: &[T], to: &mut [T], half: &mut [T]) {
        let Self { p, q, rows, cols } = *self;
        to.copy_from_slice(from);
        if !p.is_empty() {
            arithmetic.product(
                Matrix::new(p, rows, rows),
                Matrix::new(to, rows, cols),
                MatrixMut::new(half, rows, cols),
            );
            to.copy_from_slice(half);
        }
        if !q.is_empty() {
            let q = Matrix::new(q, cols, cols);
            arithmetic.product_of_rows(Matrix::new(to, rows, cols), q, MatrixMut::new(half, rows, cols));
            to.copy_from_slice(half);
        }
    }

    /// `x` ← Pᵀ `x` Q
    fn turn_back<A: Arithmetic<T = T>>(&self, arithmetic: &mut A, x: &mut [T], half: &mut [T]) {
        let Self { p, q, rows, cols } = *self;
        if !p.is_empty() {
            let p = Matrix::new(p, rows, rows);
            arithmetic.product_of_columns(p, Matrix::new(x, rows, cols), MatrixMut::new(half, rows, cols));
            x.copy_from_slice(half);
        }
        if !q.is_empty() {
            arithmetic.product(
                Matrix::new(x, rows, cols),
                Matrix::new(q, cols, cols),
                MatrixMut::new(half, rows, cols),
            );
            x.copy_from_slice(half);
        }
    }
}

/// P and Q ← eigenvectors of L and R.
fn first_axes<A: Arithmetic>(tensor: &mut Tensor<A::Buffer>, eigen: &mut Eigen) {
    let [_, _, l, r, p, q] = tensor.slots.as_mut_slice() else { return };
    for (sums, axes, side) in [(l, p, tensor.rows), (r, q, tensor.cols)] {
        if !axes.is_empty() {
            eigen.decompose(Matrix::new(sums, side, side));
            write_rows(axes, side, |k| eigen.vector(k));
        }
    }
}

/// Does one step of power iteration for P and Q, and reorders v with them.
fn turn_axes<A: Arithmetic>(arithmetic: &mut A, tensor: &mut Tensor<A::Buffer>, eigen: &mut Eigen) {
    let ([_, v, l, r, p, q], [spare, _, l_room, r_room]) =
        (tensor.slots.as_mut_slice(), tensor.scratch.as_mut_slice())
    else {
        return;
    };
    let stride = padded(tensor.cols);
    if !p.is_empty() {
        power_iteration(arithmetic, eigen, l, p, l_room, tensor.rows);
        spare.copy_from_slice(v);
        for (row, &from) in v.chunks_exact_mut(stride).zip(eigen.order()) {
            row.copy_from_slice(&spare[from * stride..][..stride]);
        }
    }
    if !q.is_empty() {
        power_iteration(arithmetic, eigen, r, q, r_room, tensor.cols);
        spare.copy_from_slice(v);
        for (row, old) in v.chunks_exact_mut(stride).zip(spare.chunks_exact(stride)) {
            row.iter_mut().zip(eigen.order()).for_each(|(to, &from)| *to = old[from]);
        }
    }
}

/// Axes ← orthonormal rows of axes · sums, ordered by a · sums a for each old axis a.
fn power_iteration<A: Arithmetic>(
    arithmetic: &mut A,
    eigen: &mut Eigen,
    sums: &[A::T],
    axes: &mut [A::T],
    room: &mut [A::T],
    side: usize,
) {
    let old = Matrix::new(axes, side, side);
    arithmetic.product(old, Matrix::new(sums, side, side), MatrixMut::new(room, side, side));
    let room = Matrix::new(room, side, side);
    let dot = |k: usize| old.row(k).iter().zip(room.row(k)).map(|(&a, &b)| a.into() * b.into()).sum();
    eigen.orthonormalize(room, (0..side).map(dot));
    write_rows(axes, side, |k| eigen.orthonormal_row(k));
}

fn write_rows<'a, T: Lane>(to: &mut [T], side: usize, row: impl Fn(usize) -> &'a [f64]) {
    for (k, to) in to.chunks_exact_mut(padded(side)).enumerate() {
        to.iter_mut().zip(row(k)).for_each(|(to, &x)| *to = T::splat(x));
    }
}

/// m ← m / (√v + ε), where v is passed in place of the gradient.
#[derive(Clone, Copy)]
struct OverRoot {
    eps: f64,
}

impl Elementwise<0> for OverRoot {
    #[inline(always)]
    fn apply<L: Lane>(&self, v: L, m: L, _: &mut [L; 0]) -> L {
        m / (v.sqrt() + L::splat(self.eps))
    }
}
