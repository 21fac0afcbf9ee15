//! What a session may take: threads, memory, time for checkpoints.

use super::engine::Engine;
use super::{Cadence, blocked};
use crate::network::{MICROBATCH, Plan};
use crate::recipe::Trial;
use crate::session::Strategy;
use crate::{Error, Result, machine};
use schuss_data::{Dataset, Split, text};
use serde::{Deserialize, Serialize};

/// What may change the time of a trial, never a bit of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Threads of the step. All cores are not written down: they may be more or fewer where a run goes on.
    #[serde(skip_serializing_if = "is_all_cores")]
    pub threads: usize,
    /// Samples that travel together, if not the built-in number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microbatch: Option<usize>,
    /// Bytes that the process may take, if there is a limit: what does not fit is streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Whether trials of a study run side by side, the threads shared out among them; their times are then labelled
    /// `shared`.
    #[serde(rename = "parallel")]
    pub side_by_side: bool,
    /// How often trials are kept, besides the ends of epochs.
    pub checkpoint_every: Cadence,
}

impl Default for Limits {
    /// All cores, one trial after the other.
    fn default() -> Self {
        let threads = all_cores();
        let checkpoint_every = Cadence::default();
        Self { threads, microbatch: None, memory: None, side_by_side: false, checkpoint_every }
    }
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn is_all_cores(threads: &usize) -> bool {
    *threads == all_cores()
}

impl Limits {
    /// For each of `workers` sessions side by side over the same `data` bytes.
    pub(crate) fn shared_out(self, workers: usize, data: u64) -> Self {
        let memory = self.memory.map(|all| all.min(data) + all.saturating_sub(data) / workers as u64);
        Self { threads: (self.threads / workers).max(1), memory, ..self }
    }
}

/// Bytes for reading ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Of training samples.
    pub(super) train: u64,
    /// Of each split that is evaluated.
    pub(super) evaluated: u64,
}

/// More of it makes reading from front to end no faster.
const SEQUENTIAL: u64 = 16 << 20;

impl Ahead {
    /// Shares `left` bytes out: all that other splits do not need is for training samples. Where these are looked at for
    /// batch statistics too, as if they were another split.
    fn of(left: u64, data: &Dataset, for_statistics: bool) -> Self {
        let is_streamed = |split: &Split| split.resident().is_none();
        let twice = for_statistics && is_streamed(&data.train);
        let streamed =
            data.splits().filter(|(_, split)| is_streamed(split)).count() as u64 + u64::from(twice);
        let evaluated = (left / streamed.max(1)).min(SEQUENTIAL);
        Self { train: left - (streamed.saturating_sub(1)) * evaluated, evaluated }
    }
}

/// Samples that travel together where nobody says how many: the usual number, but no more than there are, and no more
/// than an eighth of the limit holds.
pub(super) fn microbatch(plan: &Plan, data: &Dataset, limits: Limits) -> usize {
    let longest = data.splits().map(|(_, split)| split.len()).max().unwrap_or(0);
    let held = limits.memory.map_or(u64::MAX, |memory| memory / 8 / plan.bytes_per_sample().max(1) as u64);
    usize::try_from(held).unwrap_or(usize::MAX).min(longest).clamp(1, MICROBATCH)
}

/// What the limit leaves beside the buffers, shared out among the splits that are streamed.
///
/// # Errors
/// A usage error if the limit leaves nothing.
pub(super) fn read_ahead(engine: &Engine, data: &Dataset, limits: Limits) -> Result<Ahead> {
    let Some(memory) = limits.memory else {
        return Ok(Ahead::of(machine::memory_for_data() / 2, data, engine.needs_own_statistics()));
    };
    let held = engine.memory(data.bytes()).total() as u64;
    let left = memory.checked_sub(held).ok_or_else(|| too_much(held, data, memory, limits))?;
    Ok(Ahead::of(left, data, engine.needs_own_statistics()))
}

fn too_much(held: u64, data: &Dataset, memory: u64, limits: Limits) -> Error {
    let of_data = data.bytes() as u64;
    let advice = match () {
        () if of_data > held / 2 => "more --memory, or a file made by `schuss data pack` where there is more",
        () if limits.side_by_side => "more --memory, or trials one after the other: without --parallel",
        () => "more --memory, a smaller --model, or an optimizer with less state",
    };
    let [held, of_data, memory] = [held, of_data, memory].map(text::bytes);
    let what =
        format!("data and buffers take {held}, {of_data} of it the data, but the process may take {memory}");
    Error::usage(what).advise(advice)
}

/// Refuses, before any of it is taken, what does not fit into the limit or into the memory that is free; `samples` per
/// update, in microbatches of `microbatch`.
pub(super) fn check_memory(
    (plan, trial): (&Plan, &Trial),
    data: &Dataset,
    [samples, microbatch]: [usize; 2],
    limits: Limits,
) -> Result<()> {
    let weights_and_slots = 1 + trial.recipe.optimizer.slots();
    let (copies, window) = match Strategy::choose(plan, trial, samples, microbatch) {
        // live, as of the last report point, and in case of divergence; inputs of the block before and the present one
        Strategy::BlockedSample => (3 * weights_and_slots, 2 * blocked::ROWS * plan.inputs),
        // the last one a gradient
        Strategy::InBackward | Strategy::Fused | Strategy::Staged | Strategy::Solver => {
            (2 * weights_and_slots + 1, 0)
        }
    };
    let floats = (copies * plan.layout.len() + window) as u64 * size_of::<f32>() as u64;
    let needed = floats + (microbatch * plan.bytes_per_sample()) as u64;
    let held = needed + data.bytes() as u64;
    if let Some(memory) = limits.memory.filter(|&memory| memory < held) {
        return Err(too_much(held, data, memory, limits));
    }
    match machine::available_memory() {
        Some(available) if needed > available => {
            let gib = |bytes: u64| bytes as f64 / (1 << 30) as f64;
            let (model, needed, available) = (&plan.model, gib(needed), gib(available));
            Err(Error::usage(format!("model `{model}` needs {needed:.1} GiB for weights, gradients and optimizer state, but {available:.1} GiB are free"))
                .advise("a smaller --model"))
        }
        _ => Ok(()),
    }
}
