//! Arithmetic of the optimizers: kernels on f32, or plain loops on f64 as the reference.

use super::eigen::Eigen;
use super::rule::{First, Rule, Slot, SlotShape};
use crate::network::{Entry, Role};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, add_product, input_gradient, weight_gradient};
use schuss_kernels::reduce::{Reduction, reduce, reduce_reference};
use schuss_kernels::sweep::{Elementwise, sweep, sweep_reference};
use schuss_kernels::{Buffer, Lane, Team, padded};
use std::fmt::Debug;
use std::ops::{DerefMut, Range};

/// Operations of an update.
pub(crate) trait Arithmetic {
    /// Element type.
    type T: Lane + PartialOrd + Default + Debug + Send + Sync + Into<f64>;
    /// Buffer of elements.
    type Buffer: DerefMut<Target = [Self::T]> + Clone + Debug + Send;

    /// Returns a buffer of `len` zeros.
    fn zeros(len: usize) -> Self::Buffer;

    /// w ← update(sums / count, w, slots), element by element.
    fn sweep<U: Elementwise<S>, const S: usize>(
        &mut self,
        update: &U,
        sums: &[Self::T],
        count: f64,
        weights: &mut [Self::T],
        slots: [&mut [Self::T]; S],
    );

    /// Σ terms(gradient, w, slots) over all elements; pad lanes add nothing if the terms of zeros are zero.
    fn reduce<R: Reduction<S, N>, const S: usize, const N: usize>(
        &mut self,
        reduction: &R,
        gradients: &[Self::T],
        weights: &[Self::T],
        slots: [&[Self::T]; S],
    ) -> [f64; N];

    /// C ← A B. A `[m, k]`, B `[k, n]`, C `[m, n]`.
    fn product(&mut self, a: Matrix<Self::T>, b: Matrix<Self::T>, c: MatrixMut<Self::T>);

    /// C ← Aᵀ B. A `[k, m]`, B `[k, n]`, C `[m, n]`.
    fn product_of_columns(&mut self, a: Matrix<Self::T>, b: Matrix<Self::T>, c: MatrixMut<Self::T>);

    /// C ← A Bᵀ. A `[m, k]`, B `[n, k]`, C `[m, n]`.
    fn product_of_rows(&mut self, a: Matrix<Self::T>, b: Matrix<Self::T>, c: MatrixMut<Self::T>);
}

impl Arithmetic for Team {
    type T = f32;
    type Buffer = Buffer;

    fn zeros(len: usize) -> Buffer {
        Buffer::zeros(len)
    }

    fn sweep<U: Elementwise<S>, const S: usize>(
        &mut self,
        update: &U,
        sums: &[f32],
        count: f64,
        weights: &mut [f32],
        slots: [&mut [f32]; S],
    ) {
        sweep(self, update, sums, count as f32, weights, slots);
    }

    fn reduce<R: Reduction<S, N>, const S: usize, const N: usize>(
        &mut self,
        reduction: &R,
        gradients: &[f32],
        weights: &[f32],
        slots: [&[f32]; S],
    ) -> [f64; N] {
        reduce(self, reduction, gradients, 1.0, weights, slots)
    }

    fn product(&mut self, a: Matrix, b: Matrix, c: MatrixMut) {
        let (rows, cols) = c.shape();
        let c = c.into_data();
        c[..rows * padded(cols)].fill(0.0);
        add_product(self, a, b, MatrixMut::new(c, rows, cols));
    }

    fn product_of_columns(&mut self, a: Matrix, b: Matrix, c: MatrixMut) {
        weight_gradient(self, a, b, Start::Fresh, c);
    }

    fn product_of_rows(&mut self, a: Matrix, b: Matrix, c: MatrixMut) {
        input_gradient(self, a, b, None, c);
    }
}

/// Plain loops on f64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScalarF64;

impl Arithmetic for ScalarF64 {
    type T = f64;
    type Buffer = Vec<f64>;

    fn zeros(len: usize) -> Vec<f64> {
        vec![0.0; len]
    }

    fn sweep<U: Elementwise<S>, const S: usize>(
        &mut self,
        update: &U,
        sums: &[f64],
        count: f64,
        weights: &mut [f64],
        slots: [&mut [f64]; S],
    ) {
        sweep_reference(update, sums, count, weights, slots);
    }

    fn reduce<R: Reduction<S, N>, const S: usize, const N: usize>(
        &mut self,
        reduction: &R,
        gradients: &[f64],
        weights: &[f64],
        slots: [&[f64]; S],
    ) -> [f64; N] {
        reduce_reference(reduction, gradients, weights, slots)
    }

    fn product(&mut self, a: Matrix<f64>, b: Matrix<f64>, c: MatrixMut<f64>) {
        let depth = a.shape().1;
        fill(c, |row, col| (0..depth).map(|k| a.row(row)[k] * b.row(k)[col]).sum());
    }

    fn product_of_columns(&mut self, a: Matrix<f64>, b: Matrix<f64>, c: MatrixMut<f64>) {
        let depth = a.shape().0;
        fill(c, |row, col| (0..depth).map(|k| a.row(k)[row] * b.row(k)[col]).sum());
    }

    fn product_of_rows(&mut self, a: Matrix<f64>, b: Matrix<f64>, c: MatrixMut<f64>) {
        let depth = a.shape().1;
        fill(c, |row, col| (0..depth).map(|k| a.row(row)[k] * b.row(col)[k]).sum());
    }
}

/// C[row, col] ← value(row, col).
fn fill(c: MatrixMut<f64>, value: impl Fn(usize, usize) -> f64) {
    let ((rows, cols), c) = (c.shape(), c.into_data());
    for (row, to) in c.chunks_exact_mut(padded(cols)).take(rows).enumerate() {
        to.iter_mut().take(cols).enumerate().for_each(|(col, to)| *to = value(row, col));
    }
}

/// A parameter tensor with its optimizer state.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<B> {
    /// Index in the layout.
    pub(crate) entry: usize,
    /// Range within the parameters.
    pub(crate) place: Range<usize>,
    /// Number of inputs of a weight matrix; 1 for a bias.
    pub(crate) rows: usize,
    /// Number of outputs.
    pub(crate) cols: usize,
    /// True if it is a weight matrix.
    pub(crate) is_matrix: bool,
    /// State buffers in the order of [`Rule::slots`]; empty where the rule needs none.
    pub(crate) slots: Vec<B>,
    /// State buffers of the wrappers, one each, shaped like the weights.
    pub(crate) around: Vec<B>,
    /// Scratch buffers in the order of [`Rule::scratch`]; empty where the rule needs none.
    pub(crate) scratch: Vec<B>,
}

impl<B> Tensor<B> {
    /// Creates the tensor of `entry`, the `index`-th of the layout, with the initial state of `rule` and of
    /// this number of wrappers.
    pub(crate) fn new<A: Arithmetic<Buffer = B>>(
        index: usize,
        entry: &Entry,
        rule: &Rule,
        wrappers: usize,
        weights: &[A::T],
    ) -> Self {
        let place = entry.range();
        let room = |shape| if rule.needs(shape, entry) { dimensions(shape, entry) } else { (0, 0) };
        let weights = &weights[place.clone()];
        let first = |slot: &Slot| {
            let (rows, cols) = room(slot.shape);
            first_values::<A>(slot.first, rows, cols, weights)
        };
        let slots = rule.slots().iter().map(first).collect();
        let copy = |_| first_values::<A>(First::Weights, entry.rows, entry.cols, weights);
        let around = (0..wrappers).map(copy).collect();
        let zeros = |(rows, cols)| A::zeros(rows * padded(cols));
        let scratch = rule.scratch().into_iter().map(|shape| zeros(room(shape))).collect();
        let (rows, cols) = (entry.rows, entry.cols);
        Self {
            entry: index,
            rows,
            cols,
            is_matrix: entry.role == Role::Weight,
            slots,
            around,
            scratch,
            place,
        }
    }

    /// Number of state values of `rule` and some wrappers for a tensor, pad lanes included.
    pub(crate) fn state_floats(entry: &Entry, rule: &Rule, wrappers: usize) -> usize {
        let slots = rule.slots().into_iter().map(|slot| floats(slot.shape, entry, rule));
        slots.sum::<usize>() + wrappers * entry.range().len()
    }

    /// Number of scratch values of `rule` for a tensor, pad lanes included.
    pub(crate) fn scratch_floats(entry: &Entry, rule: &Rule) -> usize {
        rule.scratch().into_iter().map(|shape| floats(shape, entry, rule)).sum()
    }

    /// Returns the number of elements, without pad lanes.
    pub(crate) fn len(&self) -> usize {
        self.rows * self.cols
    }
}

/// Number of elements of a buffer of `rule` for the tensor `entry`, pad lanes included.
fn floats(shape: SlotShape, entry: &Entry, rule: &Rule) -> usize {
    let (rows, cols) = dimensions(shape, entry);
    if rule.needs(shape, entry) { rows * padded(cols) } else { 0 }
}

/// Returns rows and columns of a slot of the tensor `entry`.
fn dimensions(shape: SlotShape, entry: &Entry) -> (usize, usize) {
    let &Entry { rows, cols, .. } = entry;
    match shape {
        SlotShape::Like => (rows, cols),
        SlotShape::Rows => (1, rows),
        SlotShape::Cols => (1, cols),
        SlotShape::SquareOfRows => (rows, rows),
        SlotShape::SquareOfCols => (cols, cols),
        SlotShape::Layer => (rows + 1, cols),
        SlotShape::SquareOfInputs => (rows + 1, rows + 1),
        SlotShape::SmallerSquare => (rows.min(cols), rows.min(cols)),
        SlotShape::Scalar => (1, 1),
    }
}

/// Returns a slot of shape `[rows, cols]` before the first update; pad lanes are zero.
fn first_values<A: Arithmetic>(first: First, rows: usize, cols: usize, weights: &[A::T]) -> A::Buffer {
    let mut values = A::zeros(rows * padded(cols));
    match first {
        First::Weights => values.copy_from_slice(weights),
        First::Value(value) if value != 0.0 => {
            let rows = values.chunks_exact_mut(padded(cols).max(1));
            rows.for_each(|row| row[..cols].fill(A::T::splat(value)));
        }
        First::Value(_) => {}
    }
    values
}

/// All tensors of a group, for rules that work on whole tensors.
pub(crate) struct Tensors<'a, A: Arithmetic> {
    pub(crate) all: &'a mut [Tensor<A::Buffer>],
    /// All parameters.
    pub(crate) weights: &'a mut [A::T],
    /// Gradients of all parameters, divided by the number of samples; the rule may overwrite them.
    pub(crate) gradients: &'a mut [A::T],
    /// Scalars of the rule.
    pub(crate) scalars: &'a mut [f64],
    /// Workspace for eigendecompositions of square slots.
    pub(crate) eigen: &'a mut Eigen,
}

/// Returns the largest side of the square matrices that `rule` keeps for the tensor `entry`.
pub(crate) fn largest_square(entry: &Entry, rule: &Rule) -> usize {
    let squares = [SlotShape::SquareOfRows, SlotShape::SquareOfCols, SlotShape::SquareOfInputs];
    let kept = rule.slots().into_iter().map(|slot| slot.shape).filter(|shape| squares.contains(shape));
    kept.filter(|shape| rule.needs(*shape, entry)).map(|shape| dimensions(shape, entry).0).max().unwrap_or(0)
}

/// Returns the first `S` items; a rule's slots come from the same table that defines its `S`.
pub(crate) fn take<T, const S: usize>(mut parts: impl Iterator<Item = T>) -> [T; S] {
    std::array::from_fn(|_| parts.next().expect("a state has the slots of its rule"))
}
