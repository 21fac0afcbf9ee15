//! Tests of solvers on plain `f64` functions: against recorded originals, and general guarantees.

mod golden;
mod problems;
mod promises;

use super::{Attempt, Cancelled, Normal, Objective, Solver, Solving};
use crate::network::Layout;
use crate::optim::arithmetic::ScalarF64;
use crate::schedule::Schedule;
use problems::Problem;

/// Objective of a problem, which counts evaluations.
struct Plainly<'a> {
    problem: &'a Problem,
    arithmetic: ScalarF64,
    evaluations: usize,
    /// Number of evaluations after which further ones are cancelled.
    most: usize,
}

impl Plainly<'_> {
    fn count(&mut self) -> Attempt<()> {
        self.evaluations += 1;
        if self.evaluations > self.most { Err(Cancelled) } else { Ok(()) }
    }
}

impl Objective<ScalarF64> for Plainly<'_> {
    fn arithmetic(&mut self) -> &mut ScalarF64 {
        &mut self.arithmetic
    }

    fn value(&mut self, weights: &[f64]) -> Attempt<f64> {
        self.count()?;
        Ok(self.problem.look(&weights[..self.problem.len()]).0)
    }

    fn gradient(&mut self, weights: &[f64], gradient: &mut [f64]) -> Attempt<f64> {
        self.count()?;
        let (value, found) = self.problem.look(&weights[..self.problem.len()]);
        gradient[..found.len()].copy_from_slice(&found);
        Ok(value)
    }

    fn normal(&mut self, weights: &[f64], normal: &mut Normal<Vec<f64>>) -> Attempt<f64> {
        self.count()?;
        normal.clear();
        for (residual, mut gradient) in self.problem.residuals(&weights[..self.problem.len()]) {
            gradient.resize(weights.len(), 0.0);
            normal.add(&mut ScalarF64, residual, &gradient);
        }
        normal.close(&mut ScalarF64);
        Ok(self.problem.look(&weights[..self.problem.len()]).0)
    }
}

/// A solver running on a problem.
struct Run<'a> {
    objective: Plainly<'a>,
    solving: Solving<Vec<f64>>,
    weights: Vec<f64>,
}

impl<'a> Run<'a> {
    fn new(solver: &str, problem: &'a Problem, start: &[f64]) -> Self {
        let solver: Solver = solver.parse().unwrap();
        let layout = Layout::of_vector(problem.len());
        let mut weights = vec![0.0; layout.len()];
        weights[..start.len()].copy_from_slice(start);
        let solving = Solving::new::<ScalarF64>(&solver, &Schedule::default(), &layout);
        let objective = Plainly { problem, arithmetic: ScalarF64, evaluations: 0, most: usize::MAX };
        Self { objective, solving, weights }
    }

    fn update(&mut self) -> Attempt<()> {
        self.solving.begin(&self.weights);
        self.solving.update(&mut self.objective)?;
        self.weights.copy_from_slice(self.solving.weights());
        Ok(())
    }

    /// Does `count` updates and returns the weights after them.
    fn updates(&mut self, count: usize) -> &[f64] {
        (0..count).for_each(|_| self.update().unwrap());
        self.weights()
    }

    fn weights(&self) -> &[f64] {
        &self.weights[..self.objective.problem.len()]
    }

    fn value(&self) -> f64 {
        self.objective.problem.look(self.weights()).0
    }
}

/// Returns the largest absolute difference.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |far, gap| if gap > far || gap.is_nan() { gap } else { far })
}
