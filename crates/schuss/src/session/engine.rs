//! Weight updates on the CPU: gather, forward, loss, backward and step, in microbatches.

use super::blocked::{self, Blocked};
use crate::network::{Arena, MICROBATCH, Params, Plan};
use crate::optim::{Descent, Method, Strategy, Updater};
use crate::recipe::Recipe;
use crate::Result;
use crate::study::record::{Evaluation, MemoryRecord};
use schuss_data::Split;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums, input_gradient, weight_gradient};
use schuss_kernels::rows::{Score, softmax_cross_entropy};
use schuss_kernels::{Buffer, Team, padded};
use std::ops::Range;

/// Samples whose gradients are summed in one f32 chain; the leaves of larger updates are added in f64.
pub(crate) const LEAF: usize = 4_096;

/// The live state of a trial and every buffer of its step.
pub(crate) struct Engine {
    team: Team,
    plan: Plan,
    params: Params,
    updater: Updater<Buffer>,
    arena: Arena,
    /// Samples per update.
    samples: usize,
    microbatch: usize,
    strategy: Strategy,
    path: Path,
}

/// How updates are carried out, with the buffers of its own.
enum Path {
    /// The product that sums a gradient writes the new weights. Gradients of biases are summed here: [widest].
    InBackward { bias: Buffer },
    /// Gradients are stored in a leaf of f32, laid out like the parameters; leaves of updates above [`LEAF`] samples
    /// are added in f64.
    Stored { leaf: Buffer, total: Vec<f64> },
    /// The live weights and velocity stand there; those of the engine are brought up to date at report points, the
    /// velocity by way of a buffer. The updates themselves go on one thread.
    BlockedSample { blocked: Box<Blocked<Team>>, solo: Team, velocity: Buffer },
}

/// The samples of an epoch in their order.
pub(crate) struct Feed<'a, F> {
    pub(crate) split: &'a Split,
    /// Which sample stands at a position.
    pub(crate) index: F,
}

/// Weights and optimizer state at some moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    params: Params,
    updater: Updater<Buffer>,
}

/// What an update saw of its samples, at the weights before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) loss: f64,
    pub(crate) correct: u64,
    pub(crate) samples: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.samples += other.samples;
    }

    /// What some scores add up to; losses are added one by one, so that the sum does not depend on the microbatch.
    pub(crate) fn count(&mut self, scores: &[Score]) {
        self.samples += scores.len() as u64;
        for score in scores {
            self.loss += score.loss;
            self.correct += u64::from(score.correct);
        }
    }

    pub(crate) fn mean_loss(&self) -> f64 {
        self.loss / self.samples as f64
    }
}

impl Path {
    /// The buffers of `strategy`; `solo` is a thread for whoever needs one.
    fn new(
        strategy: Strategy,
        plan: &Plan,
        descent: &Descent,
        (params, solo): (&Params, Team),
        samples: usize,
    ) -> Self {
        let len = plan.layout.len();
        match strategy {
            Strategy::InBackward => {
                let widest = plan.stages.iter().map(|stage| padded(stage.outputs)).max().unwrap_or(0);
                Self::InBackward { bias: Buffer::zeros(widest) }
            }
            Strategy::Fused | Strategy::Staged => {
                let total = if samples > LEAF { vec![0.0; len] } else { vec![] };
                Self::Stored { leaf: Buffer::zeros(len), total }
            }
            Strategy::BlockedSample => {
                let (weights, rule) = (Buffer::from(params.values()), descent.groups[0].rule.clone());
                let velocity = Buffer::zeros(if rule.slots().is_empty() { 0 } else { len });
                let blocked = Blocked::new(plan.clone(), rule, samples, blocked::ROWS, weights);
                Self::BlockedSample { blocked: Box::new(blocked), solo, velocity }
            }
        }
    }
}

impl Engine {
    /// An engine for updates of up to `samples` samples, on a team and one thread of its own, in microbatches of
    /// `microbatch` where given.
    ///
    /// # Errors
    /// If the optimizer's groups do not fit the network.
    pub(crate) fn new(
        [mut team, solo]: [Team; 2],
        plan: Plan,
        recipe: &Recipe,
        params: Params,
        samples: usize,
        microbatch: Option<usize>,
    ) -> Result<Self> {
        let microbatch = microbatch.unwrap_or(MICROBATCH).clamp(1, LEAF).min(samples);
        team.set_precision(recipe.matmul_precision.0);
        let Method::Descent(descent) = &recipe.optimizer;
        let updater = Updater::new::<Team>(descent, &plan.layout, params.values())?;
        let strategy = Strategy::choose(&plan, &recipe.optimizer, samples, microbatch);
        let path = Path::new(strategy, &plan, descent, (&params, solo), samples);
        let arena = Arena::new(&plan, microbatch.max(MICROBATCH)); // evaluation fills it whatever the update rule
        Ok(Self { team, plan, params, updater, arena, samples, microbatch, strategy, path })
    }

    pub(crate) fn params(&self) -> &Params {
        &self.params
    }

    /// The path of the updates.
    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Name of the arithmetic of its products.
    pub(crate) fn arithmetic(&self) -> &'static str {
        self.team.precision().arithmetic()
    }

    pub(crate) fn memory(&self, data: usize) -> MemoryRecord {
        let (parameters, optimizer_state) = (size_of_val(self.params.values()), self.updater.bytes());
        let held = parameters + optimizer_state;
        let (gradients, window, copies) = match &self.path {
            Path::InBackward { bias } => (size_of_val(&bias[..]), 0, 1),
            Path::Stored { leaf, total } => (size_of_val(&leaf[..]) + size_of_val(&total[..]), 0, 1),
            Path::BlockedSample { blocked, velocity, .. } => {
                (0, blocked.bytes() + size_of_val(&velocity[..]), 2)
            }
        };
        let (copy, activations) = (copies * held, self.arena.bytes() + window);
        MemoryRecord { parameters, gradients, optimizer_state, copy, activations, data }
    }

    /// Brings weights and optimizer state up to the last update, for whoever looks at them.
    pub(crate) fn settle(&mut self) {
        if let Path::BlockedSample { blocked, velocity, .. } = &mut self.path {
            blocked.settle(&mut self.team, self.params.values_mut(), velocity);
            self.updater.set_first_slot(blocked.updates(), velocity);
        }
    }

    /// A copy of weights and optimizer state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { params: self.params.clone(), updater: self.updater.clone() }
    }

    /// Back to a copy.
    pub(crate) fn restore(&mut self, copy: &Snapshot) {
        self.params.clone_from(&copy.params);
        self.updater.clone_from(&copy.updater);
    }

    /// Does updates from `positions.start` on, at least one and none beyond `positions.end`, and tells what each saw in
    /// `seen`; nothing and no change if `cancelled` says so before they are done.
    pub(crate) fn advance(
        &mut self,
        feed: &Feed<impl Fn(usize) -> usize + Sync>,
        positions: Range<usize>,
        cancelled: impl Fn() -> bool,
        seen: &mut Vec<Tally>,
    ) -> bool {
        seen.clear();
        if let Path::BlockedSample { blocked, solo, .. } = &mut self.path {
            let go = !cancelled();
            if go {
                blocked.advance([&mut self.team, solo], feed, positions, seen);
            }
            return go;
        }
        let positions = positions.start..positions.end.min(positions.start + self.samples);
        seen.extend(self.update(feed, positions, cancelled));
        !seen.is_empty()
    }

    /// One update from the samples at `positions`, unless it is cancelled before its last microbatch.
    fn update(
        &mut self,
        feed: &Feed<impl Fn(usize) -> usize + Sync>,
        positions: Range<usize>,
        cancelled: impl Fn() -> bool,
    ) -> Option<Tally> {
        let count = positions.len() as f32;
        let mut tally = Tally::default();
        let mut done = 0;
        while done < positions.len() {
            if cancelled() {
                return None;
            }
            let in_leaf = done % LEAF;
            let rows = self.microbatch.min(positions.len() - done).min(LEAF - in_leaf);
            self.arena.gather(&mut self.team, feed.split, positions.start + done, rows, &feed.index);
            self.evaluate_rows(rows, &mut tally);
            let last = done + rows == positions.len();
            self.backward(rows, count, if in_leaf == 0 { Start::Fresh } else { Start::Continue });
            done += rows;
            self.close_leaf(done, last);
        }
        self.step(positions.len(), tally.mean_loss());
        Some(tally)
    }

    /// Frozen loss and accuracy over all of `split`.
    pub(crate) fn evaluate(&mut self, split: &Split, cancelled: impl Fn() -> bool) -> Option<Evaluation> {
        let mut tally = Tally::default();
        let capacity = self.arena.labels.len();
        for first in (0..split.len()).step_by(capacity) {
            if cancelled() {
                return None;
            }
            let rows = capacity.min(split.len() - first);
            self.arena.gather(&mut self.team, split, first, rows, &|position| position);
            self.evaluate_rows(rows, &mut tally);
        }
        let accuracy = tally.correct as f64 / tally.samples as f64;
        Some(Evaluation { loss: tally.mean_loss(), accuracy })
    }

    /// Whether all weights are finite: ReLU may hide from the loss that one is not.
    pub(crate) fn is_finite(&self) -> bool {
        self.params.first_non_finite().is_none()
    }

    /// The layer that is first not finite: by its outputs for the last microbatch, else by its weights.
    pub(crate) fn first_non_finite(&self) -> String {
        let outputs = match &self.path {
            Path::BlockedSample { blocked, .. } => blocked.outputs(),
            _ => &self.arena.outputs,
        };
        let outputs = self.plan.first_non_finite(outputs);
        let found = outputs.or_else(|| self.params.first_non_finite());
        found.or_else(|| self.plan.stages.last().map(|stage| stage.layer.to_string())).unwrap_or_default()
    }

    /// Forward pass and loss of the gathered samples; leaves the gradient at the outputs in `deltas[0]`.
    fn evaluate_rows(&mut self, rows: usize, tally: &mut Tally) {
        self.arena.forward(&mut self.team, &self.plan, &self.params, rows);
        let outputs = self.plan.outputs;
        let Arena { outputs: activations, deltas, labels, scores, .. } = &mut self.arena;
        let logits = activations.last().map_or(&[][..], |logits| &logits[..]);
        softmax_cross_entropy(
            &mut self.team,
            Matrix::new(logits, rows, outputs),
            &labels[..rows],
            MatrixMut::new(&mut deltas[0], rows, outputs),
            &mut scores[..rows],
        );
        tally.count(&scores[..rows]);
    }

    /// The plan read upwards: gradients of inputs, then of weights, which may be stepped at once.
    fn backward(&mut self, rows: usize, count: f32, start: Start) {
        if let Path::InBackward { .. } = self.path {
            self.updater.advance();
        }
        for index in (0..self.plan.stages.len()).rev() {
            if index > 0 {
                self.input_gradient(index, rows);
            }
            match self.path {
                Path::Stored { .. } => self.sum_stage(index, rows, start),
                _ => self.step_stage(index, rows, count),
            }
            self.arena.deltas.swap(0, 1);
        }
    }

    /// From `deltas[0]` at the outputs of a stage to `deltas[1]` at its inputs.
    fn input_gradient(&mut self, index: usize, rows: usize) {
        let stage = &self.plan.stages[index];
        let Arena { outputs, deltas: [delta, below], .. } = &mut self.arena;
        let delta = Matrix::new(delta, rows, stage.outputs);
        let w = Matrix::new(&self.params.values()[stage.weight.clone()], stage.inputs, stage.outputs);
        let active =
            self.plan.stages[index - 1].relu.then(|| Matrix::new(&outputs[index - 1], rows, stage.inputs));
        input_gradient(&mut self.team, delta, w, active, MatrixMut::new(below, rows, stage.inputs));
    }

    /// Adds a stage's gradient to the leaf.
    fn sum_stage(&mut self, index: usize, rows: usize, start: Start) {
        let stage = &self.plan.stages[index];
        let Path::Stored { leaf, .. } = &mut self.path else { return };
        let x = self.arena.stage_input(&self.plan, index, rows);
        let delta = Matrix::new(&self.arena.deltas[0], rows, stage.outputs);
        column_sums(&mut self.team, delta, start, &mut leaf[stage.bias.clone()]);
        let to = MatrixMut::new(&mut leaf[stage.weight.clone()], stage.inputs, stage.outputs);
        weight_gradient(&mut self.team, x, delta, start, to);
    }

    /// Steps a stage's bias and, within the product that sums their gradient, its weights.
    fn step_stage(&mut self, index: usize, rows: usize, count: f32) {
        let stage = &self.plan.stages[index];
        let Path::InBackward { bias } = &mut self.path else { return };
        let bias = &mut bias[..padded(stage.outputs)];
        let x = self.arena.stage_input(&self.plan, index, rows);
        let delta = Matrix::new(&self.arena.deltas[0], rows, stage.outputs);
        column_sums(&mut self.team, delta, Start::Fresh, bias);
        let values = self.params.values_mut();
        let [weight, own] = [stage.entry, stage.entry + 1];
        let to = &mut values[stage.bias.clone()];
        self.updater.step_tensor(&mut self.team, own, bias, f64::from(count), to);
        let to = MatrixMut::new(&mut values[stage.weight.clone()], stage.inputs, stage.outputs);
        self.updater.step_within_product(&mut self.team, weight, [x, delta], count, to);
    }

    /// After `done` samples of a large update: a full leaf, or the last one, goes into the f64 total.
    fn close_leaf(&mut self, done: usize, last: bool) {
        let Path::Stored { leaf, total } = &mut self.path else { return };
        if total.is_empty() || !(last || done.is_multiple_of(LEAF)) {
            return;
        }
        let (first, leaf) = (done <= LEAF, &leaf[..]);
        const CHUNK: usize = 4_096;
        self.team.for_chunks(total.len(), total, CHUNK, |chunk, total| {
            for (total, &sum) in total.iter_mut().zip(&leaf[chunk * CHUNK..]) {
                *total = if first { f64::from(sum) } else { *total + f64::from(sum) };
            }
        });
    }

    /// The optimizer's step on a stored gradient, divided once by the number of samples; a rule that looks at whole
    /// tensors finds it divided.
    fn step(&mut self, samples: usize, loss: f64) {
        let Path::Stored { leaf, total } = &mut self.path else { return };
        let mut count = samples as f64;
        if !total.is_empty() || self.strategy == Strategy::Staged {
            divide(&mut self.team, leaf, total, count);
            count = 1.0;
        }
        self.updater.advance();
        self.updater.step(&mut self.team, leaf, count, self.params.values_mut(), loss);
    }
}

/// leaf ← (total, or leaf where there is none) / count.
fn divide(team: &mut Team, leaf: &mut [f32], total: &[f64], count: f64) {
    const CHUNK: usize = 4_096;
    team.for_chunks(leaf.len(), leaf, CHUNK, |chunk, leaf| match total.get(chunk * CHUNK..) {
        Some(total) if !total.is_empty() => {
            leaf.iter_mut().zip(total).for_each(|(gradient, total)| *gradient = (total / count) as f32);
        }
        _ => leaf.iter_mut().for_each(|gradient| *gradient /= count as f32),
    });
}
