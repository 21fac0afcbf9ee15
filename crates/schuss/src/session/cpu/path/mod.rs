//! Ways of carrying out updates, each with all the state it needs.

mod blocked;
mod blocked_sample;
mod in_backward;
mod solver;
mod stored;

pub(super) use blocked::ROWS;
pub(super) use blocked_sample::BlockedSample;
pub(super) use in_backward::InBackward;
pub(super) use solver::BySolver;
pub(super) use stored::Stored;

use super::passes::Passes;
use crate::Result;
use crate::optim::Updater;
use crate::optim::solver::Solving;
use crate::session::control::Watch;
use crate::session::tally::Tally;
use crate::state::{Snapshot, State, StateCodec};
use schuss_data::Feed;
use schuss_kernels::Buffer;
use std::io;
use std::ops::Range;

/// A way of carrying out updates.
pub(super) trait Path: Send {
    /// Runs updates on the samples at `positions`, as [`Engine::advance`](crate::session::Engine::advance) does.
    fn advance(
        &mut self,
        passes: &mut Passes,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()>;

    /// Brings the trained weights and the optimizer's state up to date with the last update.
    fn settle(&mut self, _passes: &mut Passes) {}

    /// The optimizer's state, and its copy.
    fn optimizer(&self) -> &dyn WithCopy;

    /// The optimizer's state, and its copy.
    fn optimizer_mut(&mut self) -> &mut dyn WithCopy;

    /// Passes the evaluation loss at the end of an epoch to plateau schedules.
    fn observe(&mut self, eval_loss: f64) {
        self.optimizer_mut().observe(eval_loss);
    }

    /// Starts over from the weights of `passes` and the optimizer's state, which have been restored.
    fn restart(&mut self, _passes: &Passes) {}

    /// Saves or loads everything later updates depend on, weights included.
    fn state(&mut self, passes: &mut Passes, codec: &mut StateCodec) -> io::Result<()>;

    /// Returns true if an update was stopped between two microbatches.
    fn is_within_update(&self) -> bool {
        false
    }

    /// Returns true if pending work belongs to `position` of an epoch of `len` samples.
    fn is_at(&self, position: usize, len: usize) -> bool;

    /// Outputs of every stage for the last samples.
    fn outputs<'a>(&'a self, passes: &'a Passes) -> &'a [Buffer] {
        &passes.arena.outputs
    }

    /// Number of evaluations of the loss over an update's samples so far, if a solver makes them.
    fn evaluations(&self) -> Option<u64> {
        None
    }
}

/// State that an optimizer keeps between updates.
trait OptimizerState: Snapshot + State {
    /// Passes the evaluation loss at the end of an epoch to plateau schedules.
    fn observe(&mut self, eval_loss: f64);

    /// Turns a copy of the trained weights into the weights to evaluate.
    fn show(&self, _weights: &mut [f32]) {}

    /// Slots of the tensor at `entry`, in tests.
    #[cfg(test)]
    fn slots(&self, _entry: usize) -> &[Buffer] {
        &[]
    }
}

/// Optimizer state, and its copy at the last report point.
struct Copied<S> {
    live: S,
    copy: S,
}

impl<S: Snapshot> Copied<S> {
    fn new(live: S) -> Self {
        Self { copy: live.snapshot(), live }
    }
}

/// [`Copied`] state of any optimizer.
pub(super) trait WithCopy {
    /// See [`OptimizerState::observe`].
    fn observe(&mut self, eval_loss: f64);

    /// See [`OptimizerState::show`].
    fn show(&self, weights: &mut [f32]);

    /// Copies the state.
    fn keep(&mut self);

    /// Restores the copy.
    fn restore(&mut self);

    /// The state.
    fn live(&mut self) -> &mut dyn State;

    /// The copy.
    fn copy(&mut self) -> &mut dyn State;

    /// See [`OptimizerState::slots`].
    #[cfg(test)]
    fn slots(&self, entry: usize) -> &[Buffer];
}

impl<S: OptimizerState> WithCopy for Copied<S> {
    fn observe(&mut self, eval_loss: f64) {
        self.live.observe(eval_loss);
    }

    fn show(&self, weights: &mut [f32]) {
        self.live.show(weights);
    }

    fn keep(&mut self) {
        self.copy.copy_from(&self.live);
    }

    fn restore(&mut self) {
        self.live.copy_from(&self.copy);
    }

    fn live(&mut self) -> &mut dyn State {
        &mut self.live
    }

    fn copy(&mut self) -> &mut dyn State {
        &mut self.copy
    }

    #[cfg(test)]
    fn slots(&self, entry: usize) -> &[Buffer] {
        self.live.slots(entry)
    }
}

impl OptimizerState for Updater<Buffer> {
    fn observe(&mut self, eval_loss: f64) {
        Self::observe(self, eval_loss);
    }

    fn show(&self, weights: &mut [f32]) {
        Self::show(self, weights);
    }

    #[cfg(test)]
    fn slots(&self, entry: usize) -> &[Buffer] {
        Self::slots(self, entry)
    }
}

impl OptimizerState for Solving<Buffer> {
    fn observe(&mut self, eval_loss: f64) {
        Self::observe(self, eval_loss);
    }
}
