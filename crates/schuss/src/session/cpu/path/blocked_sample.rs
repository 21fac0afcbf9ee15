//! Updates of one or a few samples at nearly the cost of large batches, by a linear rule.

use super::blocked::{Blocked, ROWS};
use super::{Copied, Path, RULES};
use crate::Result;
use crate::network::{Params, Perceptron};
use crate::optim::ScheduledRule;
use crate::session::control::Watch;
use crate::session::cpu::passes::Passes;
use crate::session::cpu::sizes::Sizes;
use crate::session::tally::Tally;
use crate::state::{Snapshot, State, StateCodec};
use schuss_data::Feed;
use schuss_kernels::{Buffer, Team};
use std::io;
use std::ops::Range;

/// Path of updates whose changes of the first layer are delayed by blocks.
pub(in crate::session::cpu) struct BlockedSample {
    /// Weights, velocity and pending changes.
    blocked: Blocked<Team>,
    /// Team of one thread, which runs the updates.
    solo: Team,
    /// State as of the last `settle`.
    settled: Copied<Settled>,
}

/// Optimizer state without pending changes.
struct Settled {
    updates: u64,
    rule: ScheduledRule,
    /// Laid out like the weights; empty if the rule has none.
    velocity: Buffer,
}

impl BlockedSample {
    /// Allocates blocks for `net`, whose training starts at `params`.
    pub(in crate::session::cpu) fn new(
        net: Perceptron,
        rule: ScheduledRule,
        sizes: &Sizes,
        params: &Params,
        solo: Team,
    ) -> Self {
        let weights = Buffer::from(params.values());
        let velocity = Buffer::zeros(if rule.typed().slots().is_empty() { 0 } else { weights.len() });
        let settled = Copied::new(Settled { updates: 0, rule: rule.clone(), velocity });
        Self { blocked: Blocked::new(net, rule, sizes.samples, ROWS, weights), solo, settled }
    }

    /// Number of bytes of everything but weights and velocity.
    pub(in crate::session::cpu) fn bytes(net: &Perceptron, samples: usize, has_velocity: bool) -> usize {
        Blocked::<Team>::floats(net, samples, ROWS, has_velocity) * size_of::<f32>()
    }
}

impl Path for BlockedSample {
    fn advance(
        &mut self,
        passes: &mut Passes,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        if watch.interrupted() {
            return Ok(());
        }
        self.blocked.advance(&mut passes.team, &mut self.solo, feed, positions, seen)
    }

    fn settle(&mut self, passes: &mut Passes) {
        let Settled { updates, rule, velocity } = &mut self.settled.live;
        self.blocked.settle(&mut passes.team, passes.params.values_mut(), velocity);
        *updates = self.blocked.updates();
        rule.clone_from(self.blocked.rule());
    }

    fn observe(&mut self, eval_loss: f64) {
        self.blocked.observe(eval_loss);
    }

    fn keep(&mut self) {
        self.settled.keep();
    }

    fn restore(&mut self, passes: &Passes) {
        self.settled.restore();
        let Settled { updates, rule, velocity } = &self.settled.live;
        self.blocked.restart(*updates, rule, passes.params.values(), velocity);
    }

    fn copy(&mut self) -> &mut dyn State {
        &mut self.settled.copy
    }

    fn trained_state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.settled.live.code(codec)?;
        RULES.clone().code(codec)
    }

    fn state(&mut self, _: &mut Passes, codec: &mut StateCodec) -> io::Result<()> {
        self.blocked.code(codec)
    }

    fn is_at(&self, position: usize, len: usize) -> bool {
        self.blocked.is_at(position, len)
    }

    fn outputs<'a>(&'a self, _: &'a Passes) -> &'a [Buffer] {
        self.blocked.outputs()
    }
}

impl Snapshot for Settled {
    fn snapshot(&self) -> Self {
        Self { updates: self.updates, rule: self.rule.clone(), velocity: self.velocity.clone() }
    }

    fn copy_from(&mut self, other: &Self) {
        self.updates = other.updates;
        self.rule.clone_from(&other.rule);
        self.velocity.copy_from_slice(&other.velocity);
    }
}

impl State for Settled {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.updates.code(codec)?;
        self.rule.code(codec)?;
        self.velocity.code(codec)
    }
}
