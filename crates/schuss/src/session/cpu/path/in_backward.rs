//! Updates of a single microbatch: the product that sums a weight's gradient writes the new weight.

use super::stored::Gradients;
use super::{Copied, Path, WithCopy};
use crate::Result;
use crate::network::{Entry, Gradients as Destination, Params, Plan, VectorGradients};
use crate::optim::Updater;
use crate::session::control::Watch;
use crate::session::cpu::partial::{Halt, Partial};
use crate::session::cpu::passes::{Descend, Microbatch, Passes, Samples, code_params};
use crate::session::tally::Tally;
use crate::state::{State, StateCodec};
use schuss_data::Feed;
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, column_sums};
use schuss_kernels::{Buffer, Team, padded};
use std::io;
use std::ops::Range;

/// Path of updates that fit in one microbatch. Gradients of weights are never stored.
pub(in crate::session::cpu) struct InBackward {
    rules: Copied<Updater<Buffer>>,
    /// Gradients of the vectors of one stage.
    vectors: Buffer,
    /// Update that was begun under limits that split it; it is finished as it was begun.
    begun: Option<Gradients>,
}

impl InBackward {
    pub(in crate::session::cpu) fn new(plan: &Plan, updater: Updater<Buffer>) -> Self {
        Self { rules: Copied::new(updater), vectors: Buffer::zeros(plan.largest_vectors()), begun: None }
    }
}

impl Path for InBackward {
    fn advance(
        &mut self,
        passes: &mut Passes,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        let samples = &mut Samples { feed, positions: passes.update(positions) };
        if let Some(begun) = &mut self.begun {
            seen.extend(begun.update(passes, samples, &mut self.rules.live, watch)?);
            self.begun = self.begun.take().filter(|_| seen.is_empty());
            return Ok(());
        }
        let halts = || watch.interrupted() || watch.is_due();
        let stepped = passes.accumulate(samples, Partial::default(), halts, self);
        seen.extend(Halt::stopped(stepped)?.map(|seen| seen.tally));
        Ok(())
    }

    fn optimizer(&self) -> &dyn WithCopy {
        &self.rules
    }

    fn optimizer_mut(&mut self) -> &mut dyn WithCopy {
        &mut self.rules
    }

    fn state(&mut self, passes: &mut Passes, codec: &mut StateCodec) -> io::Result<()> {
        code_params(codec, &mut passes.params)?;
        self.rules.live.code(codec)?;
        let mut begun = self.is_within_update();
        begun.code(codec)?;
        if begun && self.begun.is_none() {
            self.begun = Some(Gradients::of_begun_update(passes));
        }
        self.begun = self.begun.take().filter(|_| begun);
        self.begun.as_mut().map_or(Ok(()), |gradients| gradients.code(codec))
    }

    fn is_within_update(&self) -> bool {
        self.begun.is_some()
    }

    fn is_at(&self, position: usize, len: usize) -> bool {
        self.begun.as_ref().map_or(0, Gradients::done) <= len - position
    }
}

impl Descend for InBackward {
    fn take(&mut self, passes: &mut Passes, microbatch: &Microbatch) {
        let Passes { team, plan, arena, params, .. } = passes;
        let updater = &mut self.rules.live;
        updater.advance();
        for index in plan.backwards() {
            let stage = &plan.stages[index];
            let (tensors, trained) = (stage.tensors(&plan.layout), stage.trained());
            let (sums, count) = (&mut self.vectors[..], microbatch.divisor);
            let mut to = Stepping { team, params, updater, tensors, trained, sums, count };
            arena.backward(plan, index, microbatch.rows, &mut to, &microbatch.mode);
        }
    }
}

/// Destination of gradients that are applied at once; those of a weight within the product that sums them.
struct Stepping<'a> {
    team: &'a mut Team,
    params: &'a mut Params,
    updater: &'a mut Updater<Buffer>,
    tensors: &'a [Entry],
    /// Entries that the layer trains.
    trained: Range<usize>,
    /// Buffer for the sums of its vectors.
    sums: &'a mut [f32],
    /// Divisor of sums.
    count: f64,
}

impl Destination for Stepping<'_> {
    fn compute(&mut self) -> (&mut Team, &[f32]) {
        (self.team, self.params.values())
    }

    fn weight_and_bias(&mut self, x: Matrix, dy: Matrix) {
        let [weight, bias] = self.tensors else { return };
        let (entry, count) = (self.trained.start, self.count as f32);
        let sums = &mut self.sums[..padded(bias.cols)];
        column_sums(self.team, dy, Start::Fresh, sums);
        let values = self.params.values_mut();
        self.updater.step_tensor(self.team, entry + 1, sums, f64::from(count), &mut values[bias.range()]);
        let to = MatrixMut::new(&mut values[weight.range()], weight.rows, weight.cols);
        self.updater.step_within_product(self.team, entry, x, dy, count, to);
    }

    fn vectors(&mut self, sum: &mut VectorGradients) {
        let len = self.tensors[..self.trained.len()].iter().map(|tensor| tensor.range().len()).sum();
        sum(self.team, self.params.values(), &mut self.sums[..len], Start::Fresh);
        let mut rest = &self.sums[..len];
        for (entry, tensor) in self.trained.clone().zip(self.tensors) {
            let (own, others) = rest.split_at(tensor.range().len());
            let to = &mut self.params.values_mut()[tensor.range()];
            self.updater.step_tensor(self.team, entry, own, self.count, to);
            rest = others;
        }
    }
}
