//! Exact products of the Hessian of the training loss with a vector: rates of change of the gradient along it.
//!
//! Pearlmutter, "Fast Exact Multiplication by the Hessian", Neural Computation 6, 1994: the passes forward and backward
//! are differentiated along the direction, layer by layer.

use super::passes::{Passes, divisor};
use super::probe::Unwanted;
use crate::Result;
use crate::network::{Bend, Mode, Plan, RateSums, Tangent};
use crate::session::tally::Tally;
use crate::{Cause, Error};
use schuss_data::Feed;
use schuss_data::random::Purpose;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start};
use schuss_kernels::{Buffer, padded};
use std::mem::swap;
use std::ops::Range;

/// Rates of change of one microbatch's numbers along the direction.
struct Rates {
    /// Of the outputs of every stage: [capacity, outputs]
    outputs: Vec<Buffer>,
    /// Of the gradients at the outputs of a stage and of the one before it: [capacity, widest]
    deltas: [Buffer; 2],
    /// [capacity, widest]
    scratch: Buffer,
    /// Sums over samples of the rates of the weights' gradients.
    sums: RateSums,
}

impl Rates {
    fn new(plan: &Plan, capacity: usize) -> Self {
        let rows = |width: usize| Buffer::zeros(capacity * padded(width));
        let widest = plan.widest_gradient();
        Self {
            outputs: plan.stages.iter().map(|stage| rows(stage.outputs)).collect(),
            deltas: [rows(widest), rows(widest)],
            scratch: rows(widest),
            sums: RateSums::new(plan.layout.len()),
        }
    }
}

/// Checks that second derivatives of the loss and of all layers are known.
///
/// # Errors
/// A usage error that names the loss or the layer.
pub(super) fn check(passes: &Passes) -> Result<()> {
    let refuse = |what: String, advice: &str| {
        Err(Error::usage(what).because(Cause::Mismatch).advise(advice.to_owned()))
    };
    let loss = &passes.setting.loss;
    if !loss.has_curvature() {
        let what = format!("sharpness needs second derivatives, which are not known for loss `{loss}`");
        return refuse(what, "--loss cross-entropy, nll, bce, mse, huber, smooth-l1 or l1, or no sharpness");
    }
    let lowest = passes.plan.lowest_trained();
    let mut stages = passes.plan.stages.iter().skip(lowest);
    match stages.find(|stage| !stage.operation().has_curvature()) {
        None => Ok(()),
        Some(stage) => refuse(
            format!(
                "sharpness needs second derivatives, which are not known for layer {} of model `{}`",
                stage.layer, passes.plan.model
            ),
            "linear layers, activations, dropout, flatten, avg-pool and log-softmax, or no sharpness",
        ),
    }
}

impl Passes {
    /// Returns H v, the Hessian of the mean training loss of the samples at `positions` times `direction`.
    pub(super) fn curvature(
        &mut self,
        samples: &mut Feed,
        positions: Range<usize>,
        direction: &[f32],
    ) -> Result<Vec<f32>> {
        let mut rates = Rates::new(&self.plan, self.sizes.microbatch);
        let mut weight = 0.0;
        for first in positions.clone().step_by(self.sizes.microbatch) {
            let rows = self.sizes.microbatch.min(positions.end - first);
            self.gather(samples, first, rows, Purpose::Noise)?;
            self.add_weights(rows, &mut weight);
            let mode = self.training(0, first);
            self.forward(rows, Some(&mode), &mut Tally::default());
            self.move_outputs(&mut rates, direction, rows, &mode);
            self.move_top(&mut rates, rows);
            let start = if first == positions.start { Start::Fresh } else { Start::Continue };
            self.move_gradients(&mut rates, direction, rows, &mode, start);
        }
        Ok(rates.sums.divided(divisor(weight)))
    }

    /// Computes the rates of the outputs of all stages.
    fn move_outputs(&mut self, rates: &mut Rates, direction: &[f32], rows: usize, mode: &Mode) {
        let Self { team, plan, arena, params, .. } = self;
        let lowest = plan.lowest_trained();
        for (index, stage) in plan.stages.iter().enumerate().skip(lowest) {
            let (before, from_here) = rates.outputs.split_at_mut(index);
            let x = if index == 0 { &arena.input } else { &arena.outputs[index - 1] };
            let x_rate = before.last().filter(|_| index > lowest);
            stage.operation().tangent(Tangent {
                team,
                values: params.values(),
                direction,
                tensors: stage.tensors(&plan.layout),
                input: stage.input,
                x: Matrix::new(x, rows, stage.inputs),
                y: Matrix::new(&arena.outputs[index], rows, stage.outputs),
                x_rate: x_rate.map(|rate| Matrix::new(rate, rows, stage.inputs)),
                y_rate: MatrixMut::new(&mut from_here[0], rows, stage.outputs),
                layer: stage.layer,
                relu: stage.relu,
                mode,
            });
        }
    }

    /// Computes the rates of the gradients at the outputs of the network.
    fn move_top(&self, rates: &mut Rates, rows: usize) {
        let (outputs, stride) = (self.plan.outputs, padded(self.plan.outputs));
        let Some(output_rates) = rates.outputs.last() else { return };
        for row in 0..rows {
            let rate = &output_rates[row * stride..][..outputs];
            let to = &mut rates.deltas[0][row * stride..][..stride];
            to.fill(0.0);
            let (z, target) = (self.arena.output(&self.plan, row), self.target(row));
            self.setting.loss.curvature(z, target, rate, &mut to[..outputs]);
        }
    }

    /// Propagates gradients and their rates back, and adds the rates of the weights' gradients to the sums.
    fn move_gradients(
        &mut self,
        rates: &mut Rates,
        direction: &[f32],
        rows: usize,
        mode: &Mode,
        start: Start,
    ) {
        let lowest = self.plan.lowest_trained();
        let Rates { outputs, deltas: [delta, below], scratch, sums } = rates;
        for index in self.plan.backwards() {
            let Self { team, plan, arena, params, .. } = &mut *self;
            let stage = &plan.stages[index];
            let x = if index == 0 { &arena.input } else { &arena.outputs[index - 1] };
            let x_rate = (index > lowest).then(|| Matrix::new(&outputs[index - 1], rows, stage.inputs));
            stage.operation().bend(Bend {
                team,
                values: params.values(),
                direction,
                tensors: stage.tensors(&plan.layout),
                scratch,
                input: stage.input,
                x: Matrix::new(x, rows, stage.inputs),
                y: Matrix::new(&arena.outputs[index], rows, stage.outputs),
                x_rate,
                y_rate: Matrix::new(&outputs[index], rows, stage.outputs),
                dy: Matrix::new(&arena.deltas[0], rows, stage.outputs),
                dy_rate: Matrix::new(delta, rows, stage.outputs),
                dx_rate: (index > lowest).then(|| MatrixMut::new(below, rows, stage.inputs)),
                sums,
                start,
                layer: stage.layer,
                after_relu: plan.relu_before(index),
                mode,
            });
            swap(delta, below);
            let to = &mut Unwanted { team, values: params.values() };
            arena.backward(plan, index, rows, to, mode);
        }
    }
}
