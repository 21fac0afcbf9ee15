//! Consecutive updates of a block: the first layer from its delayed products, the others in cache.

use super::Arithmetic;
use super::arithmetic::{Input, Update};
use crate::network::{Dense, Perceptron};
use crate::optim::{IDENTITY, Linear, ScheduledRule, Square};
use crate::session::tally::Tally;
use crate::state::{State, StateCodec};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::Score;
use schuss_kernels::{Lane, Team, padded};
use std::io;
use std::ops::Range;

/// Buffers of the deeper layers for one update.
pub(super) struct Deeper<A: Arithmetic> {
    /// One per stage: [samples, outputs]
    pub(super) outputs: Vec<A::Buffer>,
    /// Gradients at the outputs of a stage and of the one before it: [samples, widest]
    deltas: [A::Buffer; 2],
    /// Gradient of a bias: [widest]
    sums: A::Buffer,
    scores: Vec<Score>,
    /// For every stage, the indices of the outputs that are not zero, if updates are of one sample.
    active: Vec<Vec<u32>>,
    /// True if updates are of one sample and every hidden layer has a ReLU, so that rows whose input is zero are
    /// skipped.
    single: bool,
    /// True if skipped rows change all the same, by momentum or weight decay.
    lags: bool,
    idle: IdleRows<A::T>,
}

/// Rows of weights that were skipped in updates of a block because their input was zero.
#[derive(Clone)]
pub(super) struct IdleRows<T> {
    /// For every stage after the first and every row, the last update of the block that was applied to it.
    last: Vec<Vec<u32>>,
    /// Linear maps that take a row from after each update of the block to now.
    carry: Vec<Square>,
    phi: Vec<[[T; 2]; 2]>,
}

impl<A: Arithmetic> Deeper<A> {
    pub(super) fn new(plan: &Perceptron, course: &ScheduledRule, samples: usize, updates: usize) -> Self {
        let single = samples == 1 && plan.stages.iter().rev().skip(1).all(|stage| stage.relu);
        let widest = plan.stages.iter().map(|stage| stage.outputs).max().unwrap_or(0);
        let rows = |width: usize| A::zeros(samples * padded(width));
        let last = plan.stages.iter().skip(1).map(|stage| vec![0; stage.inputs]).collect();
        let mut deeper = Self {
            outputs: plan.stages.iter().map(|stage| rows(stage.outputs)).collect(),
            deltas: [rows(widest), rows(widest)],
            sums: A::zeros(padded(widest)),
            scores: vec![Score::default(); samples],
            active: plan.stages.iter().map(|stage| Vec::with_capacity(stage.outputs)).collect(),
            single,
            lags: single && course.typed().linear(1).is_some_and(|step| step.a[0] != IDENTITY[0]),
            idle: IdleRows {
                last,
                carry: Vec::with_capacity(updates + 1),
                phi: Vec::with_capacity(updates + 1),
            },
        };
        deeper.begin_block();
        deeper
    }

    /// Number of elements of all buffers.
    pub(super) fn floats(plan: &Perceptron, samples: usize) -> usize {
        let widths = || plan.stages.iter().map(|stage| padded(stage.outputs));
        let widest = widths().max().unwrap_or(0);
        samples * (widths().sum::<usize>() + 2 * widest) + widest
    }

    /// Marks all rows as up to date.
    pub(super) fn begin_block(&mut self) {
        self.idle.last.iter_mut().for_each(|rows| rows.fill(0));
        self.idle.carry.clear();
        self.idle.phi.clear();
        self.idle.push();
    }

    pub(super) fn copy_of_rows(&self) -> IdleRows<A::T> {
        self.idle.clone()
    }

    /// Brings every row up to date.
    pub(super) fn settle(
        &mut self,
        arithmetic: &mut A,
        plan: &Perceptron,
        weights: &mut [A::T],
        velocity: &mut [A::T],
    ) {
        self.idle.settle(arithmetic, plan, weights, velocity);
    }
}

/// Only rows that are not up to date; everything else is recomputed in every update.
impl State for Deeper<Team> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        let IdleRows { last, carry, phi } = &mut self.idle;
        last.iter_mut().try_for_each(|rows| codec.words(rows))?;
        codec.list(carry, || IDENTITY, |codec, square| square.code(codec))?;
        codec.list(phi, Default::default, |codec, square| square.code(codec))
    }
}

impl<T: Lane> IdleRows<T> {
    /// Adds the map for rows that are up to date after an update: the identity.
    fn push(&mut self) {
        self.carry.push(IDENTITY);
        self.phi.push(IDENTITY.map(|row| row.map(T::splat)));
    }

    /// Applies `step` to all rows skipped in an update.
    fn step(&mut self, step: &Linear) {
        for (carry, phi) in self.carry.iter_mut().zip(&mut self.phi) {
            *carry = step.carry_square(*carry);
            *phi = carry.map(|row| row.map(T::splat));
        }
        self.push();
    }

    /// Brings every row up to date; `weights` and `velocity` begin after the first layer's weights.
    pub(super) fn settle<A: Arithmetic<T = T>>(
        &mut self,
        arithmetic: &mut A,
        plan: &Perceptron,
        weights: &mut [T],
        velocity: &mut [T],
    ) {
        let now = self.phi.len() as u32 - 1;
        if now == 0 {
            return;
        }
        let offset = plan.stages[0].weight.end;
        for (stage, last) in plan.stages.iter().skip(1).zip(&mut self.last) {
            let (w, v) = place(stage, offset, weights, velocity);
            let v = v.map(|v| MatrixMut::new(v, stage.inputs, stage.outputs));
            arithmetic.catch_up(
                None,
                MatrixMut::new(w, stage.inputs, stage.outputs),
                v,
                last,
                &self.phi,
                now,
            );
        }
    }
}

/// Lists the indices of the numbers that are not zero, without branching on them; `list` has room for all.
fn list_active<T: Copy + PartialEq + Default>(x: &[T], list: &mut Vec<u32>) {
    list.clear();
    list.resize(x.len(), 0);
    let mut count = 0;
    for (index, x) in x.iter().enumerate() {
        list[count] = index as u32;
        count += usize::from(*x != T::default());
    }
    list.truncate(count);
}

/// Returns a stage's weights and velocities.
fn place<'a, T>(
    stage: &Dense,
    offset: usize,
    weights: &'a mut [T],
    velocity: &'a mut [T],
) -> (&'a mut [T], Option<&'a mut [T]>) {
    let range = stage.weight.start - offset..stage.weight.end - offset;
    (&mut weights[range.clone()], velocity.get_mut(range))
}

/// Updates of the current block, and everything they change.
pub(super) struct Sequence<'a, A: Arithmetic> {
    pub(super) plan: &'a Perceptron,
    pub(super) course: &'a ScheduledRule,
    /// Samples per update.
    pub(super) samples: usize,
    /// All parameters after the first layer's weights.
    pub(super) weights: &'a mut [A::T],
    pub(super) velocity: &'a mut [A::T],
    pub(super) updates: &'a mut u64,
    /// Number of rows of the block.
    pub(super) block: usize,
    pub(super) labels: &'a [u32],
    /// Outputs of the first layer without bias and without the changes by this block's updates.
    pub(super) z: &'a mut [A::T],
    /// Gram matrix within the block, times c.
    pub(super) within: &'a [A::T],
    /// Gradients at the first layer's outputs.
    pub(super) delta: &'a mut [A::T],
    pub(super) deeper: &'a mut Deeper<A>,
}

impl<A: Arithmetic> Sequence<'_, A> {
    /// Runs the updates of `rows`, up to the first whose loss is not finite.
    pub(super) fn run(&mut self, solo: &mut A, rows: Range<usize>, seen: &mut Vec<Tally>) {
        for first in rows.clone().step_by(self.samples) {
            let rows = first..rows.end.min(first + self.samples);
            *self.updates += 1;
            self.first_layer(solo, rows.clone());
            let tally = self.forward(solo, rows.clone());
            seen.push(tally);
            if !tally.loss.is_finite() {
                return;
            }
            self.backward(solo, rows);
        }
    }

    /// Computes the first layer's outputs: its precomputed products, the changes by the block's earlier updates, bias
    /// and ReLU.
    fn first_layer(&mut self, solo: &mut A, rows: Range<usize>) {
        let stage = &self.plan.stages[0];
        let (stride, earlier) = (padded(stage.outputs), rows.start);
        let z = &mut self.z[rows.start * stride..rows.end * stride];
        if earlier > 0 {
            let gram = &self.within[rows.start * padded(self.block)..];
            let gram = Matrix::new(gram, rows.len(), self.block);
            let delta = Matrix::new(self.delta, earlier, stage.outputs);
            solo.add_product(gram, delta, MatrixMut::new(z, rows.len(), stage.outputs));
        }
        let bias = &self.weights[..stride];
        let zero = A::T::default();
        for (z, y) in z.chunks_exact(stride).zip(self.deeper.outputs[0].chunks_exact_mut(stride)) {
            for ((y, &z), &bias) in y.iter_mut().zip(z).zip(bias) {
                let biased = z + bias;
                *y = if stage.relu && biased < zero { zero } else { biased };
            }
        }
    }

    /// Runs the deeper layers and the loss; leaves the gradient at the outputs, divided by the number of samples.
    fn forward(&mut self, solo: &mut A, rows: Range<usize>) -> Tally {
        for index in 1..self.plan.stages.len() {
            if self.deeper.single {
                self.layer_of_one(solo, index);
            } else {
                self.layer(solo, index, rows.len());
            }
        }
        let Deeper { outputs, deltas, scores, .. } = &mut *self.deeper;
        let classes = self.plan.outputs;
        let logits = Matrix::new(&outputs[self.plan.stages.len() - 1], rows.len(), classes);
        let scores = &mut scores[..rows.len()];
        let delta = MatrixMut::new(&mut deltas[0], rows.len(), classes);
        solo.loss(logits, &self.labels[rows.clone()], delta, scores);
        if rows.len() > 1 {
            let share = A::T::splat(1.0 / rows.len() as f64);
            deltas[0][..rows.len() * padded(classes)].iter_mut().for_each(|delta| *delta = share * *delta);
        }
        let mut tally = Tally::default();
        scores.iter().for_each(|score| tally.count(score.loss, score.loss, score.correct));
        tally
    }

    /// Computes the outputs of stage `index` for some samples.
    fn layer(&mut self, solo: &mut A, index: usize, rows: usize) {
        let (stage, offset) = (&self.plan.stages[index], self.plan.stages[0].weight.end);
        let (before, from_here) = self.deeper.outputs.split_at_mut(index);
        let x = Matrix::new(&before[index - 1], rows, stage.inputs);
        let w = Matrix::new(&self.weights[stage.weight.start - offset..], stage.inputs, stage.outputs);
        let bias = &self.weights[stage.bias.start - offset..stage.bias.end - offset];
        solo.linear(x, w, bias, stage.relu, MatrixMut::new(&mut from_here[0], rows, stage.outputs));
    }

    /// Computes the outputs for one sample, from the inputs that are not zero.
    fn layer_of_one(&mut self, solo: &mut A, index: usize) {
        let (stage, offset) = (&self.plan.stages[index], self.plan.stages[0].weight.end);
        let Deeper { outputs, active, idle, lags, .. } = &mut *self.deeper;
        let (before, from_here) = outputs.split_at_mut(index);
        let (x, active) = (&before[index - 1], &mut active[index - 1]);
        list_active(&x[..stage.inputs], active);
        if *lags {
            let (w, v) = place(stage, offset, self.weights, self.velocity);
            let v = v.map(|v| MatrixMut::new(v, stage.inputs, stage.outputs));
            let w = MatrixMut::new(w, stage.inputs, stage.outputs);
            let next = idle.phi.len() as u32; // rows read now take part in the update to come
            solo.catch_up(Some(active), w, v, &mut idle.last[index - 1], &idle.phi, next);
        }
        let w = Matrix::new(&self.weights[stage.weight.start - offset..], stage.inputs, stage.outputs);
        let bias = &self.weights[stage.bias.start - offset..stage.bias.end - offset];
        solo.linear_of_one(x, active, w, bias, stage.relu, &mut from_here[0]);
    }

    /// Computes gradients and steps, last layer first; the first layer's gradient is added to the block.
    fn backward(&mut self, solo: &mut A, rows: Range<usize>) {
        let (count, offset) = (rows.len(), self.plan.stages[0].weight.end);
        let rule = &self.course.at(*self.updates);
        let update = Update { rule, t: *self.updates };
        for index in (1..self.plan.stages.len()).rev() {
            self.step_bias(solo, update, index, count);
            let stage = &self.plan.stages[index];
            let Deeper { outputs, deltas: [delta, below], single, active, .. } = &mut *self.deeper;
            let x = Matrix::new(&outputs[index - 1], count, stage.inputs);
            let d = Matrix::new(delta, count, stage.outputs);
            let (w, v) = place(stage, offset, self.weights, self.velocity);
            if *single {
                let w = MatrixMut::new(w, stage.inputs, stage.outputs);
                solo.descend(update, Input { x: x.row(0), active: &active[index - 1] }, delta, w, v, below);
            } else {
                let active = self.plan.stages[index - 1].relu.then_some(x);
                let old = Matrix::new(w, stage.inputs, stage.outputs);
                solo.input_gradient(d, old, active, MatrixMut::new(below, count, stage.inputs));
                solo.step(update, x, d, MatrixMut::new(w, stage.inputs, stage.outputs), v);
            }
            self.deeper.deltas.swap(0, 1);
        }
        self.step_bias(solo, update, 0, count);
        let stride = padded(self.plan.stages[0].outputs);
        let to = &mut self.delta[rows.start * stride..rows.end * stride];
        to.copy_from_slice(&self.deeper.deltas[0][..count * stride]);
        if let Some(step) = rule.linear(update.t).filter(|_| self.deeper.lags) {
            self.deeper.idle.step(&step);
        }
    }

    fn step_bias(&mut self, solo: &mut A, update: Update, index: usize, count: usize) {
        let (stage, offset) = (&self.plan.stages[index], self.plan.stages[0].weight.end);
        let Deeper { deltas, sums, .. } = &mut *self.deeper;
        let d = Matrix::new(&deltas[0], count, stage.outputs);
        let range = stage.bias.start - offset..stage.bias.end - offset;
        let v = self.velocity.get_mut(range.clone());
        solo.step_bias(update, d, sums, &mut self.weights[range], v);
    }
}
