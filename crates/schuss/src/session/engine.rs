//! Weight updates on the CPU: gather, forward, loss, backward and step, in microbatches.

mod answers;
mod evaluate;

use self::answers::Answers;
use super::backward::{Sums, leaf_of};
use super::blocked::{self, Blocked};
use super::control::Watch;
use super::curvature::Curvature;
use super::solve;
use super::tally::{Halt, Partial, Seen, Tally};
use crate::loss::Loss;
use crate::loss::Targets;
use crate::metrics::Quality;
use crate::network::Noise;
use crate::network::{Arena, Mode, Params, Plan, Units};
use crate::optim::solver::Solving;
use crate::optim::{Descent, Gradient, Sam, ScheduledRule, Updater};
use crate::recipe::{TargetScale, Trial};
use crate::record::MemoryRecord;
use crate::session::Strategy;
use schuss_data::random::Purpose;
use schuss_data::{Dataset, Feed};
use schuss_kernels::matrix::Start;
use schuss_kernels::{Buffer, Lane, Precision, Team};
use std::ops::Range;
use std::sync::Arc;

/// State of a trial and all buffers of its step.
pub(crate) struct Engine {
    pub(super) team: Team,
    pub(super) plan: Plan,
    pub(super) params: Params,
    pub(super) updater: Updater<Buffer>,
    pub(super) arena: Arena,
    pub(super) setting: Setting,
    /// Samples per update.
    samples: usize,
    pub(super) microbatch: usize,
    /// Number of samples whose gradients are summed in one f32 chain.
    pub(super) leaf: usize,
    pub(super) strategy: Strategy,
    pub(super) path: Path,
    /// Weights for evaluation, if they differ from the trained ones.
    pub(super) shown: Option<Params>,
    pub(super) uphill: Option<Uphill>,
    /// Update that was stopped between two microbatches.
    pub(super) partial: Option<Partial>,
    /// Copy of the running statistics before an update that makes several passes over its samples.
    measured: Vec<f32>,
    pub(super) curvature: Option<Box<Curvature>>,
    /// Solver that updates the weights, if no rule does.
    pub(super) solver: Option<Solving<Buffer>>,
    /// Number of times the solver has evaluated the samples of an update.
    pub(super) evaluations: u64,
    quality: Option<Quality>,
    /// Predictions counted in the last evaluation.
    answers: Answers,
    /// Names of the labels of a multi-label task.
    labels: Vec<String>,
}

/// Settings of a trial for passes through the network.
pub(super) struct Setting {
    pub(super) loss: Loss,
    targets: Targets,
    noise: Option<Noise>,
    /// Factor of each output that converts the loss to the units of the targets, if targets are scaled.
    pub(super) factors: Option<Vec<f64>>,
    pub(super) seed: u64,
    /// Samples per group of batch statistics.
    pub(super) stats: usize,
}

/// Path of the updates, with its own buffers.
pub(super) enum Path {
    /// The product that sums the gradient of a weight writes the new weight. Gradients of other tensors are summed in
    /// `sums`.
    InBackward { sums: Buffer },
    /// Gradients are stored.
    Stored(Sums),
    /// `blocked` has the live weights and velocity; those of the engine are brought up to date at report points, the
    /// velocity by way of a buffer. The updates themselves run on one thread, `solo`.
    BlockedSample { blocked: Box<Blocked<Team>>, solo: Team, velocity: Buffer },
}

/// Sharpness-aware gradients, evaluated at weights moved uphill.
pub(super) struct Uphill {
    pub(super) sam: Sam,
    /// Copy of the weights before the move.
    pub(super) from: Buffer,
}

impl Path {
    /// Creates the path in which the products of gradients write the new weights.
    pub(super) fn in_backward(plan: &Plan) -> Self {
        Self::InBackward { sums: Buffer::zeros(plan.largest_vectors()) }
    }

    /// Allocates the buffers of `strategy`; `solo` is a team of one thread for paths that need it.
    fn new(
        strategy: Strategy,
        plan: &Plan,
        trial: &Trial,
        (params, solo): (&Params, Team),
        [samples, leaf]: [usize; 2],
    ) -> Self {
        let Descent { groups, .. } = trial.recipe.optimizer.descent();
        match (strategy, plan.perceptron()) {
            (Strategy::BlockedSample, Some(net)) => {
                let course = ScheduledRule::new(groups[0].rule.clone(), trial.recipe.schedule.clone());
                let weights = Buffer::from(params.values());
                let has_velocity = !course.typed().slots().is_empty();
                let velocity = Buffer::zeros(if has_velocity { plan.layout.len() } else { 0 });
                let blocked = Blocked::new(net, course, samples, blocked::ROWS, weights);
                Self::BlockedSample { blocked: Box::new(blocked), solo, velocity }
            }
            (Strategy::InBackward, _) => Self::in_backward(plan),
            _ => Self::Stored(Sums::new(plan.layout.len(), samples, leaf)),
        }
    }
}

impl Engine {
    /// Creates an engine for updates of up to `samples` samples, on a team and on a second team of one thread.
    /// Microbatches have the given number of samples, or `most`; evaluations take at least `most` at once.
    ///
    /// # Errors
    /// If the optimizer's groups do not match the network, or the network does not allow updates of this size.
    pub(crate) fn new(
        [mut team, solo]: [Team; 2],
        plan: Plan,
        trial: &Trial,
        mut params: Params,
        (samples, data): (usize, &Dataset),
        (microbatch, most): (Option<usize>, usize),
    ) -> crate::Result<Self> {
        params.values_mut().iter_mut().for_each(|weight| *weight = weight.flush()); // as after every update
        let recipe = &trial.recipe;
        let stats = recipe.stats.unwrap_or(MOST_STATISTICS).min(samples);
        plan.check_statistics(stats)?;
        let leaf = leaf_of(plan.has_statistics().then_some(stats));
        let worthwhile = samples >= FEWEST_FOR_TILES;
        team.set_precision(if worthwhile { recipe.matmul_precision.0 } else { Precision::Highest });
        let groups = if plan.has_statistics() { stats } else { 1 };
        let pieces = Pieces { whole: samples.min(leaf), groups, terms: team.terms_at_once() };
        let microbatch = pieces.fit(microbatch.unwrap_or(most));
        let descent = recipe.optimizer.descent();
        let solver = solve::solver(trial, &plan)?;
        let updater =
            Updater::new::<Team>(descent, &recipe.schedule, trial.seed, &plan.layout, params.values())?;
        let curvature = Curvature::new((trial, &plan), &updater, [samples, leaf, microbatch])?;
        let strategy = Strategy::choose(&plan, trial, samples, microbatch);
        let path = Path::new(strategy, &plan, trial, (&params, solo), [samples, leaf]);
        let units = Units::of(trial, data, plan.outputs)?;
        let power = recipe.loss.power().filter(|_| trial.target_scale() == Some(TargetScale::Standard));
        let factors = units.as_ref().and_then(|units| Some(units.factors(power?)));
        let arena = Arena::new(&plan, microbatch.max(most), trial.targets, units);
        let shown = updater.shows_others().then(|| params.clone());
        let quality = data.shape.image().filter(|_| trial.targets == Targets::Input).map(Quality::new);
        let uphill = match descent.gradient {
            Gradient::Plain => None,
            Gradient::Sam(sam) => Some(Uphill { sam, from: Buffer::zeros(plan.layout.len()) }),
        };
        let setting = Setting {
            loss: recipe.loss.clone(),
            targets: trial.targets,
            noise: trial.noise.clone(),
            factors,
            seed: trial.seed,
            stats,
        };
        let answers = Answers::of(trial, data, plan.outputs);
        let measured = plan.layout.measured().map(|range| range.len()).sum();
        Ok(Self {
            team,
            plan,
            params,
            updater,
            arena,
            setting,
            samples,
            microbatch,
            leaf,
            strategy,
            path,
            shown,
            uphill,
            partial: None,
            measured: Vec::with_capacity(measured),
            curvature,
            solver,
            evaluations: 0,
            quality,
            answers,
            labels: data.labels.clone(),
        })
    }

    /// Returns the weights for evaluation and model files.
    pub(crate) fn params(&self) -> &Params {
        self.shown.as_ref().unwrap_or(&self.params)
    }

    /// Maximum number of samples gathered at once.
    pub(crate) fn at_once(&self) -> usize {
        self.arena.labels.len().max(blocked::ROWS)
    }

    /// Allocates the sums for the gradients of an update.
    pub(super) fn new_sums(&self) -> Sums {
        Sums::new(self.plan.layout.len(), self.samples, self.leaf)
    }

    /// Strategy of the updates.
    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Number of evaluations of loss or gradient over the samples of an update so far, if a solver makes them.
    pub(crate) fn evaluations(&self) -> Option<u64> {
        self.solver.as_ref().map(|_| self.evaluations)
    }

    /// Name of the arithmetic of matrix products.
    pub(crate) fn arithmetic(&self) -> &'static str {
        self.team.precision().arithmetic()
    }

    fn state_bytes(&self) -> usize {
        self.updater.bytes() + self.solver.as_ref().map_or(0, Solving::bytes)
    }

    pub(crate) fn memory(&self, data: usize) -> MemoryRecord {
        let (parameters, optimizer_state) = (size_of_val(self.params.values()), self.state_bytes());
        let shown = self.shown.as_ref().map_or(0, |params| size_of_val(params.values()));
        let held = parameters + optimizer_state;
        let (gradients, window, copies) = match &self.path {
            Path::InBackward { sums } => (size_of_val(&sums[..]), 0, 1),
            Path::Stored(gradients) => (gradients.bytes(), 0, 1),
            Path::BlockedSample { blocked, velocity, .. } => {
                (0, blocked.bytes() + size_of_val(&velocity[..]), 2)
            }
        };
        let uphill = self.uphill.as_ref().map_or(0, |uphill| size_of_val(&uphill.from[..]));
        let gradients = gradients + uphill + self.curvature.as_ref().map_or(0, |curvature| curvature.bytes());
        let (copy, activations) = (copies * held + shown, self.arena.bytes() + window);
        MemoryRecord { parameters, gradients, optimizer_state, copy, activations, data }
    }

    /// Brings weights and optimizer state up to date with the last update, before they are read.
    pub(crate) fn settle(&mut self) {
        if let Path::BlockedSample { blocked, velocity, .. } = &mut self.path {
            blocked.settle(&mut self.team, self.params.values_mut(), velocity);
            self.updater.set_first_slot(blocked.updates(), velocity);
        }
        self.show();
    }

    /// Updates the weights for evaluation from the trained ones; their own batch statistics are kept.
    pub(super) fn show(&mut self) {
        let Some(shown) = &mut self.shown else { return };
        let places: Vec<usize> = self.plan.layout.measured().flatten().collect();
        let measured: Vec<f32> = places.iter().map(|&place| shown.values()[place]).collect();
        shown.clone_from(&self.params);
        self.updater.show(shown.values_mut());
        places.iter().zip(measured).for_each(|(&place, number)| shown.values_mut()[place] = number);
    }

    /// Passes the evaluation loss at the end of an epoch to plateau schedules.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.updater.observe(eval_loss);
        if let Some(solver) = &mut self.solver {
            solver.observe(eval_loss);
        }
        if let Path::BlockedSample { blocked, .. } = &mut self.path {
            blocked.observe(eval_loss);
        }
    }

    /// Runs updates from `positions.start` on, at least one and none beyond `positions.end`, and puts their tallies
    /// into `seen`. If `watch` stops the first update, `seen` stays empty, and the next call continues that update.
    ///
    /// # Errors
    /// If samples cannot be read; the first update is then as if it had not begun.
    pub(crate) fn advance(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> crate::Result<()> {
        seen.clear();
        if let Path::BlockedSample { blocked, solo, .. } = &mut self.path {
            if !watch.interrupted() {
                blocked.advance([&mut self.team, solo], feed, positions, seen)?;
            }
            return Ok(());
        }
        let positions = positions.start..positions.end.min(positions.start + self.samples);
        seen.extend(self.update(feed, positions, watch)?);
        Ok(())
    }

    /// Runs one update on the samples at `positions`; returns None if it is stopped before its last microbatch.
    fn update(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
    ) -> crate::Result<Option<Tally>> {
        if self.solver.is_some() {
            return self.all_or_nothing(|engine| engine.solve(feed, positions, || watch.interrupted()));
        }
        if self.uphill.is_some() {
            return self.all_or_nothing(|engine| {
                let halts = || watch.interrupted();
                let seen = engine.look(feed, positions.clone(), Partial::default(), halts);
                let Some(seen) = Halt::stopped(seen)? else { return Ok(None) };
                let weight = engine.look_uphill(seen.weight, feed, positions, halts)?;
                if let Some(weight) = weight {
                    engine.step(&Seen { weight, ..seen });
                }
                Ok(weight.map(|_| seen.tally))
            });
        }
        let begun = self.partial.take().unwrap_or_default();
        match self.look(feed, positions, begun, || watch.interrupted() || watch.is_due()) {
            Ok(seen) => {
                self.step(&seen);
                Ok(Some(seen.tally))
            }
            Err(Halt::Stopped(partial)) => {
                self.partial = Some(partial).filter(|partial| partial.done > 0);
                Ok(None)
            }
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    /// Runs an update that makes several passes over its samples; if it is cancelled, the running statistics are
    /// restored.
    fn all_or_nothing(
        &mut self,
        update: impl FnOnce(&mut Self) -> crate::Result<Option<Tally>>,
    ) -> crate::Result<Option<Tally>> {
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

    /// Sends the samples at `positions`, except those already done, forward and backward through the network: sums
    /// their gradients, or steps within the products on that path. If halted, returns the progress so far.
    pub(super) fn look(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        begun: Partial,
        halts: impl Fn() -> bool,
    ) -> Result<Seen, Halt> {
        let Partial { mut tally, mut weight, mut done } = begun;
        while done < positions.len() {
            if halts() {
                return Err(Halt::Stopped(Partial { tally, weight, done }));
            }
            let in_leaf = done % self.leaf;
            let rows = self.microbatch.min(positions.len() - done).min(self.leaf - in_leaf);
            let first = positions.start + done;
            self.gather(feed, first, rows, Purpose::Noise)?;
            self.add_weights(rows, &mut weight);
            let mode = Mode {
                seed: self.setting.seed,
                epoch: feed.epoch(),
                first,
                stats: self.setting.stats,
                plain_means: false,
            };
            self.evaluate_rows(rows, Some(&mode), &mut tally);
            let start = if in_leaf == 0 { Start::Fresh } else { Start::Continue };
            self.backward(rows, divisor(weight), start, &mode);
            self.look_at_curvature(rows, start, &mode);
            done += rows;
            self.close_leaf(done, done == positions.len());
        }
        let weight = divisor(weight);
        Ok(Seen { tally: tally.weighed(weight), weight })
    }

    /// Returns true if all weights are finite; ReLU may hide a non-finite weight from the loss.
    pub(crate) fn is_finite(&self) -> bool {
        self.params.first_non_finite().is_none()
    }

    /// Returns the first layer that is not finite: by its outputs for the last microbatch, otherwise by its weights.
    pub(crate) fn first_non_finite(&self) -> String {
        let outputs = match &self.path {
            Path::BlockedSample { blocked, .. } => blocked.outputs(),
            _ => &self.arena.outputs,
        };
        let outputs = self.plan.first_non_finite(outputs);
        let found = outputs.or_else(|| self.params.first_non_finite());
        found.or_else(|| self.plan.stages.last().map(|stage| stage.layer.to_string())).unwrap_or_default()
    }
}

/// Returns the divisor of sums over samples of total weight `weight`; if the weight is 0, loss and gradient are 0.
pub(super) fn divisor(weight: f64) -> f64 {
    if weight == 0.0 { 1.0 } else { weight }
}

/// Default maximum of samples per group of batch statistics.
const MOST_STATISTICS: usize = 1_024;

/// Updates of fewer samples use f32 products whatever the recipe allows, since most of a tile would be idle.
const FEWEST_FOR_TILES: usize = 16;

/// Constraints on splitting an update, so that no bit depends on the microbatch.
struct Pieces {
    /// Number of samples of an update, or of a leaf of its sums.
    whole: usize,
    /// Number of samples of a group of batch statistics.
    groups: usize,
    /// Number of samples that products add at once.
    terms: usize,
}

impl Pieces {
    /// Returns the microbatch size next to `wanted`: the whole, or a multiple of groups and terms.
    fn fit(&self, wanted: usize) -> usize {
        let Self { whole, groups, terms } = *self;
        if wanted >= whole && groups == 1 {
            return whole;
        }
        let piece = (1..=terms).map(|times| times * groups).find(|piece| piece.is_multiple_of(terms));
        let piece = piece.unwrap_or(whole);
        (wanted.min(whole).max(piece) / piece * piece).min(whole)
    }
}
