//! Places of everything on the card, and the memory it takes.

use crate::shader::{Normaliser, ROW_HEAD, Rows};
use crate::support;
use schuss::data::{Dataset, Values, text};
use schuss::loss;
use schuss::network::{Layer, Plan};
use schuss::{Cause, Error, Result, Trial};
use schuss_kernels::padded;

/// Most samples whose gradients are summed in one chain: those of larger updates are added up pass by pass.
const LEAF: usize = 4_096;

/// Fewest samples that an evaluation sends through the network at once, if there are so many.
const EVALUATED: usize = 1_024;

/// Most bytes of the inputs of a chunk, in which updates are sent to the card.
const CHUNK_BYTES: usize = 64 << 20;

/// Most passes of a chunk.
const PASSES: usize = 1_024;

/// Most knobs of a rule in an update, and so the room for each group in a row of the table.
pub(crate) const KNOBS: usize = 32;

/// Targets in the shaders.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Targets {
    /// Classes from word `at` of the chunk on.
    Classes { at: usize },
    /// Numbers from word `at` of the chunk on, `width` per sample.
    Numbers { at: usize, width: usize },
    /// The inputs.
    Inputs(Rows),
}

/// Places of a trial's numbers on the card, in words of 32 bits.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Samples per update.
    pub(crate) samples: usize,
    /// Samples per group of batch statistics.
    pub(crate) group: usize,
    /// Most samples of a pass, in whole groups if an update takes several.
    pub(crate) rows: usize,
    /// Most samples of a chunk.
    pub(crate) chunk: usize,
    /// Most passes of a chunk.
    pub(crate) passes: usize,
    /// Words of a row of the table.
    pub(crate) row_words: usize,
    /// Room for the knobs of the loss, which come before those of the groups.
    pub(crate) loss_knobs: usize,
    /// Inputs of a chunk.
    pub(crate) inputs: Rows,
    /// Outputs of every stage; those of a stage that changes nothing are its inputs.
    pub(crate) outputs: Vec<Rows>,
    /// Gradients at the outputs of every stage; of no use below the first that is trained.
    pub(crate) slopes: Vec<Rows>,
    /// Mean and scale of every row, for stages that normalise rows.
    pub(crate) moments: Vec<Rows>,
    pub(crate) targets: Targets,
    /// Sums of gradients, laid out like the parameters.
    pub(crate) sums: usize,
    /// Factor of every group's gradients, and partial sums for their norms.
    pub(crate) factors: usize,
    /// Numbers of the normaliser.
    pub(crate) affine: usize,
    /// Lengths of the buffers.
    pub(crate) arena: usize,
    pub(crate) params: usize,
    pub(crate) slots: usize,
    pub(crate) chunk_words: usize,
    /// Words of the samples of a chunk.
    pub(crate) staged: usize,
    /// Words of the training samples, if they stay on the card.
    pub(crate) resident: Option<usize>,
}

/// Partial sums of the norm of a group.
pub(crate) const PARTS: usize = 64;

impl Places {
    /// Lays out a trial on a card whose buffers hold up to `largest` bytes.
    ///
    /// # Errors
    /// A usage error if a tensor does not fit.
    pub(crate) fn new(
        trial: &Trial,
        plan: &Plan,
        data: &Dataset,
        normaliser: &Normaliser,
        loss_knobs: usize,
        largest: u64,
    ) -> Result<Self> {
        let samples = trial.recipe.update.samples(data.train.len());
        let longest = data.splits().map(|(_, split)| split.len()).max().unwrap_or(1).max(1);
        let group = trial.recipe.statistics(samples);
        plan.check_statistics(group)?;
        let rows = rows_that_fit(plan, samples.min(LEAF).max(EVALUATED.min(longest)), largest);
        let rows = if samples > rows { (rows / group).max(1) * group } else { rows };
        let bytes = CHUNK_BYTES.min(usize::try_from(largest / 4).unwrap_or(CHUNK_BYTES));
        let per_chunk = bytes / 4 / padded(plan.inputs);
        let chunk = per_chunk.min(longest).max(rows);
        let mut arena = Arena::default();
        let inputs = Rows { of_chunk: true, ..arena.rows(plan.inputs, chunk) };
        let outputs = outputs(plan, inputs, &mut arena, rows);
        let slopes = slopes(plan, &mut arena, rows);
        let moments = plan.stages().iter().map(|stage| match stage.kind() {
            Layer::LayerNorm(_) => arena.rows(2, rows),
            _ => inputs,
        });
        let moments = moments.collect();
        let groups = support::descent(&trial.recipe.optimizer)?.groups.len();
        let params = plan.layout.len();
        let clean = match trial.noise.is_some() && support::reconstructs(trial) {
            true => Rows { of_chunk: true, ..arena.rows(plan.inputs, chunk) },
            false => inputs,
        };
        let (targets, chunk_words) = targets(trial, plan, clean, chunk);
        let words = |samples: usize| match normaliser.bytes {
            true => (samples * plan.inputs).div_ceil(4),
            false => samples * plan.inputs,
        };
        let resident = data.train.resident().map(|samples| words(samples.len()));
        let places = Self {
            samples,
            group,
            rows,
            chunk,
            passes: PASSES,
            loss_knobs,
            row_words: ROW_HEAD + loss_knobs + groups * KNOBS,
            inputs,
            outputs,
            slopes,
            moments,
            targets,
            sums: arena.take(params),
            factors: arena.take(groups * (1 + PARTS)),
            affine: arena.take(normaliser.affine.len()),
            arena: arena.len,
            params,
            slots: params * most_slots(trial)?,
            chunk_words,
            staged: words(chunk),
            resident: resident.filter(|&words| 4 * words as u64 <= largest),
        };
        places.check(plan, largest).map(|()| places)
    }

    /// Most updates of a call: those of one chunk.
    pub(crate) fn most_updates(&self) -> usize {
        (self.chunk / self.samples.max(1)).clamp(1, self.passes)
    }

    /// Outputs of the network.
    pub(crate) fn output(&self) -> Rows {
        self.outputs.last().copied().unwrap_or(self.inputs)
    }

    /// Number of bytes of all buffers.
    pub(crate) fn bytes(&self) -> u64 {
        let Self { arena, params, slots, chunk_words, staged, resident, .. } = self;
        let words = arena + params + slots + chunk_words + staged + resident.unwrap_or(0);
        4 * (words + self.passes * self.row_words + 2 * self.chunk) as u64
    }

    /// Returns places that take up to `memory` bytes, if given; the training samples do not stay on the card if they would
    /// take more.
    ///
    /// # Errors
    /// A usage error with the memory needed.
    pub(crate) fn within(self, memory: Option<u64>) -> Result<Self> {
        let fits = |places: &Self| memory.is_none_or(|memory| places.bytes() <= memory);
        if fits(&self) {
            return Ok(self);
        }
        let without = Self { resident: None, ..self };
        if fits(&without) { Ok(without) } else { Err(without.too_large(memory)) }
    }

    fn too_large(&self, memory: Option<u64>) -> Error {
        let needed = self.bytes();
        let cause = Cause::TooLarge { needed, available: memory };
        let [needed, memory] = [needed, memory.unwrap_or(0)].map(text::bytes);
        Error::usage(format!("the trial needs {needed} on the graphics card, but the limit is {memory}"))
            .because(cause)
            .advise("more --device-memory, a smaller --model, or --device cpu")
    }

    /// Checks that every buffer fits into one binding, and places into the words of a shader.
    fn check(&self, plan: &Plan, largest: u64) -> Result<()> {
        let longest = self.arena.max(self.params).max(self.slots).max(self.staged) as u64;
        let needed = 4 * longest;
        if needed <= largest && longest <= u64::from(u32::MAX) {
            return Ok(());
        }
        let what = format!(
            "model `{}` needs a buffer of {}, but the graphics card has at most {}",
            plan.model,
            text::bytes(needed),
            text::bytes(largest)
        );
        Err(Error::usage(what)
            .because(Cause::TooLarge { needed, available: Some(largest) })
            .advise("a smaller --model, or --device cpu"))
    }
}

/// Places given out one after another.
#[derive(Default)]
struct Arena {
    len: usize,
}

impl Arena {
    fn take(&mut self, len: usize) -> usize {
        let at = self.len;
        self.len += len.next_multiple_of(16);
        at
    }

    fn rows(&mut self, width: usize, rows: usize) -> Rows {
        let stride = padded(width);
        Rows { at: self.take(rows * stride), width, stride, of_chunk: false }
    }
}

fn outputs(plan: &Plan, inputs: Rows, arena: &mut Arena, rows: usize) -> Vec<Rows> {
    let mut before = inputs;
    let stages = plan.stages().iter().map(|stage| {
        if !matches!(stage.kind(), Layer::Flatten(_)) {
            before = arena.rows(stage.outputs(), rows);
        }
        before
    });
    stages.collect()
}

fn slopes(plan: &Plan, arena: &mut Arena, rows: usize) -> Vec<Rows> {
    let mut before = None;
    let stages = plan.stages().iter().map(|stage| match before {
        Some(slopes) if matches!(stage.kind(), Layer::Flatten(_)) => slopes,
        _ => *before.insert(arena.rows(stage.outputs(), rows)),
    });
    stages.collect()
}

/// Returns the targets, and the words of a chunk: an index per sample, and the targets after them.
fn targets(trial: &Trial, plan: &Plan, inputs: Rows, chunk: usize) -> (Targets, usize) {
    let width = plan.outputs;
    match trial.targets {
        loss::Targets::Class => (Targets::Classes { at: chunk }, 2 * chunk),
        loss::Targets::Real => (Targets::Numbers { at: chunk, width }, (1 + width) * chunk),
        loss::Targets::Input => (Targets::Inputs(inputs), chunk),
    }
}

/// Halves `rows` until inputs, activations and gradients take no more than half of the largest buffer.
fn rows_that_fit(plan: &Plan, rows: usize, largest: u64) -> usize {
    let per_row: usize = plan.stages().iter().map(|stage| 8 * padded(stage.outputs())).sum();
    let mut fitting = rows;
    while fitting > 1 && (fitting * (per_row + 4 * padded(plan.inputs))) as u64 > largest / 2 {
        fitting = fitting.div_ceil(2);
    }
    fitting
}

fn most_slots(trial: &Trial) -> Result<usize> {
    let groups = &support::descent(&trial.recipe.optimizer)?.groups;
    Ok(groups.iter().map(|group| group.rule.slots().len()).max().unwrap_or(0))
}

/// True if a data set stores bytes.
pub(crate) fn stores_bytes(data: &Dataset) -> Result<bool> {
    Ok(matches!(data.train.read(&[])?.values(), Values::Bytes(_)))
}
