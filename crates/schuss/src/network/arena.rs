//! The buffers that one microbatch travels through, allocated once.

use super::{Params, Plan};
use schuss_data::Split;
use schuss_kernels::matrix::{Matrix, MatrixMut, linear};
use schuss_kernels::rows::Score;
use schuss_kernels::{Buffer, Team, padded};

/// Samples that travel together when nobody says otherwise: enough to keep the products busy, few enough for
/// the activations of wide layers to stay in the second cache.
pub(crate) const MICROBATCH: usize = 256;

/// Inputs, activations, their gradients, labels and scores of up to `capacity` samples.
#[derive(Clone, Debug)]
pub(crate) struct Arena {
    /// [capacity, inputs]
    pub(crate) input: Buffer,
    /// One per stage: [capacity, outputs]
    pub(crate) outputs: Vec<Buffer>,
    /// Gradient of the loss at the outputs of a stage and of the one before it: [capacity, widest]
    pub(crate) deltas: [Buffer; 2],
    /// [capacity]
    pub(crate) labels: Vec<u32>,
    /// [capacity]
    pub(crate) scores: Vec<Score>,
}

impl Arena {
    /// Buffers for microbatches of up to `capacity` samples.
    pub(crate) fn new(plan: &Plan, capacity: usize) -> Self {
        let rows = |width: usize| Buffer::zeros(capacity * padded(width));
        let widest = plan.stages.iter().map(|stage| stage.outputs).max().unwrap_or(0);
        Self {
            input: rows(plan.inputs),
            outputs: plan.stages.iter().map(|stage| rows(stage.outputs)).collect(),
            deltas: [rows(widest), rows(widest)],
            labels: vec![0; capacity],
            scores: vec![Score::default(); capacity],
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let buffers = self.outputs.iter().chain(&self.deltas).chain([&self.input]);
        let floats: usize = buffers.map(|buffer| buffer.len()).sum();
        floats * size_of::<f32>() + size_of_val(&self.labels[..]) + size_of_val(&self.scores[..])
    }

    /// What stage `index` sees of the first `rows` samples.
    pub(crate) fn stage_input(&self, plan: &Plan, index: usize, rows: usize) -> Matrix<'_> {
        let from = if index == 0 { &self.input } else { &self.outputs[index - 1] };
        Matrix::new(from, rows, plan.stages[index].inputs)
    }

    /// Gathers `rows` samples of `split` from position `first` on, pixels to numbers on the way; `index` says which
    /// sample stands at a position.
    pub(crate) fn gather(
        &mut self,
        team: &mut Team,
        split: &Split,
        first: usize,
        rows: usize,
        index: &(impl Fn(usize) -> usize + Sync),
    ) {
        for (row, label) in self.labels[..rows].iter_mut().enumerate() {
            *label = split.labels()[index(first + row)];
        }
        let stride = padded(split.features());
        team.for_chunks(rows * stride, &mut self.input[..rows * stride], stride, |row, to| {
            split.gather(index(first + row), to);
        });
    }

    /// Runs the first `rows` samples through all stages.
    pub(crate) fn forward(&mut self, team: &mut Team, plan: &Plan, params: &Params, rows: usize) {
        for (index, stage) in plan.stages.iter().enumerate() {
            let (before, from_here) = self.outputs.split_at_mut(index);
            let x = Matrix::new(before.last().unwrap_or(&self.input), rows, stage.inputs);
            let w = Matrix::new(&params.values()[stage.weight.clone()], stage.inputs, stage.outputs);
            let bias = &params.values()[stage.bias.clone()];
            let y = MatrixMut::new(&mut from_here[0], rows, stage.outputs);
            linear(team, x, w, bias, stage.relu, y);
        }
    }
}
