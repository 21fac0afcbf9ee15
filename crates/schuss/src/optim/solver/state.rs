//! State that solvers keep between updates, and their workspace.

use super::line_search::{LineSearch, Points, Ray, StrongWolfe};
use super::objective::{Attempt, Objective};
use super::vectors::{add_scaled, dot, set_scaled, sum_of_magnitudes};
use crate::optim::arithmetic::Arithmetic;
use crate::state::{State, StateCodec};
use schuss_kernels::Buffer;
use std::io;
use std::ops::DerefMut;

/// State that a solver keeps between updates.
#[derive(Clone, Debug)]
pub(super) struct SolverState<B> {
    pub(super) weights: B,
    /// Last direction.
    pub(super) direction: B,
    /// Gradient at the point where the direction was chosen.
    pub(super) gradient: B,
    /// Derivative along the direction at that point.
    pub(super) slope: f64,
    /// Length of the last step, in units of the direction.
    pub(super) step: f64,
    /// Loss at the weights after the last update.
    pub(super) value: f64,
    /// Iterations since the start or the last restart.
    pub(super) iterations: u64,
    /// μ of Levenberg-Marquardt, or γ of L-BFGS, its initial estimate of the inverse curvature.
    pub(super) scale: f64,
}

impl<B> SolverState<B> {
    /// Number of vectors of the weights' length.
    pub(super) const VECTORS: usize = 3;
}

impl<T: Copy, B: DerefMut<Target = [T]>> SolverState<B> {
    pub(super) fn new(zeros: impl Fn() -> B, scale: f64) -> Self {
        let [weights, direction, gradient] = [zeros(), zeros(), zeros()];
        Self { weights, direction, gradient, slope: 0.0, step: 0.0, value: 0.0, iterations: 0, scale }
    }

    /// Copies another state into this one.
    pub(super) fn set(&mut self, other: &Self) {
        self.weights.copy_from_slice(&other.weights);
        self.direction.copy_from_slice(&other.direction);
        self.gradient.copy_from_slice(&other.gradient);
        (self.slope, self.step, self.value) = (other.slope, other.step, other.value);
        (self.iterations, self.scale) = (other.iterations, other.scale);
    }
}

impl State for SolverState<Buffer> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        let Self { weights, direction, gradient, slope, step, value, iterations, scale } = self;
        [weights, direction, gradient].into_iter().try_for_each(|vector| vector.code(codec))?;
        [slope, step, value, scale].into_iter().try_for_each(|number| number.code(codec))?;
        iterations.code(codec)
    }
}

/// Workspace: points of the line search, and trial weights.
#[derive(Clone, Debug)]
pub(super) struct Room<B> {
    pub(super) points: Points<B>,
    pub(super) trial: B,
}

impl<B> Room<B> {
    /// Number of vectors of the weights' length: a gradient per point, and trial weights.
    pub(super) const VECTORS: usize = 5;

    /// Returns the gradient at the weights.
    pub(super) fn gradient<T>(&self) -> &[T]
    where
        B: DerefMut<Target = [T]>,
    {
        &self.points.here.gradient
    }
}

/// A solver in the course of one update.
pub(super) struct Walk<'a, A: Arithmetic, O> {
    pub(super) objective: &'a mut O,
    pub(super) state: &'a mut SolverState<A::Buffer>,
    pub(super) room: &'a mut Room<A::Buffer>,
}

impl<A: Arithmetic, O: Objective<A>> Walk<'_, A, O> {
    /// Evaluates loss and gradient at the weights.
    pub(super) fn look(&mut self) -> Attempt<()> {
        let here = &mut self.room.points.here;
        here.t = 0.0;
        here.value = self.objective.gradient(&self.state.weights, &mut here.gradient)?;
        Ok(())
    }

    /// d ← −g
    pub(super) fn steepest(&mut self) {
        let gradient = &self.room.points.here.gradient;
        set_scaled(self.objective.arithmetic(), &mut self.state.direction, -1.0, gradient);
    }

    /// Stores the gradient at the point where the direction was chosen. Returns the derivative along the direction.
    pub(super) fn set_out(&mut self) -> f64 {
        let (state, here) = (&mut *self.state, &mut self.room.points.here);
        state.gradient.copy_from_slice(&here.gradient);
        state.slope = dot(self.objective.arithmetic(), &here.gradient, &state.direction);
        (here.t, here.slope) = (0.0, state.slope);
        state.slope
    }

    /// Returns a first step when nothing is known: no weight moves by more than 1.
    pub(super) fn cautious(&mut self) -> f64 {
        let gradient = &self.room.points.here.gradient;
        (1.0 / sum_of_magnitudes(self.objective.arithmetic(), gradient)).min(1.0)
    }

    /// Moves the weights along the direction, by `first` if there is no line search. Returns the number of evaluations
    /// of loss and gradient.
    pub(super) fn go(&mut self, line_search: LineSearch, wolfe: StrongWolfe, first: f64) -> Attempt<usize> {
        let (state, Room { points, trial }) = (&mut *self.state, &mut *self.room);
        let (origin, direction) = (&state.weights, &state.direction);
        let mut ray = Ray { objective: &mut *self.objective, origin, direction, trial };
        let mut taken = 0;
        state.step = match line_search {
            LineSearch::None => first,
            LineSearch::Backtracking => ray.backtrack(&points.here, first)?,
            LineSearch::StrongWolfe => {
                taken = wolfe.search(&mut ray, points, first)?;
                points.here.t
            }
        };
        add_scaled(self.objective.arithmetic(), &mut state.weights, state.step, &state.direction);
        Ok(taken)
    }
}
