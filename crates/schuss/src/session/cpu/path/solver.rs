//! Updates by a solver, which evaluates loss and gradient over the samples of an update as often as it needs.

use super::{Copied, Path, WithCopy};
use crate::loss::Loss;
use crate::network::{Params, Plan, Role};
use crate::optim::Solver;
use crate::optim::solver::{Attempt, Cancelled, LevenbergMarquardt, Normal, Objective, Solving};
use crate::recipe::Trial;
use crate::session::control::Watch;
use crate::session::cpu::partial::{Halt, Partial};
use crate::session::cpu::passes::{Microbatch, Passes, Samples, code_params};
use crate::session::cpu::sizes::Sizes;
use crate::session::cpu::sums::Sums;
use crate::session::tally::Tally;
use crate::state::{State, StateCodec};
use crate::{Cause, Error, Result};
use schuss_data::Feed;
use schuss_data::random::Purpose;
use schuss_kernels::matrix::Start;
use schuss_kernels::{Buffer, Team};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Path of updates by a solver.
pub(in crate::session::cpu) struct BySolver {
    solver: Copied<Solving<Buffer>>,
    /// Gradient of an update.
    gradient: Sums,
    /// Number of evaluations of the samples of an update so far.
    evaluations: u64,
}

impl BySolver {
    /// Allocates the state of `solver` for a trial.
    ///
    /// # Errors
    /// Usage errors for networks or losses that the solver does not support.
    pub(in crate::session::cpu) fn new(
        solver: &Solver,
        trial: &Trial,
        plan: &Plan,
        sizes: &Sizes,
    ) -> Result<Self> {
        if let Solver::LevenbergMarquardt(_) = solver {
            check_least_squares(trial, plan)?;
        }
        Ok(Self {
            solver: Copied::new(Solving::new::<Team>(solver, &trial.recipe.schedule, &plan.layout)),
            gradient: Sums::new(plan.layout.len(), sizes),
            evaluations: 0,
        })
    }

    /// Runs one update; returns None if it is cancelled before its last evaluation.
    fn update(&mut self, passes: &mut Passes, samples: Samples, watch: Watch) -> Result<Option<Tally>> {
        let Self { solver: Copied { live: solver, .. }, gradient, evaluations } = self;
        solver.begin(passes.params.values());
        let mut objective =
            Evaluations { passes, samples, gradient, watch, first: None, count: 0, failure: None };
        let done = solver.update(&mut objective);
        let Evaluations { first, count, failure, .. } = objective;
        let seen = first.filter(|_| done.is_ok());
        if seen.is_some() {
            place(&mut passes.params, solver.weights());
            *evaluations += count;
        } else {
            passes.params.values_mut().copy_from_slice(solver.weights());
        }
        failure.map_or(Ok(seen), Err)
    }
}

impl Path for BySolver {
    fn advance(
        &mut self,
        passes: &mut Passes,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        let samples = Samples { feed, positions: passes.update(positions) };
        seen.extend(passes.all_or_nothing(|passes| self.update(passes, samples, watch))?);
        Ok(())
    }

    fn optimizer(&self) -> &dyn WithCopy {
        &self.solver
    }

    fn optimizer_mut(&mut self) -> &mut dyn WithCopy {
        &mut self.solver
    }

    fn state(&mut self, passes: &mut Passes, codec: &mut StateCodec) -> io::Result<()> {
        code_params(codec, &mut passes.params)?;
        self.solver.live.code(codec)?;
        self.evaluations.code(codec)
    }

    fn is_at(&self, _: usize, _: usize) -> bool {
        true
    }

    fn evaluations(&self) -> Option<u64> {
        Some(self.evaluations)
    }
}

fn check_least_squares(trial: &Trial, plan: &Plan) -> Result<()> {
    const MOST: usize = LevenbergMarquardt::MOST_WEIGHTS;
    let (weights, model, loss) = (plan.layout.parameters(), &plan.model, &trial.recipe.loss);
    let refuse = |why: String, advice: &str| {
        Err(Error::usage(format!("levenberg-marquardt {why}"))
            .because(Cause::Mismatch)
            .advise(advice.to_owned()))
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

/// Copies `weights` to the trained parameters; running statistics are kept.
fn place(params: &mut Params, weights: &[f32]) {
    let layout = Arc::clone(params.layout());
    let trained = layout.entries().iter().filter(|entry| entry.role != Role::Buffer);
    for range in trained.map(|entry| entry.range()) {
        params.values_mut()[range.clone()].copy_from_slice(&weights[range]);
    }
}

/// Loss of the samples of an update as a function of the weights.
struct Evaluations<'a> {
    passes: &'a mut Passes,
    samples: Samples<'a>,
    gradient: &'a mut Sums,
    watch: Watch<'a>,
    /// Tally of the first evaluation.
    first: Option<Tally>,
    /// Number of evaluations.
    count: u64,
    /// Error that stopped the evaluation.
    failure: Option<Error>,
}

impl Evaluations<'_> {
    /// Returns the result; on an error, keeps it in `failure` and returns [`Cancelled`].
    fn found<T>(&mut self, found: Result<Option<T>>) -> Attempt<T> {
        found.unwrap_or_else(|failure| self.failure.replace(failure).and(None)).ok_or(Cancelled)
    }

    /// Counts an evaluation and returns its mean minimised loss.
    fn note(&mut self, tally: Tally) -> f64 {
        self.count += 1;
        self.first.get_or_insert(tally);
        tally.mean_minimised()
    }

    /// Adds the residuals of the sample at `position` and their gradients to `normal`.
    fn add_residuals(
        &mut self,
        position: usize,
        normal: &mut Normal<Buffer>,
        tally: &mut Tally,
    ) -> Result<()> {
        let Self { passes, samples, gradient, .. } = self;
        passes.gather(samples.feed, position, 1, Purpose::Noise)?;
        let mode = passes.training(samples.feed.epoch(), position);
        passes.forward(1, Some(&mode), tally);
        let one = Microbatch { rows: 1, divisor: 1.0, start: Start::Fresh, mode };
        let outputs = passes.plan.outputs;
        let slopes = passes.arena.deltas[0][..outputs].to_vec(); // of a mean of squares: 2 r / outputs
        for (output, slope) in slopes.into_iter().enumerate() {
            passes.arena.deltas[0].fill(0.0);
            passes.arena.deltas[0][output] = 1.0;
            gradient.add(passes, &one);
            let residual = f64::from(slope) * outputs as f64 / 2.0;
            normal.add(&mut passes.team, residual, &gradient.leaf);
        }
        Ok(())
    }
}

impl Objective<Team> for Evaluations<'_> {
    fn arithmetic(&mut self) -> &mut Team {
        &mut self.passes.team
    }

    fn value(&mut self, weights: &[f32]) -> Attempt<f64> {
        place(&mut self.passes.params, weights);
        let seen = self.passes.loss(&mut self.samples, || self.watch.interrupted());
        let tally = self.found(seen)?.tally;
        Ok(self.note(tally))
    }

    fn gradient(&mut self, weights: &[f32], gradient: &mut [f32]) -> Attempt<f64> {
        place(&mut self.passes.params, weights);
        let Self { passes, samples, gradient: sums, watch, .. } = self;
        let seen = passes.accumulate(samples, Partial::default(), || watch.interrupted(), *sums);
        let seen = self.found(Halt::stopped(seen))?;
        let sums = &mut *self.gradient;
        sums.divide(&mut self.passes.team, seen.weight);
        gradient.copy_from_slice(&sums.leaf);
        Ok(self.note(seen.tally))
    }

    fn normal(&mut self, weights: &[f32], normal: &mut Normal<Buffer>) -> Attempt<f64> {
        place(&mut self.passes.params, weights);
        normal.clear();
        let mut tally = Tally::default();
        for position in self.samples.positions.clone() {
            if self.watch.interrupted() {
                return Err(Cancelled);
            }
            let added = self.add_residuals(position, normal, &mut tally);
            self.found(added.map(Some))?;
        }
        normal.close(&mut self.passes.team);
        Ok(self.note(tally))
    }
}
