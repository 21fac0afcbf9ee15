//! What optimizers compute with: the kernels on f32, or plain loops on f64, which are the reference.

use super::rule::{First, Slot, SlotShape};
use crate::network::{Entry, Role};
use schuss_kernels::sweep::{Elementwise, sweep, sweep_reference};
use schuss_kernels::{Buffer, Lane, Team, padded};
use std::fmt::Debug;
use std::ops::{DerefMut, Range};

/// The operations of an update.
pub(crate) trait Arithmetic {
    /// A number.
    type T: Lane + PartialOrd + Default + Debug + Send + Sync;
    /// Many of them.
    type Buffer: DerefMut<Target = [Self::T]> + Clone + Debug + Send;

    /// So many zeros.
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
}

/// Plain loops on f64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain;

impl Arithmetic for Plain {
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
}

/// A tensor of the parameters and what its rule keeps for it.
#[derive(Clone, Debug)]
pub(crate) struct Tensor<B> {
    /// Index in the layout.
    pub(crate) entry: usize,
    /// Where it stands in the parameters.
    pub(crate) place: Range<usize>,
    /// Inputs of a weight; 1 for a bias.
    pub(crate) rows: usize,
    /// Outputs.
    pub(crate) cols: usize,
    /// Whether it is a matrix of weights.
    pub(crate) is_matrix: bool,
    /// In the order of [`Rule::slots`](super::Rule::slots).
    pub(crate) slots: Vec<B>,
}

impl<B> Tensor<B> {
    /// The tensor of `entry`, the `index`-th of the layout, with what `slots` are at first.
    pub(crate) fn new<A: Arithmetic<Buffer = B>>(
        index: usize,
        entry: &Entry,
        slots: &[Slot],
        weights: &[A::T],
    ) -> Self {
        let place = entry.range();
        let make = |slot: &Slot| first_values::<A>(slot, entry, &weights[place.clone()]);
        let slots = slots.iter().map(make).collect();
        let (rows, cols) = (entry.rows, entry.cols);
        Self { entry: index, rows, cols, is_matrix: entry.role == Role::Weight, slots, place }
    }

    /// Numbers that count, pad lanes left out.
    pub(crate) fn len(&self) -> usize {
        self.rows * self.cols
    }
}

/// A slot before the first update; pad lanes are zero.
fn first_values<A: Arithmetic>(slot: &Slot, entry: &Entry, weights: &[A::T]) -> A::Buffer {
    let (rows, cols) = match slot.shape {
        SlotShape::Like => (entry.rows, entry.cols),
        SlotShape::Rows => (1, entry.rows),
        SlotShape::Cols => (1, entry.cols),
        SlotShape::SquareOfRows => (entry.rows, entry.rows),
        SlotShape::SquareOfCols => (entry.cols, entry.cols),
        SlotShape::Scalar => (1, 1),
    };
    let mut values = A::zeros(rows * padded(cols));
    match slot.first {
        First::Weights => values.copy_from_slice(weights),
        First::Value(value) if value != 0.0 => {
            let rows = values.chunks_exact_mut(padded(cols));
            rows.for_each(|row| row[..cols].fill(A::T::splat(value)));
        }
        First::Value(_) => {}
    }
    values
}

/// All tensors of a group, for a rule that looks at whole tensors.
pub(crate) struct Tensors<'a, A: Arithmetic> {
    pub(crate) all: &'a mut [Tensor<A::Buffer>],
    /// All parameters.
    pub(crate) weights: &'a mut [A::T],
    /// Their gradients, divided by the number of samples; the rule may overwrite them.
    pub(crate) gradients: &'a mut [A::T],
    /// The rule's scalars.
    pub(crate) scalars: &'a mut [f64],
}

/// The first `S` of some parts; a rule's slots are made by the same table that knows its `S`.
pub(crate) fn take<T, const S: usize>(mut parts: impl Iterator<Item = T>) -> [T; S] {
    std::array::from_fn(|_| parts.next().expect("a state has the slots of its rule"))
}
