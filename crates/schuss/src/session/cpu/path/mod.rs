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

    /// Turns a copy of the trained weights into the weights to evaluate.
    fn show(&self, _weights: &mut [f32]) {}

    /// Passes the evaluation loss at the end of an epoch to plateau schedules.
    fn observe(&mut self, eval_loss: f64);

    /// Copies the optimizer's state.
    fn keep(&mut self);

    /// Restores the copy of the optimizer's state; the weights of `passes` are restored already.
    fn restore(&mut self, passes: &Passes);

    /// The copy of the optimizer's state.
    fn copy(&mut self) -> &mut dyn State;

    /// Saves or loads the optimizer's state alone.
    fn trained_state(&mut self, codec: &mut StateCodec) -> io::Result<()>;

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

    /// Slots of the tensor at `entry`, in tests.
    #[cfg(test)]
    fn slots(&self, _entry: usize) -> &[Buffer] {
        &[]
    }

    /// Number of evaluations of the loss over an update's samples so far, if a solver makes them.
    fn evaluations(&self) -> Option<u64> {
        None
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

    fn keep(&mut self) {
        self.copy.copy_from(&self.live);
    }

    fn restore(&mut self) {
        self.live.copy_from(&self.copy);
    }
}

/// Marks of the end of a state of rules, and of the beginning of a solver's, in hashes of trained weights.
const RULES: u64 = 0;
const SOLVER: u64 = 1;
