//! Which path the updates of a trial take. Whether that is `blocked-sample`, which has bits of its own, depends on the
//! trial alone; the other two have the same bits.

use super::{Descent, Method};
use crate::network::Plan;

/// A way to carry out updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// The update travels in one microbatch; the product that sums a weight's gradient writes the new weight.
    InBackward,
    /// Gradients are summed over several microbatches; then one pass steps all weights.
    Fused,
    /// Gradients are stored, and reductions or products over whole tensors come before the step.
    Staged,
    /// The first layer's weights stand still for a block of updates, whose changes are delayed exactly.
    BlockedSample,
}

/// Updates of more samples than this use the first layer's weights often enough as they are: measured on AVX2, on the
/// lectures' network. With a velocity, delayed updates make twice as many products.
const MOST_SAMPLES: usize = 24;
const MOST_SAMPLES_WITH_VELOCITY: usize = 8;
/// A first layer of fewer weights stays in the first cache, and there is nothing to gain.
const FEWEST_WEIGHTS: usize = 1 << 13;

impl Strategy {
    /// The path of updates of `samples` samples on `plan` by `method`, in microbatches of `microbatch`.
    pub(crate) fn choose(plan: &Plan, method: &Method, samples: usize, microbatch: usize) -> Self {
        let Method::Descent(Descent { groups }) = method;
        if Self::may_delay(plan, method, samples) {
            Self::BlockedSample
        } else if samples <= microbatch && groups.iter().all(|group| group.rule.goes_in_backward()) {
            Self::InBackward
        } else if groups.iter().all(|group| group.rule.is_by_element()) {
            Self::Fused
        } else {
            Self::Staged
        }
    }

    /// Whether updates of the first layer's weights may and should be delayed.
    fn may_delay(plan: &Plan, method: &Method, samples: usize) -> bool {
        let large = plan.stages.first().is_some_and(|first| first.inputs * first.outputs >= FEWEST_WEIGHTS);
        let Some(rule) = method.sole_rule().filter(|_| large) else { return false };
        let most = if rule.slots().is_empty() { MOST_SAMPLES } else { MOST_SAMPLES_WITH_VELOCITY };
        samples <= most && rule.linear(1).is_some()
    }

    /// Its name in records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InBackward => "in-backward",
            Self::Fused => "fused",
            Self::Staged => "staged",
            Self::BlockedSample => "blocked-sample",
        }
    }
}
