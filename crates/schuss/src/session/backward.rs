//! The plan read upwards: gradients of inputs, then of parameters, summed or stepped at once.

use super::engine::{Engine, Path, Uphill};
use super::tally::{Halt, Partial, Seen};
use crate::Result;
use crate::network::{Arena, Dense, Mode, StageKind};
use crate::optim::Strategy;
use crate::state::{State, StateCodec};
use schuss_data::Feed;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums, input_gradient, weight_gradient};
use schuss_kernels::{Buffer, Team, padded};
use std::io;
use std::ops::Range;

/// Samples whose gradients are summed in one f32 chain; the leaves of larger updates are added in f64.
const LEAF: usize = 4_096;

/// The same where leaves must hold whole groups of so many samples.
pub(super) fn leaf_of(group: Option<usize>) -> usize {
    group.map_or(LEAF, |group| (LEAF / group).max(1) * group)
}

/// Sums over the samples of an update.
pub(super) struct Sums {
    /// Over the samples of a leaf, or of a whole update that has but one.
    pub(super) leaf: Buffer,
    /// Over leaves; empty where an update has but one.
    total: Vec<f64>,
}

impl Sums {
    /// For `len` numbers and updates of up to `samples` samples.
    pub(super) fn new(len: usize, samples: usize, leaf: usize) -> Self {
        Self { leaf: Buffer::zeros(len), total: if samples > leaf { vec![0.0; len] } else { vec![] } }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.leaf[..]) + size_of_val(&self.total[..])
    }

    /// After `done` samples: a full leaf, or the last one, goes into the total of a large update.
    pub(super) fn close_leaf(&mut self, team: &mut Team, (done, leaf): (usize, usize), last: bool) {
        if !self.total.is_empty() && (last || done.is_multiple_of(leaf)) {
            self.close(team, done <= leaf);
        }
    }

    /// Adds the leaf to the total, or begins that.
    fn close(&mut self, team: &mut Team, first: bool) {
        let leaf = &self.leaf[..];
        const CHUNK: usize = 4_096;
        team.for_chunks(self.total.len(), &mut self.total, CHUNK, |chunk, total| {
            for (total, &sum) in total.iter_mut().zip(&leaf[chunk * CHUNK..]) {
                *total = if first { f64::from(sum) } else { *total + f64::from(sum) };
            }
        });
    }

    /// leaf ← (total, or leaf where there is none) / count.
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

impl Engine {
    /// From the gradient at the outputs of `rows` samples to those of all parameters, which may be stepped at once;
    /// `count` is what sums are divided by.
    pub(super) fn backward(&mut self, rows: usize, count: f64, start: Start, mode: &Mode) {
        if let Path::InBackward { .. } = self.path {
            self.updater.advance();
        }
        let lowest = self.plan.lowest_trained();
        for index in (lowest..self.plan.stages.len()).rev() {
            match self.plan.stages[index].kind.clone() {
                StageKind::Dense(dense) => self.dense(index, &dense, rows, count as f32, start),
                _ => self.other(index, rows, count, start, mode),
            }
            self.arena.deltas.swap(0, 1);
        }
    }

    fn dense(&mut self, index: usize, stage: &Dense, rows: usize, count: f32, start: Start) {
        if index > self.plan.lowest_trained() {
            self.input_gradient(index, stage, rows);
        }
        match &self.path {
            Path::Stored(_) => self.sum_dense(index, stage, rows, start),
            _ => self.step_dense(index, stage, rows, count),
        }
    }

    /// From `deltas[0]` at the outputs of a stage to `deltas[1]` at its inputs.
    pub(super) fn input_gradient(&mut self, index: usize, stage: &Dense, rows: usize) {
        let active = self.plan.relu_before(index);
        let Arena { outputs, deltas: [delta, below], .. } = &mut self.arena;
        let delta = Matrix::new(delta, rows, stage.outputs);
        let w = Matrix::new(&self.params.values()[stage.weight.clone()], stage.inputs, stage.outputs);
        let active = active.then(|| Matrix::new(&outputs[index - 1], rows, stage.inputs));
        input_gradient(&mut self.team, delta, w, active, MatrixMut::new(below, rows, stage.inputs));
    }

    /// Adds a stage's gradient to the leaf.
    fn sum_dense(&mut self, index: usize, stage: &Dense, rows: usize, start: Start) {
        let Path::Stored(Sums { leaf, .. }) = &mut self.path else { return };
        let x = self.arena.stage_input(&self.plan, index, rows);
        let delta = Matrix::new(&self.arena.deltas[0], rows, stage.outputs);
        column_sums(&mut self.team, delta, start, &mut leaf[stage.bias.clone()]);
        let to = MatrixMut::new(&mut leaf[stage.weight.clone()], stage.inputs, stage.outputs);
        weight_gradient(&mut self.team, x, delta, start, to);
    }

    /// Steps a stage's bias and, within the product that sums their gradient, its weights.
    fn step_dense(&mut self, index: usize, stage: &Dense, rows: usize, count: f32) {
        let Path::InBackward { sums } = &mut self.path else { return };
        let sums = &mut sums[..padded(stage.outputs)];
        let x = self.arena.stage_input(&self.plan, index, rows);
        let delta = Matrix::new(&self.arena.deltas[0], rows, stage.outputs);
        column_sums(&mut self.team, delta, Start::Fresh, sums);
        let values = self.params.values_mut();
        let to = &mut values[stage.bias.clone()];
        self.updater.step_tensor(&mut self.team, stage.entry + 1, sums, f64::from(count), to);
        let to = MatrixMut::new(&mut values[stage.weight.clone()], stage.inputs, stage.outputs);
        self.updater.step_within_product(&mut self.team, stage.entry, [x, delta], count, to);
    }

    /// A stage of any other kind: the gradient of its input, and those of its vectors.
    fn other(&mut self, index: usize, rows: usize, count: f64, start: Start, mode: &Mode) {
        let (entries, place) = self.plan.stages[index].vectors(&self.plan.layout);
        let (sums, start) = match &mut self.path {
            Path::Stored(Sums { leaf, .. }) => (&mut leaf[place.clone()], start),
            Path::InBackward { sums } => (&mut sums[..place.len()], Start::Fresh),
            Path::BlockedSample { .. } => return,
        };
        let seen = (self.params.values(), rows);
        self.arena.backward(&mut self.team, (&self.plan, index), seen, (sums, start), mode);
        if let Path::InBackward { sums } = &self.path {
            for entry in entries {
                let own = self.plan.layout.entries()[entry].range();
                let sums = &sums[own.start - place.start..own.end - place.start];
                let to = &mut self.params.values_mut()[own];
                self.updater.step_tensor(&mut self.team, entry, sums, count, to);
            }
        }
    }

    /// Looks at the samples of an update again where the loss is higher, if that is where gradients are to be taken. What
    /// sums are divided by; nothing, and the weights as they were, if cancelled.
    ///
    /// # Errors
    /// What reading the samples reports, and the weights are as they were.
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

    /// After `done` samples of an update.
    pub(super) fn close_leaf(&mut self, done: usize, last: bool) {
        let Self { team, path, curvature, leaf, .. } = self;
        if let Path::Stored(gradients) = path {
            gradients.close_leaf(team, (done, *leaf), last);
        }
        if let Some(curvature) = curvature {
            curvature.close_leaf(team, (done, *leaf), last);
        }
    }

    /// The optimizer's step on a stored gradient, divided once by what its samples weigh; a rule that looks at whole tensors
    /// finds it divided.
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
            self.path = Path::in_backward(&self.plan); // the update was begun under limits that cut it up
        }
    }
}
