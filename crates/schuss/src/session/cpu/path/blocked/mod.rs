//! Updates of one or a few samples at nearly the cost of large batches.
//!
//! The inputs of the first layer do not depend on the weights. So its weights are fixed for a block of updates, while
//! the change that each update would have made is carried along exactly: the outputs of row r in update t are
//!
//! ```text
//! zᵣ = αₜ₋₁ Zᵣ + βₜ₋₁ Qᵣ + Σⱼ cₜ₋₁,ⱼ Gᵣⱼ δⱼ + bias     Z = X W₀ᵀ, Q = X V₀ᵀ, G = X Xᵀ
//! ```
//!
//! over the rows j of all earlier updates since the base (W₀, V₀), with coefficients from [`coefficients`]. The window
//! is the previous and the current block: while the updates of a block run one after another, the other threads fold
//! the previous block into (W₀, V₀) and compute Z, Q, G of the next block. The deeper layers run one update at a time,
//! in cache; rows of their weights whose input is zero are skipped, and catch up when they are next read.

mod arithmetic;
mod coefficients;
#[cfg(test)]
mod plain;
mod sequence;
#[cfg(test)]
mod tests;

pub(crate) use arithmetic::Arithmetic;

use crate::Result;
use crate::network::{Perceptron, take_classes};
use crate::optim::{Linear, ScheduledRule};
use crate::session::tally::Tally;
use crate::state::{State, StateCodec};
use coefficients::{Debt, Window};
use schuss_data::Feed;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::window::{Ahead, Owed};
use schuss_kernels::{Lane, Team, padded};
use sequence::{Deeper, Sequence};
use std::io;
use std::mem;
use std::ops::Range;

/// Number of rows of a block for updates of one sample: whole tiles of 6 and of 14 rows.
pub(crate) const ROWS: usize = 84;

/// Weights of a trial, and blocks of delayed updates.
pub(crate) struct Blocked<A: Arithmetic> {
    plan: Perceptron,
    course: ScheduledRule,
    /// Samples per update.
    samples: usize,
    /// Samples per block.
    rows: usize,
    /// In the layout of the plan; those of the first layer are as before the pending updates.
    weights: A::Buffer,
    /// Velocity in the same layout; empty if the rule has none.
    velocity: A::Buffer,
    /// Number of updates done.
    updates: u64,
    /// Previous block, which is being folded in, current block, and next block.
    blocks: [Block<A>; 3],
    /// Number of rows of the current block that are done.
    done: usize,
    window: Window,
    debts: Debts<A::T>,
    deeper: Deeper<A>,
}

/// Consecutive updates and their matrices for the first layer.
struct Block<A: Arithmetic> {
    /// Position in the epoch of its first sample.
    first: usize,
    rows: usize,
    steps: Vec<Linear>,
    labels: Vec<u32>,
    /// [rows, inputs]
    x: A::Buffer,
    /// Z, then the outputs without their bias: [rows, outputs]
    z: A::Buffer,
    /// Q, if there is a velocity.
    q: A::Buffer,
    /// Gradients of the loss at the outputs: [rows, outputs]
    delta: A::Buffer,
    /// Gram matrices with the previous block and within this one, times c: [rows, rows]
    grams: [A::Buffer; 2],
}

impl<A: Arithmetic> Block<A> {
    fn new(rows: usize, inputs: usize, outputs: usize, velocity: bool) -> Self {
        let matrix = |cols: usize| A::zeros(rows * padded(cols));
        Self {
            first: 0,
            rows: 0,
            steps: vec![],
            labels: vec![0; rows],
            x: matrix(inputs),
            z: matrix(outputs),
            q: if velocity { matrix(outputs) } else { A::zeros(0) },
            delta: matrix(outputs),
            grams: [matrix(rows), matrix(rows)],
        }
    }

    /// Number of elements of a block's buffers.
    fn floats(rows: usize, inputs: usize, outputs: usize, has_velocity: bool) -> usize {
        let [x, z, grams] = [inputs, outputs, rows].map(|cols| rows * padded(cols));
        x + (2 + usize::from(has_velocity)) * z + 2 * grams
    }
}

impl<A: Arithmetic> Blocked<A> {
    /// Creates the state for updates of `samples` samples by a linear rule, starting at `weights`.
    pub(crate) fn new(
        plan: Perceptron,
        course: ScheduledRule,
        samples: usize,
        rows: usize,
        weights: A::Buffer,
    ) -> Self {
        let velocity = !course.typed().slots().is_empty();
        let rows = whole_updates(rows, samples);
        let (inputs, outputs) = plan.first_layer();
        Self {
            samples,
            rows,
            velocity: A::zeros(if velocity { weights.len() } else { 0 }),
            weights,
            updates: 0,
            blocks: [(); 3].map(|()| Block::new(rows, inputs, outputs, velocity)),
            done: 0,
            window: Window::default(),
            debts: Debts::default(),
            deeper: Deeper::new(&plan, &course, samples, rows / samples),
            plan,
            course,
        }
    }

    /// Passes the evaluation loss at the end of an epoch to plateau schedules.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.course.observe(eval_loss);
    }

    /// Returns the number of updates done.
    pub(crate) fn updates(&self) -> u64 {
        self.updates
    }

    /// Returns the rule with the state of its schedule.
    pub(crate) fn rule(&self) -> &ScheduledRule {
        &self.course
    }

    /// Starts over at the given state, with nothing pending.
    pub(crate) fn restart(
        &mut self,
        updates: u64,
        rule: &ScheduledRule,
        weights: &[A::T],
        velocity: &[A::T],
    ) {
        self.updates = updates;
        self.course.clone_from(rule);
        self.weights.copy_from_slice(weights);
        self.velocity.copy_from_slice(velocity);
        self.blocks.iter_mut().for_each(|block| block.rows = 0);
        self.done = 0;
        self.deeper.begin_block();
    }

    /// Number of elements of all buffers besides weights and velocity.
    pub(crate) fn floats(plan: &Perceptron, samples: usize, rows: usize, has_velocity: bool) -> usize {
        let (inputs, outputs) = plan.first_layer();
        let rows = whole_updates(rows, samples);
        3 * Block::<A>::floats(rows, inputs, outputs, has_velocity) + Deeper::<A>::floats(plan, samples)
    }

    /// Returns true if the next update is at `position` of an epoch of `len` samples.
    pub(crate) fn is_at(&self, position: usize, len: usize) -> bool {
        let within = |block: &Block<A>| block.first.checked_add(block.rows).is_some_and(|end| end <= len);
        let [_, present, _] = &self.blocks;
        self.blocks.iter().all(within)
            && (position == len || position == 0 || position == present.first + self.done)
            && self.done.is_multiple_of(self.samples)
    }

    /// Outputs of every stage in the last update.
    pub(crate) fn outputs(&self) -> &[A::Buffer] {
        &self.deeper.outputs
    }

    /// Runs the updates from `positions.start` to `positions.end` that lie in one block; stops after a loss that is not
    /// finite. `solo` runs the updates, while `team` does the work that does not depend on them.
    ///
    /// # Errors
    /// If samples cannot be read; nothing is changed then.
    pub(crate) fn advance(
        &mut self,
        team: &mut A,
        solo: &mut A,
        feed: &mut Feed,
        positions: Range<usize>,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        if positions.start == 0 {
            self.open_epoch(team, feed)?;
        }
        let [before, present, ahead] = &mut self.blocks;
        let rows = self.done..present.rows.min(positions.end - present.first);
        let first_layer = self.plan.stages[0].weight.end;
        let (w, weights) = self.weights.split_at_mut(first_layer);
        let (v, velocity) = self.velocity.split_at_mut_checked(first_layer).unwrap_or((&mut [], &mut []));
        let mut sequence = Sequence {
            plan: &self.plan,
            course: &self.course,
            samples: self.samples,
            weights,
            velocity,
            updates: &mut self.updates,
            labels: &present.labels,
            z: &mut present.z,
            within: &present.grams[1],
            delta: &mut present.delta,
            block: present.rows,
            deeper: &mut self.deeper,
        };
        if rows.start == 0 {
            let end_of_present = present.first + present.rows;
            ahead.gather(team, feed, end_of_present, self.rows, self.plan.outputs)?;
            let x = Matrix::new(&present.x, present.rows, self.plan.inputs);
            let owed = self.debts.of(before, &self.plan, self.samples, before.rows);
            let next = (ahead.rows > 0).then(|| ahead.products(&self.plan, Some((x, present.rows))));
            let (w, v) = matrices(&self.plan, w, v);
            team.between_blocks(w, v, owed, next, || sequence.run(solo, rows.clone(), seen));
        } else {
            sequence.run(solo, rows.clone(), seen);
        }
        self.done = rows.end;
        if self.done == self.blocks[1].rows && seen.last().is_none_or(|tally| tally.loss.is_finite()) {
            self.close_block(team);
        }
        Ok(())
    }

    /// Begins an epoch: nothing is pending, and the products of the first block are computed from the current weights.
    fn open_epoch(&mut self, team: &mut A, feed: &mut Feed) -> Result<()> {
        let [before, present, _] = &mut self.blocks;
        before.rows = 0;
        present.gather(team, feed, 0, self.rows, self.plan.outputs)?;
        let first_layer = self.plan.stages[0].weight.end;
        let v = self.velocity.get_mut(..first_layer).unwrap_or(&mut []);
        let (w, v) = matrices(&self.plan, &mut self.weights[..first_layer], v);
        team.between_blocks(w, v, None, Some(present.products(&self.plan, None)), || {});
        self.plan_block(1, &[]);
        self.done = 0;
        Ok(())
    }

    /// Ends a block: idle rows catch up, and the changes of this block are added to the products of the next one.
    fn close_block(&mut self, team: &mut A) {
        let first_layer = self.plan.stages[0].weight.end;
        self.deeper.settle(
            team,
            &self.plan,
            &mut self.weights[first_layer..],
            self.velocity.get_mut(first_layer..).unwrap_or(&mut []),
        );
        self.deeper.begin_block();
        self.done = 0;
        if self.blocks[2].rows == 0 {
            return self.close_epoch(team);
        }
        let steps = mem::take(&mut self.blocks[1].steps);
        self.plan_block(2, &steps);
        self.blocks[1].steps = steps;
        let [_, present, ahead] = &mut self.blocks;
        let outputs = self.plan.stages[0].outputs;
        let gram = Matrix::new(&ahead.grams[0], ahead.rows, present.rows);
        let delta = Matrix::new(&present.delta, present.rows, outputs);
        team.add_product(gram, delta, MatrixMut::new(&mut ahead.z, ahead.rows, outputs));
        self.next_block();
    }

    /// Moves on by a block: the current one will be folded in; the previous one has been and is discarded.
    fn next_block(&mut self) {
        self.blocks.rotate_left(1);
        self.blocks[2].rows = 0;
    }

    /// Folds in the last block; the one before it has been folded in already.
    fn close_epoch(&mut self, team: &mut A) {
        self.next_block();
        let mut weights = mem::replace(&mut self.weights, A::zeros(0));
        let mut velocity = mem::replace(&mut self.velocity, A::zeros(0));
        self.fold_pending(team, &mut weights, &mut velocity);
        (self.weights, self.velocity) = (weights, velocity);
        self.blocks[0].rows = 0;
        self.blocks[1].rows = 0;
    }

    /// Multiplies Z, Q and G of block `which` by the coefficients of its updates, which follow the updates `before`.
    fn plan_block(&mut self, which: usize, before: &[Linear]) {
        let first = self.updates + 1;
        let block = &mut self.blocks[which];
        let updates = block.rows.div_ceil(self.samples) as u64;
        block.steps.clear();
        block.steps.extend((first..first + updates).filter_map(|t| self.course.at(t).linear(t)));
        self.window.look_at(before, &block.steps);
        block.weigh(&self.window, before.len(), self.samples, padded(self.plan.stages[0].outputs));
    }

    /// Writes the weights and velocities after the updates done so far to `weights` and `velocity`; the state does not
    /// change.
    pub(crate) fn settle(&self, team: &mut A, weights: &mut [A::T], velocity: &mut [A::T]) {
        weights.copy_from_slice(&self.weights);
        velocity.copy_from_slice(&self.velocity);
        self.fold_pending(team, weights, velocity);
        let first_layer = self.plan.stages[0].weight.end;
        let velocity = velocity.get_mut(first_layer..).unwrap_or(&mut []);
        self.deeper.copy_of_rows().settle(team, &self.plan, &mut weights[first_layer..], velocity);
    }

    /// Folds pending updates into `weights` and `velocity`.
    fn fold_pending(&self, team: &mut A, weights: &mut [A::T], velocity: &mut [A::T]) {
        let [before, present, _] = &self.blocks;
        let (block, rows) = if self.done > 0 { (present, self.done) } else { (before, before.rows) };
        let mut debts = Debts::default();
        let owed = debts.of(block, &self.plan, self.samples, rows);
        let first_layer = self.plan.stages[0].weight.end;
        let v = velocity.get_mut(..first_layer).unwrap_or(&mut []);
        let (w, v) = matrices(&self.plan, &mut weights[..first_layer], v);
        team.between_blocks(w, v, owed, None, || {});
    }
}

/// Returns the number of rows of a block of about `rows` rows that holds whole updates.
fn whole_updates(rows: usize, samples: usize) -> usize {
    (rows / samples).max(1) * samples
}

/// Everything except the debts and the window's coefficients, which are recomputed.
impl State for Blocked<Team> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.course.code(codec)?;
        self.weights.code(codec)?;
        self.velocity.code(codec)?;
        self.updates.code(codec)?;
        self.blocks.code(codec)?;
        self.done.code(codec)?;
        self.deeper.code(codec)?;
        let most = self.rows / self.samples;
        let fits = |block: &Block<Team>| block.rows <= self.rows && block.steps.len() <= most;
        let whole = self.blocks.iter().all(fits) && self.done <= self.blocks[1].rows;
        if whole {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "a block has a different size"))
        }
    }
}

/// Only the rows in use: none at the end of an epoch.
impl State for Block<Team> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.first.code(codec)?;
        self.rows.code(codec)?;
        let (rows, room) = (self.rows, self.labels.len());
        if rows > room {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block has a different size"));
        }
        let nothing = Linear { a: [[0.0; 2]; 2], b: [0.0; 2] };
        codec.list(
            &mut self.steps,
            || nothing,
            |codec, step| {
                step.a.code(codec)?;
                step.b.code(codec)
            },
        )?;
        codec.words(&mut self.labels[..rows])?;
        let Self { x, z, q, delta, grams, .. } = self;
        [x, z, q, delta].into_iter().chain(grams).try_for_each(|buffer| {
            let in_use = buffer.len() / room.max(1) * rows;
            codec.expect("a block has a different size", in_use as u64)?;
            codec.words(&mut buffer[..in_use])
        })
    }
}

/// Pending changes of the weights by blocks, with a buffer for the factors of rows.
struct Debts<T> {
    coefficients: Debt,
    weigh: Vec<[T; 2]>,
}

impl<T> Default for Debts<T> {
    fn default() -> Self {
        Self { coefficients: Debt::default(), weigh: vec![] }
    }
}

impl<T: Lane> Debts<T> {
    /// Returns the pending changes by the first `rows` rows of `block`, if there are any.
    fn of<'a, A: Arithmetic<T = T>>(
        &'a mut self,
        block: &'a Block<A>,
        plan: &Perceptron,
        samples: usize,
        rows: usize,
    ) -> Option<Owed<'a, T>> {
        let (keep, gradients) = self.coefficients.of(&block.steps[..rows.div_ceil(samples)]);
        self.weigh.clear();
        self.weigh.extend((0..rows).map(|row| gradients[row / samples].map(T::splat)));
        (rows > 0).then(|| Owed {
            x: Matrix::new(&block.x, rows, plan.inputs),
            delta: Matrix::new(&block.delta, rows, plan.stages[0].outputs),
            keep: keep.map(|row| row.map(T::splat)),
            weigh: &self.weigh,
        })
    }
}

/// Returns the first layer's weights and velocities as matrices.
fn matrices<'a, T>(
    plan: &Perceptron,
    w: &'a mut [T],
    v: &'a mut [T],
) -> (MatrixMut<'a, T>, Option<MatrixMut<'a, T>>) {
    let first = &plan.stages[0];
    let velocity = (!v.is_empty()).then(|| MatrixMut::new(v, first.inputs, first.outputs));
    (MatrixMut::new(w, first.inputs, first.outputs), velocity)
}

impl<A: Arithmetic> Block<A> {
    /// Gathers up to `rows` samples from position `first` on, in `classes` classes.
    fn gather(
        &mut self,
        team: &mut A,
        feed: &mut Feed,
        first: usize,
        rows: usize,
        classes: usize,
    ) -> Result<()> {
        self.first = first;
        self.rows = rows.min(feed.len() - first);
        let batch = feed.rows(first, self.rows)?;
        team.gather(&batch, &mut self.x);
        take_classes(&batch, classes, &mut self.labels)
    }

    /// Returns the products that this block starts from, to be computed; `before` has the inputs of the previous block.
    fn products<'a>(
        &'a mut self,
        plan: &Perceptron,
        before: Option<(Matrix<'a, A::T>, usize)>,
    ) -> Ahead<'a, A::T> {
        let (rows, outputs) = (self.rows, plan.stages[0].outputs);
        let [with_before, within] = &mut self.grams;
        Ahead {
            x: Matrix::new(&self.x, rows, plan.inputs),
            z: MatrixMut::new(&mut self.z, rows, outputs),
            q: (!self.q.is_empty()).then(|| MatrixMut::new(&mut self.q, rows, outputs)),
            before: before.map(|(x, before)| (x, MatrixMut::new(with_before, rows, before))),
            within: MatrixMut::new(within, rows, rows),
        }
    }

    /// Z ← α Z + β Q, and both Gram matrices times c, row by row; rows are `outputs` numbers apart.
    fn weigh(&mut self, window: &Window, before: usize, samples: usize, outputs: usize) {
        let [with_before, within] = &mut self.grams;
        let rows_before = padded(before * samples);
        for row in 0..self.rows {
            let ([alpha, beta], c_before, c_within) = window.row(row / samples);
            let scale = |gram: &mut [A::T], c: &[f64]| {
                for (gram, &c) in gram.chunks_mut(samples).zip(c) {
                    gram.iter_mut().for_each(|gram| *gram = A::T::splat(c) * *gram);
                }
            };
            scale(&mut with_before[row * rows_before..][..before * samples], c_before);
            scale(&mut within[row * padded(self.rows)..][..row], c_within);
            if (alpha, beta) == (1.0, 0.0) {
                continue;
            }
            let z = &mut self.z[row * outputs..][..outputs];
            z.iter_mut().for_each(|z| *z = A::T::splat(alpha) * *z);
            let q = self.q.get(row * outputs..).unwrap_or(&[]);
            z.iter_mut().zip(q).for_each(|(z, q)| *z = A::T::splat(beta) * *q + *z);
        }
    }
}
