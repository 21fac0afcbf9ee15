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

/// The live state of a trial and every buffer of its step.
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
    /// Samples whose gradients are summed in one f32 chain.
    pub(super) leaf: usize,
    pub(super) strategy: Strategy,
    pub(super) path: Path,
    /// The weights to be evaluated, where they are others than those that are trained.
    pub(super) shown: Option<Params>,
    pub(super) uphill: Option<Uphill>,
    /// An update that was stopped between two microbatches.
    pub(super) partial: Option<Partial>,
    /// What is measured, not trained, as it was before an update that looks at its samples more than once.
    measured: Vec<f32>,
    pub(super) curvature: Option<Box<Curvature>>,
    /// What moves the weights, if no rule does.
    pub(super) solver: Option<Solving<Buffer>>,
    /// How often it has looked at the samples of an update.
    pub(super) evaluations: u64,
    quality: Option<Quality>,
    /// What was answered in the last evaluation.
    answers: Answers,
    /// Names of the labels, where there are several.
    labels: Vec<String>,
}

/// What a trial says about a sample's way through the network.
pub(super) struct Setting {
    pub(super) loss: Loss,
    targets: Targets,
    noise: Option<Noise>,
    /// What the loss of each output is multiplied by to be in the units of the targets, where these are others.
    pub(super) factors: Option<Vec<f64>>,
    pub(super) seed: u64,
    /// Samples per group of batch statistics.
    pub(super) stats: usize,
}

/// How updates are carried out, with the buffers of its own.
pub(super) enum Path {
    /// The product that sums a gradient writes the new weights. Gradients of other tensors are summed here.
    InBackward { sums: Buffer },
    /// Gradients are stored.
    Stored(Sums),
    /// The live weights and velocity stand there; those of the engine are brought up to date at report points, the
    /// velocity by way of a buffer. The updates themselves go on one thread.
    BlockedSample { blocked: Box<Blocked<Team>>, solo: Team, velocity: Buffer },
}

/// Gradients are taken uphill.
pub(super) struct Uphill {
    pub(super) sam: Sam,
    /// Room for the weights meanwhile.
    pub(super) from: Buffer,
}

impl Path {
    /// New weights are written by the products of their gradients.
    pub(super) fn in_backward(plan: &Plan) -> Self {
        Self::InBackward { sums: Buffer::zeros(plan.largest_vectors()) }
    }

    /// The buffers of `strategy`; `solo` is a thread for whoever needs one.
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
    /// An engine for a trial's updates of up to `samples` samples, on a team and one thread of its own, in microbatches
    /// of as many samples as given, else of `most`, as many as evaluation takes in any case.
    ///
    /// # Errors
    /// If the optimizer's groups do not fit the network, or the network not the size of the update.
    pub(crate) fn new(
        [mut team, solo]: [Team; 2],
        plan: Plan,
        trial: &Trial,
        mut params: Params,
        (samples, data): (usize, &Dataset),
        (microbatch, most): (Option<usize>, usize),
    ) -> crate::Result<Self> {
        params.values_mut().iter_mut().for_each(|weight| *weight = weight.flush()); // as every update leaves them
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
            Updater::new::<Team>(descent, (&recipe.schedule, trial.seed), &plan.layout, params.values())?;
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

    /// The weights to be evaluated and kept.
    pub(crate) fn params(&self) -> &Params {
        self.shown.as_ref().unwrap_or(&self.params)
    }

    /// Samples that are gathered at once at most.
    pub(crate) fn at_once(&self) -> usize {
        self.arena.labels.len().max(blocked::ROWS)
    }

    /// Room for the gradients of an update.
    pub(super) fn new_sums(&self) -> Sums {
        Sums::new(self.plan.layout.len(), self.samples, self.leaf)
    }

    /// The path of the updates.
    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Evaluations of value or gradient over the samples of an update so far, where a solver asks for them.
    pub(crate) fn evaluations(&self) -> Option<u64> {
        self.solver.as_ref().map(|_| self.evaluations)
    }

    /// Name of the arithmetic of its products.
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

    /// Brings weights and optimizer state up to the last update, for whoever looks at them.
    pub(crate) fn settle(&mut self) {
        if let Path::BlockedSample { blocked, velocity, .. } = &mut self.path {
            blocked.settle(&mut self.team, self.params.values_mut(), velocity);
            self.updater.set_first_slot(blocked.updates(), velocity);
        }
        self.show();
    }

    /// Brings the weights to be evaluated up to those that are trained; batch statistics of their own stay.
    pub(super) fn show(&mut self) {
        let Some(shown) = &mut self.shown else { return };
        let places: Vec<usize> = self.plan.layout.measured().flatten().collect();
        let measured: Vec<f32> = places.iter().map(|&place| shown.values()[place]).collect();
        shown.clone_from(&self.params);
        self.updater.show(shown.values_mut());
        places.iter().zip(measured).for_each(|(&place, number)| shown.values_mut()[place] = number);
    }

    /// Lets schedules that wait for a plateau look at the evaluation at an epoch's end.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.updater.observe(eval_loss);
        if let Some(solver) = &mut self.solver {
            solver.observe(eval_loss);
        }
        if let Path::BlockedSample { blocked, .. } = &mut self.path {
            blocked.observe(eval_loss);
        }
    }

    /// Does updates from `positions.start` on, at least one and none beyond `positions.end`, and tells what each saw in
    /// `seen`; nothing if `watch` says so before the first is done, which then goes on where it was stopped.
    ///
    /// # Errors
    /// What reading the samples reports, and then the first is as if it had not begun.
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

    /// One update from the samples at `positions`, unless it is stopped before its last microbatch.
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

    /// An update that looks at its samples more than once: if it is cancelled, nothing is as it has changed it.
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

    /// Sends the samples at `positions`, but for those done before, through the network and back: sums their
    /// gradients, or steps within the products where the path is that. How far it came, if it was halted.
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
}

/// What sums over samples of such a weight are divided by: where none weighs anything, loss and gradient are 0.
pub(super) fn divisor(weight: f64) -> f64 {
    if weight == 0.0 { 1.0 } else { weight }
}

/// Samples per group of batch statistics at most, if the recipe does not say.
const MOST_STATISTICS: usize = 1_024;

/// Updates of fewer samples make their products in f32, whatever the recipe allows: most of a tile would lie idle.
const FEWEST_FOR_TILES: usize = 16;

/// What an update may be cut into so that no bit depends on where it is cut.
struct Pieces {
    /// Samples of an update, or of a leaf of its sums.
    whole: usize,
    /// Samples of a group of batch statistics.
    groups: usize,
    /// Samples that products add at once.
    terms: usize,
}

impl Pieces {
    /// The microbatch next to `wanted`: whole, or of whole groups and terms.
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
