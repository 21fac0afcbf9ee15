//! Execution strategies for updates. The choice of `blocked-sample`, which rounds differently, depends on the trial
//! alone; `in-backward` and `fused` give bitwise identical results.

use crate::loss::Targets;
use crate::network::Plan;
use crate::optim::{Descent, Gradient, Group};
use crate::recipe::Trial;

/// Execution strategy for updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// An update fits in one microbatch; the product that computes a weight's gradient writes the new weight.
    InBackward,
    /// Gradients are summed over several microbatches; then one pass updates all weights.
    Fused,
    /// Gradients are stored, and reductions or products over whole tensors come before the step.
    Staged,
    /// The first layer's weights stay fixed for a block of updates; their changes are delayed, with an exact result.
    BlockedSample,
    /// Gradients are stored for a solver, which needs several per update.
    Solver,
}

/// Maximum samples per update for which delaying pays off; larger updates reuse the first layer's weights often enough
/// anyway. Measured on AVX2 with the lectures' network. With a velocity, delayed updates take twice as many products.
const MOST_SAMPLES: usize = 24;
const MOST_SAMPLES_WITH_VELOCITY: usize = 8;
/// Minimum weights of a first layer for which delaying pays off; a smaller layer stays in the L1 cache.
const FEWEST_WEIGHTS: usize = 1 << 13;

impl Strategy {
    /// Chooses the strategy for a trial's updates of `samples` samples on `plan`, in microbatches of `microbatch`.
    pub(super) fn choose(plan: &Plan, trial: &Trial, samples: usize, microbatch: usize) -> Self {
        let Descent { groups, gradient } = trial.recipe.optimizer.descent();
        let plain = *gradient == Gradient::Plain && groups.iter().all(Group::is_plain);
        if trial.recipe.optimizer.solver().is_some() {
            Self::Solver
        } else if Self::may_delay(plan, trial, samples) {
            Self::BlockedSample
        } else if plain
            && samples <= microbatch
            && groups.iter().all(|group| group.rule.goes_in_backward() && !group.rule.wants().loss)
        {
            Self::InBackward
        } else if plain && groups.iter().all(|group| group.rule.is_by_element()) {
            Self::Fused
        } else {
            Self::Staged
        }
    }

    /// Returns true if updates of the first layer's weights may and should be delayed.
    fn may_delay(plan: &Plan, trial: &Trial, samples: usize) -> bool {
        let plain = trial.recipe.loss.is_fused() && trial.targets == Targets::Class && trial.noise.is_none();
        let Some(net) = plan.perceptron().filter(|_| plain) else { return false };
        let large = net.stages.first().is_some_and(|first| first.weight.len() >= FEWEST_WEIGHTS);
        let Some(rule) = trial.recipe.optimizer.sole_rule().filter(|_| large) else { return false };
        let most = if rule.slots().is_empty() { MOST_SAMPLES } else { MOST_SAMPLES_WITH_VELOCITY };
        samples <= most && rule.linear(1).is_some()
    }

    /// Returns its name in records.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::InBackward => "in-backward",
            Self::Fused => "fused",
            Self::Staged => "staged",
            Self::BlockedSample => "blocked-sample",
            Self::Solver => "solver",
        }
    }
}
