//! Buffers for the forward and backward pass of one microbatch, allocated once.

use super::layer::{Backward, Forward, Gradients};
use super::units::Units;
use super::{Mode, Plan, Weights};
use crate::loss::Answer;
use crate::loss::Targets;
use crate::network::Noise;
use crate::{Error, Result};
use schuss_data::random::Key;
use schuss_data::{Batch, Row};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::Score;
use schuss_kernels::{Buffer, PASS_WORK, Team, padded, prefetch};

/// Default number of samples per microbatch: enough to keep the products busy, few enough for the activations of wide
/// layers to stay in the L2 cache.
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
    /// Targets, unless they are classes: [capacity, outputs]
    pub(crate) targets: Option<Buffer>,
    /// Kind of the targets.
    kind: Targets,
    /// Units of the targets, if outputs are not compared with the stored numbers.
    units: Option<Units>,
    /// Moments of normalising stages.
    scratch: Buffer,
    /// [capacity]
    pub(crate) labels: Vec<u32>,
    /// [capacity]
    pub(crate) scores: Vec<Score>,
}

impl Arena {
    /// Allocates buffers for microbatches of up to `capacity` samples.
    pub(crate) fn new(plan: &Plan, capacity: usize, targets: Targets, units: Option<Units>) -> Self {
        let widest = plan.widest_gradient();
        Self::with_deltas(plan, capacity, targets, units, [widest, widest])
    }

    /// Allocates buffers for predictions of up to `capacity` samples, without a backward pass.
    pub(crate) fn to_predict(plan: &Plan, capacity: usize, targets: Targets) -> Self {
        Self::with_deltas(plan, capacity, targets, None, [plan.outputs, 0])
    }

    fn with_deltas(
        plan: &Plan,
        capacity: usize,
        targets: Targets,
        units: Option<Units>,
        widths: [usize; 2],
    ) -> Self {
        let rows = |width: usize| Buffer::zeros(capacity * padded(width));
        Self {
            input: rows(plan.inputs),
            outputs: plan.stages.iter().map(|stage| rows(stage.outputs)).collect(),
            deltas: widths.map(rows),
            targets: (!targets.is_class()).then(|| rows(plan.outputs)),
            kind: targets,
            units,
            scratch: Buffer::zeros(plan.scratch(capacity)),
            labels: vec![0; capacity],
            scores: vec![Score::default(); capacity],
        }
    }

    /// Number of bytes of buffers for microbatches of up to `capacity` samples.
    pub(crate) fn bytes(plan: &Plan, capacity: usize, targets: Targets) -> usize {
        let goals = if targets.is_class() { 0 } else { padded(plan.outputs) * size_of::<f32>() };
        let sample = plan.bytes_per_sample() + goals + size_of::<u32>() + size_of::<Score>();
        capacity * sample + plan.scratch(capacity) * size_of::<f32>()
    }

    /// Gathers the samples of `batch`, normalised on the way, and their targets.
    ///
    /// # Errors
    /// A data error for a sample in a class that has no output.
    pub(crate) fn gather(&mut self, team: &mut Team, plan: &Plan, batch: &Batch) -> Result<()> {
        let (rows, stride) = (batch.len(), padded(plan.inputs));
        gather_inputs(team, batch, &mut self.input);
        match (&mut self.targets, self.kind) {
            (None, _) | (_, Targets::Class) => take_classes(batch, plan.outputs, &mut self.labels)?,
            (Some(targets), Targets::Input) => {
                targets[..rows * stride].copy_from_slice(&self.input[..rows * stride]);
            }
            (Some(targets), Targets::Real) => {
                for (row, to) in targets.chunks_mut(padded(plan.outputs)).enumerate().take(rows) {
                    take_numbers(batch.reals(row), self.units.as_ref(), to);
                }
            }
        }
        Ok(())
    }

    /// Applies `noise` to the inputs of the `rows` gathered samples, `width` numbers each, from position
    /// `first` of the epoch on.
    pub(crate) fn disturb(
        &mut self,
        team: &mut Team,
        noise: &Noise,
        key: Key,
        first: usize,
        rows: usize,
        width: usize,
    ) {
        let stride = padded(width);
        team.for_chunks(
            rows * stride * NOISE_WORK,
            &mut self.input[..rows * stride],
            stride,
            |row, input| {
                noise.disturb(&mut input[..width], &mut key.draws((first + row) as u64));
            },
        );
    }

    /// Returns the targets of sample `row`, one per output, unless they are classes.
    pub(crate) fn target(&self, plan: &Plan, row: usize) -> &[f32] {
        let from = self.targets.as_ref().unwrap_or(&self.input);
        &from[row * padded(plan.outputs)..][..plan.outputs]
    }

    /// Returns the network's inputs for sample `row`.
    pub(crate) fn input(&self, plan: &Plan, row: usize) -> &[f32] {
        &self.input[row * padded(plan.inputs)..][..plan.inputs]
    }

    /// Writes the predictions for the first `rows` samples to `deltas[0]`, which is only needed in training.
    pub(crate) fn answer(&mut self, team: &mut Team, plan: &Plan, rows: usize, answer: Answer) {
        let outputs = Matrix::new(self.outputs.last().unwrap_or(&self.input), rows, plan.outputs);
        answer.write(team, outputs, MatrixMut::new(&mut self.deltas[0], rows, plan.outputs));
    }

    /// Returns the predictions for sample `row`.
    pub(crate) fn answered(&self, plan: &Plan, row: usize) -> &[f32] {
        &self.deltas[0][row * padded(plan.outputs)..][..plan.outputs]
    }

    /// Returns the outputs for sample `row`.
    pub(crate) fn output(&self, plan: &Plan, row: usize) -> &[f32] {
        let from = self.outputs.last().unwrap_or(&self.input);
        &from[row * padded(plan.outputs)..][..plan.outputs]
    }

    /// Runs the first `rows` samples through all stages.
    pub(crate) fn forward(&mut self, team: &mut Team, plan: &Plan, mut weights: Weights, rows: usize) {
        for (index, stage) in plan.stages.iter().enumerate() {
            let (before, from_here) = self.outputs.split_at_mut(index);
            let x = Matrix::new(before.last().unwrap_or(&self.input), rows, stage.inputs);
            let y = MatrixMut::new(&mut from_here[0], rows, stage.outputs);
            stage.operation().forward(Forward {
                team,
                weights: weights.reborrow(),
                tensors: stage.tensors(&plan.layout),
                scratch: &mut self.scratch,
                input: stage.input,
                x,
                y,
                layer: stage.layer,
                relu: stage.relu,
            });
        }
    }

    /// Propagates the gradient in `deltas[0]` back through stage `index` of the plan, from its outputs to its inputs, if
    /// a stage below needs it; the gradients of its tensors go to `gradients`.
    pub(crate) fn backward(
        &mut self,
        plan: &Plan,
        index: usize,
        rows: usize,
        gradients: &mut dyn Gradients,
        mode: &Mode,
    ) {
        let stage = &plan.stages[index];
        let [delta, below] = &mut self.deltas;
        let x = if index == 0 { &self.input } else { &self.outputs[index - 1] };
        let dx = (index > plan.lowest_trained()).then(|| MatrixMut::new(below, rows, stage.inputs));
        stage.operation().backward(Backward {
            gradients,
            tensors: stage.tensors(&plan.layout),
            scratch: &mut self.scratch,
            input: stage.input,
            x: Matrix::new(x, rows, stage.inputs),
            y: Matrix::new(&self.outputs[index], rows, stage.outputs),
            dy: Matrix::new(delta, rows, stage.outputs),
            dx,
            layer: stage.layer,
            after_relu: plan.relu_before(index),
            mode,
        });
        self.deltas.swap(0, 1);
    }
}

/// Writes the targets of a sample to the front of `to`, in the scale of the outputs.
fn take_numbers(stored: &[f32], units: Option<&Units>, to: &mut [f32]) {
    for (output, (to, &number)) in to.iter_mut().zip(stored).enumerate() {
        *to = units.map_or(number, |units| units.wanted(output, number));
    }
}

/// Writes the classes of the samples of `batch` to the front of `labels`; 0 for samples without a class.
///
/// # Errors
/// A data error for a class beyond the last of `classes`.
pub(crate) fn take_classes(batch: &Batch, classes: usize, labels: &mut [u32]) -> Result<()> {
    for (row, label) in labels[..batch.len()].iter_mut().enumerate() {
        let class = batch.class(row).unwrap_or(0);
        if class as usize >= classes {
            return Err(Error::data(format!(
                "a sample is labelled {class}, but there are {classes} classes"
            )));
        }
        *label = class;
    }
    Ok(())
}

/// Cost of the noise on one number, in multiply-adds.
const NOISE_WORK: usize = 64;

/// Writes the normalised features of the samples of `batch` to the rows of `to`: [samples, inputs].
pub(crate) fn gather_inputs(team: &mut Team, batch: &Batch, to: &mut [f32]) {
    let (rows, stride) = (batch.len(), padded(batch.features()));
    team.for_chunks(rows * stride * PASS_WORK, &mut to[..rows * stride], stride, |row, to| {
        if row + 1 < rows {
            match batch.row(row + 1) {
                Row::Bytes(bytes) => prefetch(bytes),
                Row::Floats(floats) => prefetch(floats),
            }
        }
        batch.write(row, to);
    });
}
