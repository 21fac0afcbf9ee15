//! Updates of one or a few samples at nearly the price of large ones.
//!
//! The inputs of the first layer do not depend on the weights. So its weights stand still for a block of updates,
//! while what each update would have changed is carried along exactly: the outputs of row r under update t are
//!
//! ```text
//! zᵣ = αₜ₋₁ Zᵣ + βₜ₋₁ Qᵣ + Σⱼ cₜ₋₁,ⱼ Gᵣⱼ δⱼ + bias     Z = X W₀ᵀ, Q = X V₀ᵀ, G = X Xᵀ
//! ```
//!
//! over the rows j of all earlier updates since the base (W₀, V₀), with coefficients from [`coefficients`]. The window
//! is the previous block and the present one: while the updates of a block run one after the other, the other threads
//! fold the block before it into (W₀, V₀) and make Z, Q, G of the block after it. The deeper layers go one update at a
//! time, in cache; rows of their weights whose input is zero are left out, and catch up when they are next read.

mod arithmetic;
mod coefficients;
#[cfg(test)]
mod plain;
mod sequence;
#[cfg(test)]
mod tests;

pub(crate) use arithmetic::Arithmetic;

use super::tally::Tally;
use crate::Result;
use crate::network::{Perceptron, take_classes};
use crate::optim::{Linear, ScheduledRule};
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

/// Rows of a block, if updates are of one sample: whole tiles of 6 and of 14 rows.
pub(crate) const ROWS: usize = 84;

/// A trial's weights, and the blocks of delayed updates.
pub(crate) struct Blocked<A: Arithmetic> {
    plan: Perceptron,
    course: ScheduledRule,
    /// Samples per update.
    samples: usize,
    /// Samples per block.
    rows: usize,
    /// As laid out in the plan; the first layer's stand before the updates that are pending.
    weights: A::Buffer,
    /// The same for the velocity; empty where the rule keeps none.
    velocity: A::Buffer,
    /// Updates done.
    updates: u64,
    /// The block that is being folded in, the present one, and the next.
    blocks: [Block<A>; 3],
    /// Rows of the present block that are done.
    done: usize,
    window: Window,
    debts: Debts<A::T>,
    deeper: Deeper<A>,
}

/// Some updates that follow each other, and what the first layer keeps of them.
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
    /// Gram matrix with the block before, and within, times c: [rows, rows]
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

    fn floats(&self) -> usize {
        let [with_before, within] = &self.grams;
        [&self.x, &self.z, &self.q, &self.delta, with_before, within].iter().map(|buffer| buffer.len()).sum()
    }
}

impl<A: Arithmetic> Blocked<A> {
    /// Updates of `samples` samples by a rule that is linear, from the weights given.
    pub(crate) fn new(
        plan: Perceptron,
        course: ScheduledRule,
        samples: usize,
        rows: usize,
        weights: A::Buffer,
    ) -> Self {
        let velocity = !course.typed().slots().is_empty();
        let rows = (rows / samples).max(1) * samples;
        let (inputs, outputs) = plan.stages.first().map_or((0, 0), |first| (first.inputs, first.outputs));
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

    /// Lets schedules that wait for a plateau look at the evaluation at an epoch's end.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.course.observe(eval_loss);
    }

    /// Updates done.
    pub(crate) fn updates(&self) -> u64 {
        self.updates
    }

    /// Bytes held besides weights and velocity.
    pub(crate) fn bytes(&self) -> usize {
        let floats = self.blocks.iter().map(Block::floats).sum::<usize>() + self.deeper.floats();
        floats * size_of::<A::T>()
    }

    /// Whether the next update is the one at `position` of an epoch of `len` samples.
    pub(crate) fn is_at(&self, position: usize, len: usize) -> bool {
        let within = |block: &Block<A>| block.first.checked_add(block.rows).is_some_and(|end| end <= len);
        let [_, present, _] = &self.blocks;
        self.blocks.iter().all(within)
            && (position == len || position == 0 || position == present.first + self.done)
            && self.done.is_multiple_of(self.samples)
    }

    /// Outputs of every stage in the update seen last.
    pub(crate) fn outputs(&self) -> &[A::Buffer] {
        &self.deeper.outputs
    }

    /// Does the updates from `positions.start` on that lie in one block, up to `positions.end`; stops behind a loss that
    /// is not finite. `solo` goes through the updates, `team` does what can be done meanwhile.
    ///
    /// # Errors
    /// What reading the samples reports, and then there is no change.
    pub(crate) fn advance(
        &mut self,
        [team, solo]: [&mut A; 2],
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
            ahead.gather(team, feed, end_of_present, (self.rows, self.plan.outputs))?;
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

    /// Begins an epoch: nothing is pending, and the first block's products are made from the weights as they are.
    fn open_epoch(&mut self, team: &mut A, feed: &mut Feed) -> Result<()> {
        let [before, present, _] = &mut self.blocks;
        before.rows = 0;
        present.gather(team, feed, 0, (self.rows, self.plan.outputs))?;
        let first_layer = self.plan.stages[0].weight.end;
        let v = self.velocity.get_mut(..first_layer).unwrap_or(&mut []);
        let (w, v) = matrices(&self.plan, &mut self.weights[..first_layer], v);
        team.between_blocks(w, v, None, Some(present.products(&self.plan, None)), || {});
        self.plan_block(1, &[]);
        self.done = 0;
        Ok(())
    }

    /// Behind the last row of a block: idle rows catch up, and the next block's products take in what this one changed.
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

    /// The present block is the one to be folded in now; the one before it has been, so nothing of it is needed.
    fn next_block(&mut self) {
        self.blocks.rotate_left(1);
        self.blocks[2].rows = 0;
    }

    /// Folds in the last block, whose predecessor has been already.
    fn close_epoch(&mut self, team: &mut A) {
        self.next_block();
        let mut weights = mem::replace(&mut self.weights, A::zeros(0));
        let mut velocity = mem::replace(&mut self.velocity, A::zeros(0));
        self.fold_pending(team, &mut weights, &mut velocity);
        (self.weights, self.velocity) = (weights, velocity);
        self.blocks[0].rows = 0;
        self.blocks[1].rows = 0;
    }

    /// Multiplies what was made for block `which` (Z, Q, G) by the coefficients of its updates, which follow `before`.
    fn plan_block(&mut self, which: usize, before: &[Linear]) {
        let first = self.updates + 1;
        let block = &mut self.blocks[which];
        let updates = block.rows.div_ceil(self.samples) as u64;
        block.steps.clear();
        block.steps.extend((first..first + updates).filter_map(|t| self.course.at(t).linear(t)));
        self.window.look_at(before, &block.steps);
        block.weigh(&self.window, before.len(), self.samples, padded(self.plan.stages[0].outputs));
    }

    /// What the weights and velocities are after the updates done so far; `weights` and `velocity` are copies of those
    /// here.
    pub(crate) fn settle(&self, team: &mut A, weights: &mut [A::T], velocity: &mut [A::T]) {
        weights.copy_from_slice(&self.weights);
        velocity.copy_from_slice(&self.velocity);
        self.fold_pending(team, weights, velocity);
        let first_layer = self.plan.stages[0].weight.end;
        let velocity = velocity.get_mut(first_layer..).unwrap_or(&mut []);
        self.deeper.copy_of_rows().settle(team, &self.plan, &mut weights[first_layer..], velocity);
    }

    /// Folds what is pending into `weights` and `velocity`.
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

/// All but what is made anew from it: the debts and the window's coefficients.
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
            Err(io::Error::new(io::ErrorKind::InvalidData, "a block has another size"))
        }
    }
}

/// As many rows of it as are in use: none at an epoch's end.
impl State for Block<Team> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.first.code(codec)?;
        self.rows.code(codec)?;
        let (rows, room) = (self.rows, self.labels.len());
        if rows > room {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block has another size"));
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
            codec.expect("a block has another size", in_use as u64)?;
            codec.words(&mut buffer[..in_use])
        })
    }
}

/// What blocks owe the weights, with room for the weighs of their rows.
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
    /// What the first `rows` rows of `block` owe, if there are any.
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

/// The first layer's weights and velocities as matrices.
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
    /// Takes up to `rows` samples from position `first` on, in so many classes.
    fn gather(
        &mut self,
        team: &mut A,
        feed: &mut Feed,
        first: usize,
        (rows, classes): (usize, usize),
    ) -> Result<()> {
        self.first = first;
        self.rows = rows.min(feed.len() - first);
        let batch = feed.rows(first, self.rows)?;
        team.gather(&batch, &mut self.x);
        take_classes(&batch, classes, &mut self.labels)
    }

    /// The products that this block begins from, to be made; `before` are the inputs of the block before it.
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
