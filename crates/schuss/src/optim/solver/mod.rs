//! Solvers: optimizers that evaluate the objective of an update several times before they commit to new weights.
//!
//! Like a rule, a solver is one file: its hyper-parameters as plain data, its equation, and its iteration, written once
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
use super::updater::Floats;
use crate::network::Layout;
use crate::schedule::{Knobs, Plateaus, Schedule};
use crate::spec;
use crate::state::{Snapshot, State, StateCodec};
use l_bfgs::Pairs;
use line_search::Points;
use schuss_kernels::Buffer;
use state::{Room, SolverState, Walk};
use std::io;
use std::ops::DerefMut;

spec::choices! {
    /// An optimizer that evaluates the objective and updates all weights together.
    pub enum Solver ("solver", always &["lr", "beta"]) {
        /// Gradient descent with a line search.
        GradientDescent,
        /// Nonlinear conjugate gradients.
        Cg,
        /// Limited-memory quasi-Newton.
        LBfgs,
        /// Damped least squares.
        LevenbergMarquardt,
    }
}

impl Solver {
    /// Returns the first step to try, if the solver has one.
    pub(super) fn lr(&mut self) -> Option<&mut f64> {
        match self {
            Self::GradientDescent(solver) => Some(&mut solver.lr),
            Self::LBfgs(solver) => Some(&mut solver.lr),
            Self::Cg(_) | Self::LevenbergMarquardt(_) => None,
        }
    }

    /// Maximum sizes of all buffers.
    pub(crate) fn floats(&self, layout: &Layout) -> Floats {
        const STATE: usize = SolverState::<()>::VECTORS;
        const SCRATCH: usize = STATE + Room::<()>::VECTORS; // with the state before an update
        let vectors =
            |state, scratch| Floats { state: state * layout.len(), scratch: scratch * layout.len() };
        match self {
            Self::LBfgs(solver) => {
                vectors(STATE + solver.vectors_kept(), SCRATCH + solver.vectors_within_update())
            }
            Self::LevenbergMarquardt(_) => {
                let Floats { state, scratch } = vectors(STATE, SCRATCH);
                Floats { state, scratch: scratch + Normal::<()>::floats(layout) }
            }
            Self::GradientDescent(_) | Self::Cg(_) => vectors(STATE, SCRATCH),
        }
    }
}

/// Running state of a solver on the parameters of a network.
#[derive(Clone, Debug)]
pub(crate) struct Solving<B> {
    solver: Solver,
    schedule: Schedule,
    plateaus: Plateaus,
    updates: u64,
    parameters: usize,
    state: SolverState<B>,
    /// State before the current update.
    before: SolverState<B>,
    /// Pairs of L-BFGS.
    pairs: Pairs<B>,
    /// Normal equations of Levenberg-Marquardt.
    normal: Option<Normal<B>>,
    room: Room<B>,
}

impl<T: Copy + Into<f64>, B: DerefMut<Target = [T]> + Clone> Solving<B> {
    /// Creates the state before the first update.
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

    /// Passes the evaluation loss at the end of an epoch to schedules that wait for a plateau.
    pub(crate) fn observe(&mut self, eval_loss: f64) {
        self.plateaus.observe(&self.schedule, eval_loss);
    }

    /// Returns the weights after the last update, or before it if it was cancelled.
    pub(crate) fn weights(&self) -> &[T] {
        &self.state.weights
    }

    /// Sets the weights before an update.
    pub(crate) fn begin(&mut self, weights: &[T]) {
        self.state.weights.copy_from_slice(weights);
    }

    /// Does one update, or leaves the state unchanged if it is cancelled.
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
            (Solver::LevenbergMarquardt(_), None) => Ok(()), // unreachable: `new` creates the equations
        }
    }

    /// Returns the solver with the first step that its schedule gives.
    fn now(&self) -> Solver {
        let mut solver = self.solver.clone();
        if let Some(lr) = solver.lr().filter(|_| !self.schedule.is_constant()) {
            let typed = Knobs { lr: *lr, momentum: 0.0, beta2: 0.0 };
            *lr = self.schedule.at(self.updates - 1, typed, &self.plateaus).lr;
        }
        solver
    }
}

impl Snapshot for Solving<Buffer> {
    fn snapshot(&self) -> Self {
        let nothing = || SolverState::new(|| Buffer::zeros(0), 0.0);
        Self {
            solver: self.solver.clone(),
            schedule: self.schedule.clone(),
            plateaus: self.plateaus.clone(),
            updates: self.updates,
            parameters: self.parameters,
            state: self.state.clone(),
            before: nothing(),
            pairs: self.pairs.clone(),
            normal: None,
            room: Room { points: Points::new(|| Buffer::zeros(0)), trial: Buffer::zeros(0) },
        }
    }

    fn copy_from(&mut self, other: &Self) {
        self.plateaus.clone_from(&other.plateaus);
        self.updates = other.updates;
        self.state.set(&other.state);
        self.pairs.set(&other.pairs);
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
