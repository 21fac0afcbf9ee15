//! The plan in reverse: gradients of inputs, then of parameters, summed or applied at once.

use super::engine::{Engine, Path, Uphill};
use super::tally::{Halt, Partial, Seen};
use crate::Result;
use crate::network::{Entry, Gradients, Mode, Params, VectorGradients};
use crate::optim::Updater;
use crate::session::Strategy;
use crate::state::{State, StateCodec};
use schuss_data::Feed;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums, weight_gradient};
use schuss_kernels::{Buffer, Team, padded};
use std::io;
use std::ops::Range;

/// Number of samples whose gradients are summed in one f32 chain; the leaves of larger updates are added in f64.
const LEAF: usize = 4_096;

/// Returns the number of samples of a leaf that holds whole groups, if given.
pub(super) fn leaf_of(group: Option<usize>) -> usize {
    group.map_or(LEAF, |group| (LEAF / group).max(1) * group)
}

/// Sums over the samples of an update.
pub(super) struct Sums {
    /// Sums over a leaf, or over a whole update of one leaf.
    pub(super) leaf: Buffer,
    /// Sums over leaves; empty if an update has only one.
    total: Vec<f64>,
}

impl Sums {
    /// Allocates sums of `len` numbers for updates of up to `samples` samples.
    pub(super) fn new(len: usize, samples: usize, leaf: usize) -> Self {
        Self { leaf: Buffer::zeros(len), total: if samples > leaf { vec![0.0; len] } else { vec![] } }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.leaf[..]) + size_of_val(&self.total[..])
    }

    /// Adds a leaf to the total of a large update, if it is full after `done` samples or the last one.
    pub(super) fn close_leaf(&mut self, team: &mut Team, (done, leaf): (usize, usize), last: bool) {
        if !self.total.is_empty() && (last || done.is_multiple_of(leaf)) {
            self.close(team, done <= leaf);
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

/// Destination of gradients that are applied at once; those of a weight within the product that sums them.
struct Stepping<'a> {
    team: &'a mut Team,
    params: &'a mut Params,
    updater: &'a mut Updater<Buffer>,
    tensors: &'a [Entry],
    /// Entries that the layer trains.
    trained: Range<usize>,
    /// Buffer for the sums of its vectors.
    sums: &'a mut [f32],
    /// Divisor of sums.
    count: f64,
}

impl Gradients for Stepping<'_> {
    fn compute(&mut self) -> (&mut Team, &[f32]) {
        (self.team, self.params.values())
    }

    fn weight_and_bias(&mut self, x: Matrix, dy: Matrix) {
        let [weight, bias] = self.tensors else { return };
        let (entry, count) = (self.trained.start, self.count as f32);
        let sums = &mut self.sums[..padded(bias.cols)];
        column_sums(self.team, dy, Start::Fresh, sums);
        let values = self.params.values_mut();
        self.updater.step_tensor(self.team, entry + 1, sums, f64::from(count), &mut values[bias.range()]);
        let to = MatrixMut::new(&mut values[weight.range()], weight.rows, weight.cols);
        self.updater.step_within_product(self.team, entry, x, dy, count, to);
    }

    fn vectors(&mut self, sum: &mut VectorGradients) {
        let len = self.tensors[..self.trained.len()].iter().map(|tensor| tensor.range().len()).sum();
        sum(self.team, self.params.values(), &mut self.sums[..len], Start::Fresh);
        let mut rest = &self.sums[..len];
        for (entry, tensor) in self.trained.clone().zip(self.tensors) {
            let (own, others) = rest.split_at(tensor.range().len());
            let to = &mut self.params.values_mut()[tensor.range()];
            self.updater.step_tensor(self.team, entry, own, self.count, to);
            rest = others;
        }
    }
}

impl Engine {
    /// Propagates the gradient at the outputs of `rows` samples back to all parameters, which may be stepped at once;
    /// `count` is the divisor of sums.
    pub(super) fn backward(&mut self, rows: usize, count: f64, start: Start, mode: &Mode) {
        let Self { team, plan, arena, params, path, updater, .. } = self;
        if let Path::InBackward { .. } = path {
            updater.advance();
        }
        for index in (plan.lowest_trained()..plan.stages.len()).rev() {
            let stage = &plan.stages[index];
            let tensors = stage.tensors(&plan.layout);
            match path {
                Path::Stored(Sums { leaf, .. }) => {
                    let (values, place) = (params.values(), stage.place(&plan.layout));
                    let mut to = Summing { team, values, tensors, place, leaf, start };
                    arena.backward(plan, index, rows, &mut to, mode);
                }
                Path::InBackward { sums } => {
                    let trained = stage.trained();
                    let mut to = Stepping { team, params, updater, tensors, trained, sums, count };
                    arena.backward(plan, index, rows, &mut to, mode);
                }
                Path::BlockedSample { .. } => return,
            }
            arena.deltas.swap(0, 1);
        }
    }

    /// Makes another pass over the samples of an update at weights with a higher loss, if gradients are to be evaluated
    /// there. Returns the divisor of sums; None, with the weights restored, if cancelled.
    ///
    /// # Errors
    /// If samples cannot be read; the weights are restored.
    pub(super) fn look_uphill(
        &mut self,
        weight: f64,
        feed: &mut Feed,
        positions: Range<usize>,
        cancelled: impl Fn() -> bool,
    ) -> Result<Option<f64>> {
        let (Path::Stored(gradients), Some(Uphill { sam, from })) = (&mut self.path, &mut self.uphill) else {
            return Ok(Some(weight));
        };
        gradients.divide(&mut self.team, weight);
        from.copy_from_slice(self.params.values());
        sam.climb(&mut self.team, &gradients.leaf, self.params.values_mut());
        let seen = self.look(feed, positions, Partial::default(), cancelled);
        if let Some(Uphill { from, .. }) = &self.uphill {
            self.params.values_mut().copy_from_slice(from);
        }
        Ok(Halt::stopped(seen)?.map(|seen| seen.weight))
    }

    /// Ends a leaf after `done` samples of an update, if it is full or the last one.
    pub(super) fn close_leaf(&mut self, done: usize, last: bool) {
        let Self { team, path, curvature, leaf, .. } = self;
        if let Path::Stored(gradients) = path {
            gradients.close_leaf(team, (done, *leaf), last);
        }
        if let Some(curvature) = curvature {
            curvature.close_leaf(team, (done, *leaf), last);
        }
    }

    /// Applies the optimizer's step to a stored gradient, divided once by the weight of its samples; rules that use
    /// whole tensors get it divided.
    pub(super) fn step(&mut self, &Seen { tally, weight: mut count }: &Seen) {
        let Path::Stored(gradients) = &mut self.path else { return };
        if !gradients.total.is_empty() || self.strategy == Strategy::Staged {
            gradients.divide(&mut self.team, count);
            count = 1.0;
        }
        self.updater.advance();
        if let Some(curvature) = &mut self.curvature {
            curvature.hand_over(&mut self.team, tally.samples as f64, &mut self.updater);
        }
        let (sums, values) = (&mut gradients.leaf, self.params.values_mut());
        self.updater.step(&mut self.team, sums, count, values, tally.mean_minimised());
        if self.strategy == Strategy::InBackward {
            self.path = Path::in_backward(&self.plan); // the update was begun under limits that split it
        }
    }
}
