//! Updates of one or a few samples at nearly the cost of large batches, by a linear rule.

use super::blocked::{Blocked, ROWS};
use super::{Copied, OptimizerState, Path, WithCopy};
use crate::Result;
use crate::network::{Entry, Layout, Params, Perceptron};
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
use std::sync::Arc;

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
    layout: Arc<Layout>,
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
        let settled = Copied::new(Settled {
            updates: 0,
            rule: rule.clone(),
            velocity,
            layout: Arc::clone(params.layout()),
        });
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
        let Settled { updates, rule, velocity, .. } = &mut self.settled.live;
        self.blocked.settle(&mut passes.team, passes.params.values_mut(), velocity);
        *updates = self.blocked.updates();
        rule.clone_from(self.blocked.rule());
    }

    fn optimizer(&self) -> &dyn WithCopy {
        &self.settled
    }

    fn optimizer_mut(&mut self) -> &mut dyn WithCopy {
        &mut self.settled
    }

    fn observe(&mut self, eval_loss: f64) {
        self.blocked.observe(eval_loss);
    }

    fn restart(&mut self, passes: &Passes) {
        let Settled { updates, rule, velocity, .. } = &self.settled.live;
        self.blocked.restart(*updates, rule, passes.params.values(), velocity);
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
        let (rule, velocity) = (self.rule.clone(), self.velocity.clone());
        Self { updates: self.updates, rule, velocity, layout: Arc::clone(&self.layout) }
    }

    fn copy_from(&mut self, other: &Self) {
        self.updates = other.updates;
        self.rule.clone_from(&other.rule);
        self.velocity.copy_from_slice(&other.velocity);
    }
}

impl OptimizerState for Settled {
    /// The rule of the blocks is the one that observes; `settle` copies it.
    fn observe(&mut self, _: f64) {}
}

/// As an updater of the same rule codes its state, so that a hash of it does not depend on the path.
impl State for Settled {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.updates.code(codec)?;
        self.rule.code(codec)?;
        for range in self.layout.entries().iter().map(Entry::range) {
            let Some(velocity) = self.velocity.get_mut(range) else { break };
            codec.expect("a tensor has a different size", velocity.len() as u64)?;
            codec.words(velocity)?;
        }
        Ok(())
    }
}
