//! Forward and backward passes of a trial, in microbatches.

use super::partial::{Halt, Partial, Seen};
use super::sizes::Sizes;
use crate::Result;
use crate::loss::{Loss, Target, Targets};
use crate::network::{Arena, Mode, Noise, Params, Plan, Units, Weights};
use crate::recipe::Trial;
use crate::session::Judge;
use crate::session::tally::Tally;
use crate::state::StateCodec;
use schuss_data::random::{Key, Purpose};
use schuss_data::{Dataset, Feed, ImageShape};
use schuss_kernels::Team;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Network of a trial with its weights and the buffers of its passes.
pub(super) struct Passes {
    pub(super) team: Team,
    pub(super) plan: Plan,
    /// Trained weights.
    pub(super) params: Params,
    /// Weights for evaluation, if they differ from the trained ones.
    pub(super) shown: Option<Params>,
    pub(super) arena: Arena,
    pub(super) setting: Setting,
    pub(super) sizes: Sizes,
    /// Copy of the running statistics before an update that makes several passes over its samples.
    measured: Vec<f32>,
}

/// Settings of a trial for its passes.
pub(super) struct Setting {
    pub(super) loss: Loss,
    pub(super) targets: Targets,
    pub(super) noise: Option<Noise>,
    pub(super) judge: Judge,
    pub(super) seed: u64,
    /// Shape of the images that an autoencoder reconstructs.
    pub(super) reconstructed: Option<ImageShape>,
}

impl Setting {
    /// Returns true if samples of some classes may weigh more than others.
    fn weighs_classes(&self) -> bool {
        self.targets == Targets::Class && !self.loss.is_fused()
    }
}

/// Samples of one update.
pub(super) struct Samples<'a> {
    pub(super) feed: &'a mut Feed,
    pub(super) positions: Range<usize>,
}

/// A microbatch after its forward pass, with the gradient of the loss in the arena.
pub(super) struct Microbatch {
    pub(super) rows: usize,
    /// Divisor of sums, as far as samples have been seen.
    pub(super) divisor: f64,
    /// `Fresh` begins the sums of a leaf.
    pub(super) start: Start,
    pub(super) mode: Mode,
}

/// Receiver of the gradients of an update.
pub(super) trait Descend {
    /// Propagates the gradient at the outputs of a microbatch back through the network.
    fn take(&mut self, passes: &mut Passes, microbatch: &Microbatch);

    /// Ends a leaf after `done` samples of the update, if it is full or the `last` one.
    fn close_leaf(&mut self, _passes: &mut Passes, _done: usize, _last: bool) {}
}

impl Passes {
    /// Allocates the buffers for a trial that starts at `params`.
    ///
    /// # Errors
    /// If the targets cannot be scaled.
    pub(super) fn new(
        team: Team,
        plan: Plan,
        trial: &Trial,
        data: &Dataset,
        params: Params,
        sizes: Sizes,
    ) -> Result<Self> {
        let units = Units::of(trial, data, plan.outputs)?;
        let setting = Setting {
            loss: trial.recipe.loss.clone(),
            targets: trial.targets,
            noise: trial.noise.clone(),
            judge: Judge::new(trial, data, plan.outputs)?,
            seed: trial.seed,
            reconstructed: trial.task(data).image,
        };
        let measured = plan.layout.measured().map(|range| range.len()).sum();
        Ok(Self {
            arena: Arena::new(&plan, sizes.capacity, trial.targets, units),
            team,
            plan,
            params,
            shown: None,
            setting,
            sizes,
            measured: Vec::with_capacity(measured),
        })
    }

    /// Returns the positions of the update that begins at `positions.start` and ends at `positions.end` at the latest.
    pub(super) fn update(&self, positions: Range<usize>) -> Range<usize> {
        positions.start..positions.end.min(positions.start + self.sizes.samples)
    }

    /// Mode of training passes over samples from position `first` of an epoch on.
    pub(super) fn training(&self, epoch: u32, first: usize) -> Mode {
        Mode { seed: self.setting.seed, epoch, first, stats: self.sizes.stats, plain_means: false }
    }

    /// Adds the weight of the gathered samples to `sum`, the divisor of sums over samples: their number, or their class
    /// weights, added one by one so that the sum does not depend on the microbatch.
    pub(super) fn add_weights(&self, rows: usize, sum: &mut f64) {
        if self.setting.weighs_classes() {
            (0..rows).for_each(|row| *sum += self.weight(row));
        } else {
            *sum += rows as f64;
        }
    }

    /// Weight of a gathered sample in sums over samples.
    pub(super) fn weight(&self, row: usize) -> f64 {
        if self.setting.weighs_classes() {
            self.setting.loss.weight(self.arena.labels[row] as usize)
        } else {
            1.0
        }
    }

    /// Target of a gathered sample.
    pub(super) fn target(&self, row: usize) -> Target<'_> {
        match self.setting.targets {
            Targets::Class => Target::Class(self.arena.labels[row] as usize),
            Targets::Real | Targets::Input => Target::Row(self.arena.target(&self.plan, row)),
        }
    }

    /// Loss of a sample after its forward pass, in the units of the targets.
    pub(super) fn loss_in_units(&self, row: usize) -> f64 {
        let Self { arena, plan, setting, .. } = self;
        match setting.judge.factors() {
            Some(factors) => setting.loss.in_units(arena.output(plan, row), arena.target(plan, row), factors),
            None => arena.scores[row].loss,
        }
    }

    /// Gathers samples, keeps them as targets for autoencoders, and applies noise drawn for `purpose`.
    pub(super) fn gather(
        &mut self,
        feed: &mut Feed,
        first: usize,
        rows: usize,
        purpose: Purpose,
    ) -> Result<()> {
        let epoch = feed.epoch();
        self.arena.gather(&mut self.team, &self.plan, &feed.rows(first, rows)?)?;
        if let Some(noise) = &self.setting.noise {
            let key = Key { seed: self.setting.seed, purpose, epoch };
            self.arena.disturb(&mut self.team, noise, key, first, rows, self.plan.inputs);
        }
        Ok(())
    }

    /// Runs the forward pass and the loss of the gathered samples, in training mode if `mode` is given; leaves the
    /// gradient at the outputs in `deltas[0]`.
    pub(super) fn forward(&mut self, rows: usize, mode: Option<&Mode>, tally: &mut Tally) {
        let weights = match (mode, &mut self.shown) {
            (None, Some(shown)) => shown,
            _ => &mut self.params,
        };
        let weights = Weights::new(weights.values_mut(), mode);
        self.arena.forward(&mut self.team, &self.plan, weights, rows);
        let width = self.plan.outputs;
        let Arena { input, outputs, deltas, labels, scores, targets, .. } = &mut self.arena;
        let targets = targets.as_ref().map(|targets| Matrix::new(targets, rows, width));
        let outputs = Matrix::new(outputs.last().unwrap_or(input), rows, width);
        self.setting.loss.compute(
            &mut self.team,
            outputs,
            &labels[..rows],
            targets,
            MatrixMut::new(&mut deltas[0], rows, width),
            &mut scores[..rows],
        );
        for row in 0..rows {
            let score = self.arena.scores[row];
            tally.count(self.loss_in_units(row), score.loss, score.correct);
        }
    }

    /// Sends the samples of an update, except those already done, forward through the network, and their gradients to
    /// `to`. If halted, returns the progress so far.
    pub(super) fn accumulate(
        &mut self,
        samples: &mut Samples,
        begun: Partial,
        halts: impl Fn() -> bool,
        to: &mut dyn Descend,
    ) -> std::result::Result<Seen, Halt> {
        let Partial { mut tally, mut weight, mut done } = begun;
        let count = samples.positions.len();
        while done < count {
            if halts() {
                return Err(Halt::Stopped(Partial { tally, weight, done }));
            }
            let in_leaf = done % self.sizes.leaf;
            let rows = self.sizes.microbatch.min(count - done).min(self.sizes.leaf - in_leaf);
            let mode = self.send_forward(samples, done, rows, &mut tally, &mut weight)?;
            let start = if in_leaf == 0 { Start::Fresh } else { Start::Continue };
            to.take(self, &Microbatch { rows, divisor: divisor(weight), start, mode });
            done += rows;
            to.close_leaf(self, done, done == count);
        }
        let weight = divisor(weight);
        Ok(Seen { tally: tally.weighed(weight), weight })
    }

    /// Runs the forward pass of `rows` samples of an update, from its sample number `done` on.
    fn send_forward(
        &mut self,
        samples: &mut Samples,
        done: usize,
        rows: usize,
        tally: &mut Tally,
        weight: &mut f64,
    ) -> Result<Mode> {
        let first = samples.positions.start + done;
        self.gather(samples.feed, first, rows, Purpose::Noise)?;
        self.add_weights(rows, weight);
        let mode = self.training(samples.feed.epoch(), first);
        self.forward(rows, Some(&mode), tally);
        Ok(mode)
    }

    /// Returns the loss of the samples of an update, without gradients; None if cancelled.
    pub(super) fn loss(
        &mut self,
        samples: &mut Samples,
        cancelled: impl Fn() -> bool,
    ) -> Result<Option<Seen>> {
        let (mut tally, mut weight) = (Tally::default(), 0.0);
        let count = samples.positions.len();
        for done in (0..count).step_by(self.sizes.microbatch) {
            if cancelled() {
                return Ok(None);
            }
            let rows = self.sizes.microbatch.min(count - done);
            self.send_forward(samples, done, rows, &mut tally, &mut weight)?;
        }
        let weight = divisor(weight);
        Ok(Some(Seen { tally: tally.weighed(weight), weight }))
    }

    /// Runs an update that makes several passes over its samples; if it is cancelled, the running statistics are
    /// restored.
    pub(super) fn all_or_nothing<T>(
        &mut self,
        update: impl FnOnce(&mut Self) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let layout = Arc::clone(&self.plan.layout);
        self.measured.clear();
        layout.measured().for_each(|range| self.measured.extend_from_slice(&self.params.values()[range]));
        let done = update(self);
        if !matches!(done, Ok(Some(_))) {
            let before = layout.measured().flatten().zip(&self.measured);
            before.for_each(|(place, before)| self.params.values_mut()[place] = *before);
        }
        done
    }

    /// Updates the weights for evaluation from the trained ones by `show`; their own batch statistics are kept.
    pub(super) fn show(&mut self, show: impl FnOnce(&mut [f32])) {
        let Some(shown) = &mut self.shown else { return };
        let places: Vec<usize> = self.plan.layout.measured().flatten().collect();
        let measured: Vec<f32> = places.iter().map(|&place| shown.values()[place]).collect();
        shown.values_mut().copy_from_slice(self.params.values());
        show(shown.values_mut());
        places.iter().zip(measured).for_each(|(&place, number)| shown.values_mut()[place] = number);
    }
}

/// Returns the divisor of sums over samples of total weight `weight`; if the weight is 0, loss and gradient are 0.
pub(super) fn divisor(weight: f64) -> f64 {
    if weight == 0.0 { 1.0 } else { weight }
}

/// Saves or loads weights.
pub(super) fn code_params(codec: &mut StateCodec, params: &mut Params) -> io::Result<()> {
    codec.expect("the network has a different size", params.values().len() as u64)?;
    codec.words(params.values_mut())
}
