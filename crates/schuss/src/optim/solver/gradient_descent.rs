use super::line_search::{ARMIJO, LineSearch, MOST_EVALUATIONS, StrongWolfe};
use super::objective::{Attempt, Objective};
use super::state::Walk;
use crate::optim::arithmetic::Arithmetic;
use crate::spec::{Choice, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Gradient descent with a line search: each step is as long as it takes for the loss to decrease enough.
///
/// ```text
/// w ← w − t g        t: the first of η, η/2, η/4, ... with f(w − t g) ≤ f(w) − 10⁻⁴ t ‖g‖²
/// ```
///
/// With `line_search=strong-wolfe`, the search starts at η and also requires |f'(t)| ≤ 0.9 |f'(0)|.
///
/// Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", Pacific J. Math. 16,
/// 1966; Nocedal and Wright, "Numerical Optimization", 2nd ed. 2006, section 3.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct GradientDescent {
    /// First step η to try.
    pub lr: f64,
    /// Line search: `backtracking` or `strong-wolfe`.
    pub line_search: LineSearch,
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self { lr: 1.0, line_search: LineSearch::Backtracking }
    }
}

impl Choice for GradientDescent {
    const NAME: &'static str = "gradient-descent";

    fn check(&self) -> Result<()> {
        positive(&[("lr", self.lr)])?;
        match self.line_search {
            LineSearch::None => Err(Error::usage("line_search must be backtracking or strong-wolfe")
                .advise("optimizer sgd, which is gradient descent without a line search")),
            _ => Ok(()),
        }
    }
}

impl GradientDescent {
    /// Does one step.
    pub(super) fn update<A: Arithmetic, O: Objective<A>>(&self, mut walk: Walk<A, O>) -> Attempt<()> {
        const WOLFE: StrongWolfe =
            StrongWolfe { c1: ARMIJO, c2: 0.9, tolerance: 1e-9, evaluations: MOST_EVALUATIONS };
        walk.look()?;
        walk.steepest();
        if walk.set_out() < 0.0 {
            walk.go(self.line_search, WOLFE, self.lr)?;
        }
        Ok(())
    }
}
