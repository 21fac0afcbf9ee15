//! Gradients summed over the samples of an update.

use super::passes::{Descend, Microbatch, Passes};
use super::sizes::Sizes;
use crate::network::{Entry, Gradients, VectorGradients};
use crate::state::{State, StateCodec};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums, weight_gradient};
use schuss_kernels::{Buffer, Team};
use std::io;
use std::ops::Range;

/// Sums over the samples of an update.
pub(super) struct Sums {
    /// Sums over a leaf, or over a whole update of one leaf.
    pub(super) leaf: Buffer,
    /// Sums over leaves; empty if an update has only one.
    total: Vec<f64>,
}

impl Sums {
    /// Allocates sums of `len` numbers.
    pub(super) fn new(len: usize, sizes: &Sizes) -> Self {
        let total = if sizes.has_leaves() { vec![0.0; len] } else { vec![] };
        Self { leaf: Buffer::zeros(len), total }
    }

    /// Number of bytes of sums of `len` numbers.
    pub(super) fn bytes(len: usize, sizes: &Sizes) -> usize {
        let total = if sizes.has_leaves() { size_of::<f64>() } else { 0 };
        len * (size_of::<f32>() + total)
    }

    /// Returns true if leaves are added up, so that the sums are in the total.
    pub(super) fn has_total(&self) -> bool {
        !self.total.is_empty()
    }

    /// Adds a leaf of `leaf` samples to the total of a large update, if it is full after `done` samples or the last one.
    pub(super) fn close_full_leaf(&mut self, team: &mut Team, leaf: usize, done: usize, last: bool) {
        if self.has_total() && (last || done.is_multiple_of(leaf)) {
            self.close(team, done <= leaf);
        }
    }

    /// Propagates the gradient at the outputs of a microbatch back through the network, and adds those of all tensors.
    pub(super) fn add(&mut self, passes: &mut Passes, microbatch: &Microbatch) {
        let Passes { team, plan, arena, params, .. } = passes;
        for index in plan.backwards() {
            let stage = &plan.stages[index];
            let (tensors, place) = (stage.tensors(&plan.layout), stage.place(&plan.layout));
            let (values, leaf, start) = (params.values(), &mut self.leaf[..], microbatch.start);
            let mut to = Summing { team, values, tensors, place, leaf, start };
            arena.backward(plan, index, microbatch.rows, &mut to, &microbatch.mode);
        }
    }

    /// Adds the leaf to the total, or starts the total with it.
    fn close(&mut self, team: &mut Team, first: bool) {
        let leaf = &self.leaf[..];
        const CHUNK: usize = 4_096;
        team.for_chunks(self.total.len(), &mut self.total, CHUNK, |chunk, total| {
            for (total, &sum) in total.iter_mut().zip(&leaf[chunk * CHUNK..]) {
                *total = if first { f64::from(sum) } else { *total + f64::from(sum) };
            }
        });
    }

    /// leaf ← (total, or leaf if there is none) / count.
    pub(super) fn divide(&mut self, team: &mut Team, count: f64) {
        const CHUNK: usize = 4_096;
        let (leaf, total) = (&mut self.leaf[..], &self.total[..]);
        team.for_chunks(leaf.len(), leaf, CHUNK, |chunk, leaf| match total.get(chunk * CHUNK..) {
            Some(total) if !total.is_empty() => {
                leaf.iter_mut().zip(total).for_each(|(gradient, total)| *gradient = (total / count) as f32);
            }
            _ => leaf.iter_mut().for_each(|gradient| *gradient /= count as f32),
        });
    }
}

impl Descend for Sums {
    fn take(&mut self, passes: &mut Passes, microbatch: &Microbatch) {
        self.add(passes, microbatch);
    }

    fn close_leaf(&mut self, passes: &mut Passes, done: usize, last: bool) {
        let leaf = passes.sizes.leaf;
        self.close_full_leaf(&mut passes.team, leaf, done, last);
    }
}

impl State for Sums {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.leaf.code(codec)?;
        codec.words(&mut self.total)
    }
}

/// Destination of gradients that are summed over the samples of an update.
struct Summing<'a> {
    team: &'a mut Team,
    values: &'a [f32],
    tensors: &'a [Entry],
    /// Range of the layer's vectors in the sums.
    place: Range<usize>,
    leaf: &'a mut [f32],
    start: Start,
}

impl Gradients for Summing<'_> {
    fn compute(&mut self) -> (&mut Team, &[f32]) {
        (self.team, self.values)
    }

    fn weight_and_bias(&mut self, x: Matrix, dy: Matrix) {
        let [weight, bias] = self.tensors else { return };
        column_sums(self.team, dy, self.start, &mut self.leaf[bias.range()]);
        let to = MatrixMut::new(&mut self.leaf[weight.range()], weight.rows, weight.cols);
        weight_gradient(self.team, x, dy, self.start, to);
    }

    fn vectors(&mut self, sum: &mut VectorGradients) {
        sum(self.team, self.values, &mut self.leaf[self.place.clone()], self.start);
    }
}
