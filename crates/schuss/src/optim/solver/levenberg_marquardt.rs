use super::normal::Normal;
use super::objective::{Attempt, Objective};
use super::state::Walk;
use crate::optim::arithmetic::Arithmetic;
use crate::spec::{Choice, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use serde::{Deserialize, Serialize};

/// Levenberg-Marquardt for least squares: a Gauss-Newton step, damped toward a short gradient step the less it can be
/// trusted.
///
/// ```text
/// (JᵀJ + μ I) δ = −Jᵀr        w ← w + δ if that lowers Σ r², and μ ← down μ; else μ ← up μ and again
/// ```
///
/// r are the residuals of all samples and outputs, J their derivatives with respect to the weights. Meant for small
/// networks with the loss `mse`: work and memory grow with the square of the number of weights, solving with its cube.
/// μ is kept from update to update, between 10⁻²⁰ and 10¹⁰, at which an update gives up.
///
/// Levenberg, Quart. Appl. Math. 2, 1944; Marquardt, SIAM J. Appl. Math. 11, 1963; with these defaults Hagan and
/// Menhaj, "Training feedforward networks with the Marquardt algorithm", IEEE Trans. Neural Networks 5, 1994. Differs:
/// MINPACK (SciPy) scales μ I by the columns of J and bounds the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct LevenbergMarquardt {
    /// Initial μ.
    pub damping: f64,
    /// Factor applied to μ after a failed step.
    pub up: f64,
    /// Factor applied to μ after a successful step.
    pub down: f64,
    /// Maximum steps per update.
    pub max_iter: usize,
}

impl LevenbergMarquardt {
    /// Maximum number of weights; the normal equations of larger networks take more than 100 MB and seconds to solve.
    pub(crate) const MOST_WEIGHTS: usize = 2_048;
}

impl Default for LevenbergMarquardt {
    fn default() -> Self {
        Self { damping: 1e-3, up: 10.0, down: 0.1, max_iter: 1 }
    }
}

impl Choice for LevenbergMarquardt {
    const NAME: &'static str = "levenberg-marquardt";

    fn check(&self) -> Result<()> {
        positive(&[("damping", self.damping), ("up", self.up), ("down", self.down)])?;
        if self.max_iter == 0 {
            return Err(Error::usage("max_iter must be at least 1"));
        }
        if self.up > 1.0 && self.down <= 1.0 {
            return Ok(());
        }
        Err(Error::usage(format!("up must be above 1 and down at most 1, not {} and {}", self.up, self.down)))
    }
}

const LEAST_DAMPING: f64 = 1e-20;
const MOST_DAMPING: f64 = 1e10;

impl LevenbergMarquardt {
    /// Does up to `max_iter` steps.
    pub(super) fn update<A: Arithmetic, O: Objective<A>>(
        &self,
        mut walk: Walk<A, O>,
        normal: &mut Normal<A::Buffer>,
    ) -> Attempt<()> {
        for _ in 0..self.max_iter {
            let value = walk.objective.normal(&walk.state.weights, normal)?;
            if !value.is_finite() || !self.descend(&mut walk, normal, value)? {
                break;
            }
        }
        Ok(())
    }

    /// Raises the damping until a step lowers the loss below `value`. Returns true if one did.
    fn descend<A: Arithmetic, O: Objective<A>>(
        &self,
        walk: &mut Walk<A, O>,
        normal: &mut Normal<A::Buffer>,
        value: f64,
    ) -> Attempt<bool> {
        while walk.state.scale <= MOST_DAMPING {
            if try_step(walk, normal)?.is_some_and(|new| new < value) {
                walk.state.weights.copy_from_slice(&walk.room.trial);
                walk.state.scale = (walk.state.scale * self.down).max(LEAST_DAMPING);
                return Ok(true);
            }
            walk.state.scale *= self.up;
        }
        walk.state.scale = MOST_DAMPING;
        Ok(false)
    }
}

/// Returns the loss after one step, or `None` if there is no step.
fn try_step<A: Arithmetic, O: Objective<A>>(
    walk: &mut Walk<A, O>,
    normal: &mut Normal<A::Buffer>,
) -> Attempt<Option<f64>> {
    let trial = &mut walk.room.trial;
    trial.copy_from_slice(&walk.state.weights);
    let Some(step) = normal.solve(walk.state.scale) else { return Ok(None) };
    step.for_each(|(place, step)| trial[place] = trial[place] + A::T::splat(step));
    walk.objective.value(trial).map(Some)
}
