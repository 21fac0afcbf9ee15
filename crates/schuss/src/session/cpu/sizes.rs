//! Numbers of samples that determine the buffers of a trial.

use crate::Result;
use crate::network::{MICROBATCH, Plan};
use crate::recipe::Trial;
use crate::session::Limits;
use schuss_data::Dataset;
use schuss_kernels::{Precision, Team};

/// Updates of fewer samples use f32 products whatever the recipe allows, since most of a tile would be idle.
const FEWEST_FOR_TILES: usize = 16;

/// Number of samples whose gradients are summed in one f32 chain; the leaves of larger updates are added in f64.
const LEAF: usize = 4_096;

/// Numbers of samples that are processed together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Per update.
    pub(super) samples: usize,
    /// Per group of batch statistics.
    pub(super) stats: usize,
    /// Per f32 chain of a gradient's sum.
    pub(super) leaf: usize,
    /// Per pass of training.
    pub(super) microbatch: usize,
    /// That the buffers of a pass hold.
    pub(super) capacity: usize,
}

impl Sizes {
    /// Chooses the sizes for a trial on `data`, and the precision of the products of `team`.
    ///
    /// # Errors
    /// A usage error if updates are too small for the batch statistics of a layer.
    pub(super) fn choose(
        plan: &Plan,
        trial: &Trial,
        data: &Dataset,
        limits: Limits,
        team: &mut Team,
    ) -> Result<Self> {
        let samples = trial.recipe.update.samples(data.train.len());
        let stats = trial.recipe.statistics(samples);
        plan.check_statistics(stats)?;
        let groups = if plan.has_statistics() { stats } else { 1 };
        let leaf = (LEAF / groups).max(1) * groups;
        let worthwhile = samples >= FEWEST_FOR_TILES;
        team.set_precision(if worthwhile { trial.recipe.matmul_precision.0 } else { Precision::Highest });
        let pieces = Pieces { whole: samples.min(leaf), groups, terms: team.terms_at_once() };
        let most = default_microbatch(plan, data, limits);
        let microbatch = pieces.fit(limits.microbatch.unwrap_or(most));
        Ok(Self { samples, stats, leaf, microbatch, capacity: microbatch.max(most) })
    }

    /// Returns true if an update has several leaves.
    pub(super) fn has_leaves(&self) -> bool {
        self.samples > self.leaf
    }
}

/// Returns the default size of microbatches: the usual number, but no more than there are samples, and no more than fit
/// in an eighth of the limit.
fn default_microbatch(plan: &Plan, data: &Dataset, limits: Limits) -> usize {
    let longest = data.splits().map(|(_, split)| split.len()).max().unwrap_or(0);
    let held = limits.memory.map_or(u64::MAX, |memory| memory / 8 / plan.bytes_per_sample().max(1) as u64);
    usize::try_from(held).unwrap_or(usize::MAX).min(longest).clamp(1, MICROBATCH)
}

/// Constraints on splitting an update, so that no bit depends on the microbatch.
struct Pieces {
    /// Number of samples of an update, or of a leaf of its sums.
    whole: usize,
    /// Number of samples of a group of batch statistics.
    groups: usize,
    /// Number of samples that products add at once.
    terms: usize,
}

impl Pieces {
    /// Returns the microbatch size next to `wanted`: the whole, or a multiple of groups and terms.
    fn fit(&self, wanted: usize) -> usize {
        let Self { whole, groups, terms } = *self;
        if wanted >= whole && groups == 1 {
            return whole;
        }
        let piece = (1..=terms).map(|times| times * groups).find(|piece| piece.is_multiple_of(terms));
        let piece = piece.unwrap_or(whole);
        (wanted.min(whole).max(piece) / piece * piece).min(whole)
    }
}
