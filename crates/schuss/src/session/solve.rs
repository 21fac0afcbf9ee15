//! Updates by a solver, which evaluates loss and gradient over the samples of an update as often as it needs.

use super::engine::{Engine, Path, divisor};
use super::tally::{Halt, Partial, Seen, Tally};
use crate::loss::Loss;
use crate::network::{Mode, Plan, Role};
use crate::optim::Solver;
use crate::optim::solver::{Attempt, Cancelled, LevenbergMarquardt, Normal, Objective, Solving};
use crate::recipe::Trial;
use crate::{Error, Result};
use schuss_data::Feed;
use schuss_data::random::Purpose;
use schuss_kernels::matrix::Start;
use schuss_kernels::{Buffer, Team};
use std::ops::Range;

/// Returns the solver of a trial, if it has one.
///
/// # Errors
/// Usage errors for networks or losses that the solver does not support.
pub(super) fn solver(trial: &Trial, plan: &Plan) -> Result<Option<Solving<Buffer>>> {
    let Some(solver) = trial.recipe.optimizer.solver() else { return Ok(None) };
    if let Solver::LevenbergMarquardt(_) = solver {
        check_least_squares(trial, plan)?;
    }
    Ok(Some(Solving::new::<Team>(solver, &trial.recipe.schedule, &plan.layout)))
}

fn check_least_squares(trial: &Trial, plan: &Plan) -> Result<()> {
    const MOST: usize = LevenbergMarquardt::MOST_WEIGHTS;
    let (weights, model, loss) = (plan.layout.parameters(), &plan.model, &trial.recipe.loss);
    let refuse = |why: String, advice: &str| {
        Err(Error::usage(format!("levenberg-marquardt {why}")).advise(advice.to_owned()))
    };
    if weights > MOST {
        return refuse(
            format!("takes at most {MOST} weights, but `{model}` has {weights}"),
            "a smaller --model, or l-bfgs",
        );
    }
    if !matches!(loss, Loss::Mse(_)) {
        return refuse(format!("needs squared errors, not loss `{loss}`"), "--loss mse");
    }
    if plan.has_statistics() {
        return refuse(
            format!("processes samples one by one, but `{model}` has batch statistics"),
            "layer-norm",
        );
    }
    Ok(())
}

/// Loss of the samples of an update as a function of the weights.
struct Samples<'a, 'f, C> {
    engine: &'a mut Engine,
    feed: &'a mut Feed<'f>,
    positions: Range<usize>,
    cancelled: C,
    /// Tally of the first evaluation.
    first: Option<Tally>,
    evaluations: u64,
    /// Error that stopped the evaluation.
    failure: Option<Error>,
}

impl Engine {
    /// Runs one update by the solver; returns None if it is cancelled before its last evaluation.
    pub(super) fn solve(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        cancelled: impl Fn() -> bool,
    ) -> Result<Option<Tally>> {
        let Some(mut solver) = self.solver.take() else { return Ok(None) };
        solver.begin(self.params.values());
        let (first, failure) = (None, None);
        let mut samples =
            Samples { engine: self, feed, positions, cancelled, first, evaluations: 0, failure };
        let done = solver.update(&mut samples);
        let Samples { first, evaluations, failure, .. } = samples;
        let seen = first.filter(|_| done.is_ok());
        if seen.is_some() {
            self.place(solver.weights());
            self.evaluations += evaluations;
        } else {
            self.params.values_mut().copy_from_slice(solver.weights());
        }
        self.solver = Some(solver);
        failure.map_or(Ok(seen), Err)
    }

    /// Copies `weights` to the trained parameters; running statistics are kept.
    fn place(&mut self, weights: &[f32]) {
        let trained = self.plan.layout.entries().iter().filter(|entry| entry.role != Role::Buffer);
        for range in trained.map(|entry| entry.range()) {
            self.params.values_mut()[range.clone()].copy_from_slice(&weights[range]);
        }
    }

    fn mode(&self, epoch: u32, first: usize) -> Mode {
        Mode { seed: self.setting.seed, epoch, first, stats: self.setting.stats, plain_means: false }
    }

    /// Returns the loss of the samples at `positions`, without gradients.
    fn look_at_loss(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        cancelled: impl Fn() -> bool,
    ) -> Result<Option<Seen>> {
        let (mut tally, mut weight) = (Tally::default(), 0.0);
        for first in positions.clone().step_by(self.microbatch) {
            if cancelled() {
                return Ok(None);
            }
            let rows = self.microbatch.min(positions.end - first);
            self.gather(feed, first, rows, Purpose::Noise)?;
            self.add_weights(rows, &mut weight);
            let mode = self.mode(feed.epoch(), first);
            self.evaluate_rows(rows, Some(&mode), &mut tally);
        }
        let weight = divisor(weight);
        Ok(Some(Seen { tally: tally.weighed(weight), weight }))
    }

    /// Adds the residuals of the sample at `position` and their gradients to `normal`.
    fn add_residuals(
        &mut self,
        feed: &mut Feed,
        position: usize,
        normal: &mut Normal<Buffer>,
        tally: &mut Tally,
    ) -> Result<()> {
        self.gather(feed, position, 1, Purpose::Noise)?;
        let mode = self.mode(feed.epoch(), position);
        self.evaluate_rows(1, Some(&mode), tally);
        let outputs = self.plan.outputs;
        let slopes = self.arena.deltas[0][..outputs].to_vec(); // of a mean of squares: 2 r / outputs
        for (output, slope) in slopes.into_iter().enumerate() {
            self.arena.deltas[0].fill(0.0);
            self.arena.deltas[0][output] = 1.0;
            self.backward(1, 1.0, Start::Fresh, &mode);
            let Path::Stored(gradients) = &self.path else { break };
            let residual = f64::from(slope) * outputs as f64 / 2.0;
            normal.add(&mut self.team, residual, &gradients.leaf);
        }
        Ok(())
    }
}

impl<C: Fn() -> bool> Samples<'_, '_, C> {
    /// Returns the result; on an error, keeps it in `failure` and returns [`Cancelled`].
    fn found<T>(&mut self, found: Result<Option<T>>) -> Attempt<T> {
        found.unwrap_or_else(|failure| self.failure.replace(failure).and(None)).ok_or(Cancelled)
    }

    /// Counts an evaluation and returns its mean minimised loss.
    fn note(&mut self, tally: Tally) -> f64 {
        self.evaluations += 1;
        self.first.get_or_insert(tally);
        tally.mean_minimised()
    }
}

impl<C: Fn() -> bool> Objective<Team> for Samples<'_, '_, C> {
    fn arithmetic(&mut self) -> &mut Team {
        &mut self.engine.team
    }

    fn value(&mut self, weights: &[f32]) -> Attempt<f64> {
        self.engine.place(weights);
        let seen = self.engine.look_at_loss(self.feed, self.positions.clone(), &self.cancelled);
        let tally = self.found(seen)?.tally;
        Ok(self.note(tally))
    }

    fn gradient(&mut self, weights: &[f32], gradient: &mut [f32]) -> Attempt<f64> {
        self.engine.place(weights);
        let seen = self.engine.look(self.feed, self.positions.clone(), Partial::default(), &self.cancelled);
        let seen = self.found(Halt::stopped(seen))?;
        if let Path::Stored(gradients) = &mut self.engine.path {
            gradients.divide(&mut self.engine.team, seen.weight);
            gradient.copy_from_slice(&gradients.leaf);
        }
        Ok(self.note(seen.tally))
    }

    fn normal(&mut self, weights: &[f32], normal: &mut Normal<Buffer>) -> Attempt<f64> {
        self.engine.place(weights);
        normal.clear();
        let mut tally = Tally::default();
        for position in self.positions.clone() {
            if (self.cancelled)() {
                return Err(Cancelled);
            }
            let added = self.engine.add_residuals(self.feed, position, normal, &mut tally);
            self.found(added.map(Some))?;
        }
        normal.close(&mut self.engine.team);
        Ok(self.note(tally))
    }
}
