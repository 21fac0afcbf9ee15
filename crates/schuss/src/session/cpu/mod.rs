//! Engine on the processor cores: gather, forward, loss, backward and step, in microbatches, by a team of threads.

mod curvature;
mod evaluate;
mod hessian;
mod memory;
mod partial;
mod passes;
mod path;
mod probe;
mod sizes;
mod strategy;
mod sums;
#[cfg(test)]
mod tests;

use super::Engine;
use super::control::{Control, Watch};
use super::limits::{Limits, check_memory};
use super::start::{checked_plan, initial_params};
use super::tally::Tally;
use crate::Result;
use crate::instrument::Probe;
use crate::machine;
use crate::metrics::{Metrics, Reconstructions};
use crate::network::{Params, Plan};
use crate::optim::{Gradient, ScheduledRule, Updater};
use crate::recipe::Trial;
use crate::record::MemoryRecord;
use crate::state::{State, StateCodec};
use curvature::Curvature;
use passes::{Passes, code_params};
use path::{BlockedSample, BySolver, InBackward, Path, Stored};
use schuss_data::{Dataset, Feed};
use schuss_kernels::{Buffer, Team};
use sizes::Sizes;
use std::io;
use std::ops::Range;
use strategy::Strategy;

/// Engine that runs a trial on the processor cores.
pub struct Cpu {
    passes: Passes,
    path: Box<dyn Path>,
    strategy: Strategy,
    /// Weights at the last report point.
    copy: Params,
    /// True if `copy` is behind the trained weights.
    copy_is_old: bool,
    memory: MemoryRecord,
}

impl Cpu {
    /// Allocates everything a trial needs.
    ///
    /// # Errors
    /// If model and data do not match, weights cannot be loaded, or the machine has too little memory or too few
    /// threads.
    pub fn new(trial: &Trial, data: &Dataset, limits: Limits) -> Result<Self> {
        let plan = checked_plan(trial, data)?;
        let trial = &trial.resolved(data.train.len());
        let [mut team, solo] = [machine::team(limits.threads)?, machine::team(1)?];
        let sizes = Sizes::choose(&plan, trial, data, limits, &mut team)?;
        let strategy = Strategy::choose(&plan, trial, sizes.samples, sizes.microbatch);
        let memory = memory::memory(&plan, trial, &sizes, strategy)?;
        check_memory(&plan.model, data, &memory, limits)?;
        let params = initial_params(trial, &plan)?;
        let path = path(strategy, trial, &plan, &sizes, &params, solo)?;
        let mut passes = Passes::new(team, plan, trial, data, params, sizes)?;
        passes.shown = trial.recipe.optimizer.descent().shows_others().then(|| passes.params.clone());
        Ok(Self { copy: passes.params.clone(), copy_is_old: false, passes, path, strategy, memory })
    }

    /// Updates the weights for evaluation from the trained ones.
    fn show(&mut self) {
        self.passes.show(|weights| self.path.optimizer().show(weights));
    }
}

/// Allocates the path of a strategy; `solo` is a team of one thread for paths that need it.
///
/// # Errors
/// If the optimizer does not suit the network.
fn path(
    strategy: Strategy,
    trial: &Trial,
    plan: &Plan,
    sizes: &Sizes,
    params: &Params,
    solo: Team,
) -> Result<Box<dyn Path>> {
    let (method, schedule) = (&trial.recipe.optimizer, &trial.recipe.schedule);
    if let Some(solver) = method.solver() {
        return Ok(Box::new(BySolver::new(solver, trial, plan, sizes)?));
    }
    let descent = method.descent();
    if let (Strategy::BlockedSample, Some(net)) = (strategy, plan.perceptron()) {
        let rule = ScheduledRule::new(descent.groups[0].rule.clone(), schedule.clone());
        return Ok(Box::new(BlockedSample::new(net, rule, sizes, params, solo)));
    }
    let updater: Updater<Buffer> =
        Updater::new::<Team>(descent, schedule, trial.seed, &plan.layout, params.values())?;
    if strategy == Strategy::InBackward {
        return Ok(Box::new(InBackward::new(plan, updater)));
    }
    let curvature = Curvature::new(trial, plan, sizes)?;
    let sam = match descent.gradient {
        Gradient::Plain => None,
        Gradient::Sam(sam) => Some(sam),
    };
    let staged = strategy == Strategy::Staged;
    Ok(Box::new(Stored::new(plan, sizes, updater, curvature, sam, staged)))
}

impl Engine for Cpu {
    fn advance(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        let done = self.path.advance(&mut self.passes, feed, positions, watch, seen);
        self.copy_is_old |= !seen.is_empty() || self.path.is_within_update();
        done
    }

    fn settle(&mut self, samples: Option<&mut Feed>) -> Result<()> {
        self.path.settle(&mut self.passes);
        self.show();
        samples.map_or(Ok(()), |feed| self.passes.measure_statistics(feed))
    }

    fn needs_statistics(&self) -> bool {
        self.passes.shown.is_some() && self.passes.plan.layout.measured().next().is_some()
    }

    fn evaluate(&mut self, feed: &mut Feed, metrics: &mut Metrics, control: &Control) -> Result<Option<f64>> {
        self.passes.evaluate(feed, metrics, control)
    }

    fn reconstructions(&mut self, feed: &mut Feed, count: usize) -> Result<Option<Reconstructions>> {
        self.passes.reconstructions(feed, count)
    }

    fn observe(&mut self, eval_loss: f64) {
        self.path.observe(eval_loss);
    }

    fn params(&self) -> &Params {
        self.passes.shown.as_ref().unwrap_or(&self.passes.params)
    }

    fn is_finite(&self) -> bool {
        self.passes.params.first_non_finite().is_none()
    }

    fn first_non_finite(&self) -> String {
        let Passes { plan, params, .. } = &self.passes;
        let outputs = plan.first_non_finite(self.path.outputs(&self.passes));
        let found = outputs.or_else(|| params.first_non_finite());
        found.or_else(|| plan.stages.last().map(|stage| stage.layer.to_string())).unwrap_or_default()
    }

    fn keep(&mut self) {
        self.copy.values_mut().copy_from_slice(self.passes.params.values());
        self.path.optimizer_mut().keep();
        self.copy_is_old = false;
    }

    fn restore(&mut self) {
        self.passes.params.values_mut().copy_from_slice(self.copy.values());
        self.path.optimizer_mut().restore();
        self.path.restart(&self.passes);
        self.show();
        self.copy_is_old = false;
    }

    fn state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.path.state(&mut self.passes, codec)?;
        self.copy_is_old.code(codec)?;
        if codec.loads() {
            self.path.settle(&mut self.passes);
            self.show();
        }
        if self.copy_is_old {
            code_params(codec, &mut self.copy)?;
            return self.path.optimizer_mut().copy().code(codec);
        }
        if codec.loads() {
            self.keep();
        }
        Ok(())
    }

    fn trained_state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        code_params(codec, &mut self.passes.params)?;
        let optimizer = self.path.optimizer_mut().live();
        // an option of a solver: None after the state of rules, Some after 0 updates by rules
        if self.strategy != Strategy::Solver {
            optimizer.code(codec)?;
            return 0_u64.code(codec);
        }
        0_u64.code(codec)?;
        1_u64.code(codec)?;
        optimizer.code(codec)
    }

    fn is_at(&self, position: usize, len: usize) -> bool {
        self.path.is_at(position, len)
    }

    fn at_once(&self) -> usize {
        self.passes.sizes.capacity.max(path::ROWS)
    }

    fn memory(&self) -> MemoryRecord {
        self.memory
    }

    fn strategy(&self) -> &'static str {
        self.strategy.name()
    }

    fn arithmetic(&self) -> &str {
        self.passes.team.precision().arithmetic()
    }

    fn set_threads(&mut self, threads: usize) -> Result<()> {
        let before = &self.passes.team;
        let mut team = machine::team(threads)?;
        team.set_precision_on(before.tile_unit(), before.precision());
        self.passes.team = team;
        Ok(())
    }

    fn probe(&mut self) -> Option<&mut dyn Probe> {
        Some(self)
    }

    fn evaluations(&self) -> Option<u64> {
        self.path.evaluations()
    }
}
