//! Updates whose gradients are summed first; then one pass, or one per tensor, moves all weights.

use super::{Copied, Path, WithCopy};
use crate::Result;
use crate::network::Plan;
use crate::optim::{Sam, Updater};
use crate::session::control::Watch;
use crate::session::cpu::curvature::Curvature;
use crate::session::cpu::partial::{Halt, Partial, Seen};
use crate::session::cpu::passes::{Descend, Microbatch, Passes, Samples, code_params};
use crate::session::cpu::sizes::Sizes;
use crate::session::cpu::sums::Sums;
use crate::session::tally::Tally;
use crate::state::{State, StateCodec};
use schuss_data::Feed;
use schuss_kernels::Buffer;
use std::io;
use std::ops::Range;

/// Path of updates whose gradients are stored.
pub(in crate::session::cpu) struct Stored {
    rules: Copied<Updater<Buffer>>,
    gradients: Gradients,
    uphill: Option<Uphill>,
}

/// Sums of an update's gradients.
pub(super) struct Gradients {
    sums: Sums,
    curvature: Option<Box<Curvature>>,
    /// True if rules get their gradients divided, because they use whole tensors.
    divided: bool,
    /// Update that was stopped between two microbatches.
    partial: Option<Partial>,
}

/// Sharpness-aware gradients, evaluated at weights moved uphill.
struct Uphill {
    sam: Sam,
    /// Copy of the weights before the move.
    from: Buffer,
}

impl Stored {
    /// Allocates the sums for `plan`; rules are `staged` if they use whole tensors, and `sam` moves the weights uphill
    /// before gradients are taken.
    pub(in crate::session::cpu) fn new(
        plan: &Plan,
        sizes: &Sizes,
        updater: Updater<Buffer>,
        curvature: Option<Box<Curvature>>,
        sam: Option<Sam>,
        staged: bool,
    ) -> Self {
        let len = plan.layout.len();
        let sums = Sums::new(len, sizes);
        Self {
            rules: Copied::new(updater),
            gradients: Gradients { sums, curvature, divided: staged, partial: None },
            uphill: sam.map(|sam| Uphill { sam, from: Buffer::zeros(len) }),
        }
    }
}

impl Path for Stored {
    fn advance(
        &mut self,
        passes: &mut Passes,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        let samples = &mut Samples { feed, positions: passes.update(positions) };
        let Self { rules, gradients, uphill } = self;
        let updater = &mut rules.live;
        seen.extend(match uphill {
            None => gradients.update(passes, samples, updater, watch)?,
            Some(uphill) => passes
                .all_or_nothing(|passes| gradients.update_uphill(passes, samples, updater, uphill, watch))?,
        });
        Ok(())
    }

    fn optimizer(&self) -> &dyn WithCopy {
        &self.rules
    }

    fn optimizer_mut(&mut self) -> &mut dyn WithCopy {
        &mut self.rules
    }

    fn state(&mut self, passes: &mut Passes, codec: &mut StateCodec) -> io::Result<()> {
        code_params(codec, &mut passes.params)?;
        self.rules.live.code(codec)?;
        let mut begun = self.is_within_update();
        begun.code(codec)?;
        if begun {
            return self.gradients.code(codec);
        }
        self.gradients.partial = None;
        Ok(())
    }

    fn is_within_update(&self) -> bool {
        self.gradients.partial.is_some()
    }

    fn is_at(&self, position: usize, len: usize) -> bool {
        self.gradients.done() <= len - position
    }
}

impl Gradients {
    /// Allocates the sums for an update of element-wise rules, to be loaded.
    pub(super) fn of_begun_update(passes: &Passes) -> Self {
        let sums = Sums::new(passes.plan.layout.len(), &passes.sizes);
        Self { sums, curvature: None, divided: false, partial: Some(Partial::default()) }
    }

    /// Number of samples of the current update whose gradients are summed.
    pub(super) fn done(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.done)
    }

    /// Runs one update, or the rest of a begun one; returns None if it is stopped before its last microbatch.
    pub(super) fn update(
        &mut self,
        passes: &mut Passes,
        samples: &mut Samples,
        updater: &mut Updater<Buffer>,
        watch: Watch,
    ) -> Result<Option<Tally>> {
        let begun = self.partial.take().unwrap_or_default();
        match passes.accumulate(samples, begun, || watch.interrupted() || watch.is_due(), self) {
            Ok(seen) => {
                self.step(passes, updater, &seen);
                Ok(Some(seen.tally))
            }
            Err(Halt::Stopped(partial)) => {
                self.partial = Some(partial).filter(|partial| partial.done > 0);
                Ok(None)
            }
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    /// Runs one update with gradients from weights that the plain gradients have moved uphill; returns None, with the
    /// weights restored, if it is interrupted.
    fn update_uphill(
        &mut self,
        passes: &mut Passes,
        samples: &mut Samples,
        updater: &mut Updater<Buffer>,
        uphill: &mut Uphill,
        watch: Watch,
    ) -> Result<Option<Tally>> {
        let halts = || watch.interrupted();
        let here = passes.accumulate(samples, Partial::default(), halts, self);
        let Some(here) = Halt::stopped(here)? else { return Ok(None) };
        self.sums.divide(&mut passes.team, here.weight);
        uphill.from.copy_from_slice(passes.params.values());
        uphill.sam.climb(&mut passes.team, &self.sums.leaf, passes.params.values_mut());
        let there = passes.accumulate(samples, Partial::default(), halts, self);
        passes.params.values_mut().copy_from_slice(&uphill.from);
        let Some(there) = Halt::stopped(there)? else { return Ok(None) };
        self.step(passes, updater, &Seen { weight: there.weight, ..here });
        Ok(Some(here.tally))
    }

    /// Applies the optimizer's step to the sums, divided once by the weight of their samples.
    fn step(&mut self, passes: &mut Passes, updater: &mut Updater<Buffer>, seen: &Seen) {
        let (team, mut count) = (&mut passes.team, seen.weight);
        if self.sums.has_total() || self.divided {
            self.sums.divide(team, count);
            count = 1.0;
        }
        updater.advance();
        if let Some(curvature) = &mut self.curvature {
            curvature.hand_over(team, seen.tally.samples as f64, updater);
        }
        let loss = seen.tally.mean_minimised();
        updater.step(team, &mut self.sums.leaf, count, passes.params.values_mut(), loss);
    }
}

impl Descend for Gradients {
    fn take(&mut self, passes: &mut Passes, microbatch: &Microbatch) {
        self.sums.add(passes, microbatch);
        if let Some(curvature) = &mut self.curvature {
            curvature.add(passes, microbatch);
        }
    }

    fn close_leaf(&mut self, passes: &mut Passes, done: usize, last: bool) {
        let leaf = passes.sizes.leaf;
        self.sums.close_full_leaf(&mut passes.team, leaf, done, last);
        if let Some(curvature) = &mut self.curvature {
            curvature.close_leaf(&mut passes.team, leaf, done, last);
        }
    }
}

/// Progress and sums of a begun update.
impl State for Gradients {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.partial.get_or_insert_default().code(codec)?;
        self.sums.code(codec)?;
        self.curvature.as_mut().map_or(Ok(()), |curvature| curvature.code(codec))
    }
}
