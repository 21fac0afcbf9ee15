//! Share of a batch that one thread passes through the network, from samples to answers.

use super::{Answered, Network};
use crate::loss::Targets;
use crate::network::{Arena, Plan, Weights};
use crate::{Result, machine};
use schuss_data::Batch;
use schuss_kernels::Team;
use schuss_kernels::matrix::{Matrix, MatrixMut};

/// Bytes of inputs and activations of a block: half of a second cache.
const CACHED: usize = 512 << 10;
/// Samples of a block for which a pass over the weights pays, if they take at most [`HELD`] bytes.
const WORTHWHILE: usize = 128;
const HELD: usize = 8 << 20;
/// Minimum and maximum number of samples of a block.
const LEAST: usize = 16;
const MOST: usize = 2_048;

/// Consecutive samples of a batch, and what one thread computes of them, block by block.
#[derive(Debug)]
pub(super) struct Share {
    /// A team of one: shares are computed side by side.
    team: Team,
    /// The last block.
    arena: Arena,
    /// Number of samples of the last block; 0 if it could not be gathered.
    rows: usize,
    /// Index of its first sample in the split.
    first: usize,
    /// True if its samples have targets.
    labelled: bool,
}

/// A share, and what was made of the answers for it, up to the first error.
pub(super) struct Work<'a, T> {
    pub(super) share: &'a mut Share,
    pub(super) made: T,
    pub(super) outcome: Result<()>,
}

impl Share {
    /// Allocates buffers for blocks of [`most_rows`] samples.
    pub(super) fn new(plan: &Plan, targets: Targets) -> Result<Self> {
        Ok(Self {
            team: machine::team(1)?,
            arena: Arena::to_predict(plan, most_rows(plan), targets),
            rows: 0,
            first: 0,
            labelled: false,
        })
    }

    /// Computes the answers for a block.
    fn answer(&mut self, network: Network, block: &Batch, first: usize) -> Result<()> {
        let Network { about, plan, params, .. } = network;
        (self.rows, self.first, self.labelled) = (0, first, has_targets(block, about.targets));
        self.arena.gather(&mut self.team, plan, block)?;
        self.rows = block.len();
        self.arena.forward(&mut self.team, plan, Weights::Frozen(params.values()), self.rows);
        if about.targets.is_class() {
            self.judge(network);
        } else {
            self.arena.answer(&mut self.team, plan, self.rows, about.loss.answer(about.targets));
        }
        Ok(())
    }

    /// Computes scores and probabilities of classes; leaves the latter in `deltas[0]`, as [`Arena::answer`] does.
    fn judge(&mut self, Network { about, plan, .. }: Network) {
        let (rows, width) = (self.rows, plan.outputs);
        let Arena { input, outputs, deltas, labels, scores, .. } = &mut self.arena;
        about.loss.judge(
            &mut self.team,
            Matrix::new(outputs.last().unwrap_or(input), rows, width),
            &labels[..rows],
            MatrixMut::new(&mut deltas[0], rows, width),
            &mut scores[..rows],
        );
    }

    /// Returns the last block with its answers.
    pub(super) fn answered<'a>(&'a self, network: Network<'a>) -> Answered<'a> {
        let Self { arena, rows, first, labelled, .. } = self;
        Answered { network, arena, labelled: *labelled, first: *first, rows: *rows }
    }
}

impl<T> Work<'_, T> {
    /// Passes all samples of `batch`, the first of which is sample `first` of its split, through the network. Calls
    /// `finish` with each block and what was made so far.
    pub(super) fn pass(
        &mut self,
        network: Network,
        batch: &Batch,
        first: usize,
        finish: &impl Fn(&Answered, &mut T) -> Result<()>,
    ) {
        let Self { share, made, outcome } = self;
        share.rows = 0;
        let blocks = batch.len().div_ceil(most_rows(network.plan));
        *outcome = (0..blocks).try_for_each(|block| {
            let rows = batch.len() * block / blocks..batch.len() * (block + 1) / blocks;
            share.answer(network, &batch.part(rows.clone()), first + rows.start)?;
            finish(&share.answered(network), made)
        });
    }
}

/// Returns the maximum number of samples of a block.
pub(super) fn most_rows(plan: &Plan) -> usize {
    let within = |bytes: usize| bytes / plan.bytes_forward().max(1);
    within(CACHED).clamp(within(HELD).clamp(LEAST, WORTHWHILE), MOST)
}

fn has_targets(batch: &Batch, targets: Targets) -> bool {
    match targets {
        Targets::Class => batch.class(0).is_some(),
        Targets::Real => !batch.reals(0).is_empty(),
        Targets::Input => true,
    }
}
