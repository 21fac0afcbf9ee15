//! Solvers: methods that look at the objective of an update several times before they move the weights for good.
//!
//! A solver is one file, as a rule is: its hyper-parameters as plain data, its equation, and its iteration, written once
//! for the kernels and for `f64`. To add one, write the file and a row in the table below.

mod cg;
mod gradient_descent;
mod l_bfgs;
mod levenberg_marquardt;
mod line_search;
mod normal;
mod objective;
mod state;
#[cfg(test)]
mod tests;
mod vectors;

pub use cg::{Beta, Cg};
pub use gradient_descent::GradientDescent;
pub use l_bfgs::LBfgs;
pub use levenberg_marquardt::LevenbergMarquardt;
pub use line_search::LineSearch;

pub(crate) use normal::Normal;
pub(crate) use objective::{Attempt, Cancelled, Objective};

use super::arithmetic::Arithmetic;
use crate::network::Layout;
use crate::recipe::spec;
use crate::schedule::{Knobs, Plateaus, Schedule};
use crate::state::{State, StateCodec};
use l_bfgs::Pairs;
use line_search::Points;
use schuss_kernels::Buffer;
use state::{Room, SolverState, Walk};
use std::io;
use std::ops::DerefMut;

spec::choices! {
    /// What moves all weights together, seeing the objective.
    pub enum Solver ("solver", always &["lr", "beta"]) {
        /// Gradient descent with a line search.
        GradientDescent,
        /// Nonlinear conjugate gradients.
        Cg,
        /// Quasi-Newton with limited memory.
        LBfgs,
        /// Damped least squares.
        LevenbergMarquardt,
    }
}

impl Solver {
    /// The first step that is tried.
    fn lr(&mut self) -> Option<&mut f64> {
        match self {
            Self::GradientDescent(solver) => Some(&mut solver.lr),
            Self::LBfgs(solver) => Some(&mut solver.lr),
            Self::Cg(_) | Self::LevenbergMarquardt(_) => None,
        }
    }

    /// Vectors as long as the weights that it takes at most.
    pub(crate) fn vectors(&self) -> usize {
        const STATE_AND_ROOM: usize = 11;
        match self {
            Self::LBfgs(solver) => STATE_AND_ROOM + solver.vectors(),
            _ => STATE_AND_ROOM,
        }
    }
}

/// A solver at work on the parameters of a network.
#[derive(Clone, Debug)]
pub(crate) struct Solving<B> {
    solver: Solver,
    schedule: Schedule,
    plateaus: Plateaus,
    updates: u64,
    parameters: usize,
    state: SolverState<B>,
    /// The state before the present update.
    before: SolverState<B>,
    /// L-BFGS's.
    pairs: Pairs<B>,
    /// Levenberg and Marquardt's.
    normal: Option<Normal<B>>,
    room: Room<B>,
}

impl<T: Copy + Into<f64>, B: DerefMut<Target = [T]> + Clone> Solving<B> {
    /// No update done yet.
    pub(crate) fn new<A: Arithmetic<T = T, Buffer = B>>(
        solver: &Solver,
        schedule: &Schedule,
        layout: &Layout,
    ) -> Self {
        let zeros = || A::zeros(layout.len());
        let (history, damping, normal) = match solver {
            Solver::LBfgs(solver) => (solver.history_size, 1.0, None),
            Solver::LevenbergMarquardt(solver) => (0, solver.damping, Some(Normal::new::<A>(layout))),
            _ => (0, 1.0, None),
        };
        let state = SolverState::new(zeros, damping);
        Self {
            solver: solver.clone(),
            schedule: schedule.clone(),
            plateaus: Plateaus::default(),
            updates: 0,
            parameters: layout.parameters(),
            before: state.clone(),
            state,
            pairs: Pairs::new(history),
            normal,
            room: Room { points: Points::new(zeros), trial: zeros() },
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let normal = self.normal.as_ref().map_or(0, Normal::bytes);
        let room = self.room.points.bytes() + size_of_val(&self.room.trial[..]);
        2 * self.state.bytes() + self.pairs.bytes() + normal + room
    }

    /// Lets schedules that wait for a plateau look at the evaluation at an epoch's end.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.plateaus.observe(&self.schedule, eval_loss);
    }

    /// The weights after the last update, or before it if that was cancelled.
    pub(crate) fn weights(&self) -> &[T] {
        &self.state.weights
    }

    /// Takes over the weights before an update.
    pub(crate) fn begin(&mut self, weights: &[T]) {
        self.state.weights.copy_from_slice(weights);
    }

    /// One update; none at all if it is cancelled.
    pub(crate) fn update<A: Arithmetic<T = T, Buffer = B>, O: Objective<A>>(
        &mut self,
        objective: &mut O,
    ) -> Attempt<()> {
        self.before.set(&self.state);
        self.pairs.begin();
        self.updates += 1;
        let done = self.walk(objective);
        if done.is_err() {
            self.state.set(&self.before);
            self.pairs.undo();
            self.updates -= 1;
        }
        done
    }

    fn walk<A: Arithmetic<T = T, Buffer = B>, O: Objective<A>>(&mut self, objective: &mut O) -> Attempt<()> {
        let solver = self.now();
        let walk = Walk { objective, state: &mut self.state, room: &mut self.room };
        match (solver, &mut self.normal) {
            (Solver::GradientDescent(solver), _) => solver.update(walk),
            (Solver::Cg(solver), _) => solver.update(walk, self.parameters),
            (Solver::LBfgs(solver), _) => solver.update(walk, &mut self.pairs),
            (Solver::LevenbergMarquardt(solver), Some(normal)) => solver.update(walk, normal),
            (Solver::LevenbergMarquardt(_), None) => Ok(()), // `new` made one
        }
    }

    /// The solver with the step that its schedule says.
    fn now(&self) -> Solver {
        let mut solver = self.solver.clone();
        if let Some(lr) = solver.lr().filter(|_| !self.schedule.is_constant()) {
            let typed = Knobs { lr: *lr, momentum: 0.0, beta2: 0.0 };
            *lr = self.schedule.at(self.updates - 1, typed, &self.plateaus).lr;
        }
        solver
    }
}

impl State for Solving<Buffer> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.updates.code(codec)?;
        codec.json(&mut self.plateaus)?;
        self.state.code(codec)?;
        self.pairs.code(codec, self.state.weights.len())
    }
}
