//! Limits of a session: threads, memory, checkpoints.

use super::{Cadence, Engine};
use crate::network::Model;
use crate::record::MemoryRecord;
use crate::{Cause, Error, Result, machine};
use schuss_data::{Dataset, Split, text};
use serde::{Deserialize, Serialize};

/// Settings that may change the run time of a trial, but never a bit of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Number of threads of the step. "All cores" is not saved, as their number may differ where a run is resumed.
    #[serde(skip_serializing_if = "is_all_cores")]
    pub threads: usize,
    /// Number of samples per microbatch, if not the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microbatch: Option<usize>,
    /// Memory budget of the process in bytes, if limited; data that do not fit are streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Memory budget on a graphics card in bytes, if limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_memory: Option<u64>,
    /// True if trials of a study run in parallel and share the threads; their times are then calibrated.
    #[serde(rename = "parallel")]
    pub side_by_side: bool,
    /// Interval between checkpoints, in addition to those at the ends of epochs.
    pub checkpoint_every: Cadence,
}

impl Default for Limits {
    /// All cores, one trial after another.
    fn default() -> Self {
        let threads = all_cores();
        let checkpoint_every = Cadence::default();
        Self {
            threads,
            microbatch: None,
            memory: None,
            device_memory: None,
            side_by_side: false,
            checkpoint_every,
        }
    }
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn is_all_cores(threads: &usize) -> bool {
    *threads == all_cores()
}

impl Limits {
    /// Returns the limits of each of `sessions` sessions that share `data` bytes of data and the memory, but not the
    /// threads.
    pub(crate) fn with_shared_memory(self, sessions: usize, data: u64) -> Self {
        let memory = self.memory.map(|all| all.min(data) + all.saturating_sub(data) / sessions as u64);
        Self { memory, ..self }
    }

    /// Returns the limits of each of `sessions` sessions on `data` that are live together and take turns.
    pub(crate) fn for_turns(self, sessions: usize, data: &Dataset) -> Self {
        let is_streamed = data.splits().any(|(_, split)| split.resident().is_none());
        let for_all = match self.memory {
            None if is_streamed => Some(data.bytes() as u64 + machine::memory_for_data()),
            memory => memory,
        };
        Self { memory: for_all, ..self }.with_shared_memory(sessions, data.bytes() as u64)
    }

    /// Returns the limits of each of `workers` parallel sessions that share `data` bytes of data.
    pub(crate) fn shared_out(self, workers: usize, data: u64) -> Self {
        Self { threads: (self.threads / workers).max(1), ..self.with_shared_memory(workers, data) }
    }
}

/// Number of bytes for reading ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// For training samples.
    pub(super) train: u64,
    /// For each evaluated split.
    pub(super) evaluated: u64,
}

/// Number of bytes beyond which sequential reading gets no faster.
const SEQUENTIAL: u64 = 16 << 20;

impl Ahead {
    /// Divides `left` bytes: training samples get everything other splits do not need. If they are also read for batch
    /// statistics, that counts as another split.
    fn of(left: u64, data: &Dataset, for_statistics: bool) -> Self {
        let is_streamed = |split: &Split| split.resident().is_none();
        let twice = for_statistics && is_streamed(&data.train);
        let streamed =
            data.splits().filter(|(_, split)| is_streamed(split)).count() as u64 + u64::from(twice);
        let evaluated = (left / streamed.max(1)).min(SEQUENTIAL);
        Self { train: left - (streamed.saturating_sub(1)) * evaluated, evaluated }
    }
}

/// Divides the memory that the buffers leave of the limit among the streamed splits.
///
/// # Errors
/// A usage error if the limit leaves nothing.
pub(super) fn read_ahead(engine: &dyn Engine, data: &Dataset, limits: Limits) -> Result<Ahead> {
    let Some(memory) = limits.memory else {
        return Ok(Ahead::of(machine::memory_for_data() / 2, data, engine.needs_statistics()));
    };
    let held = (engine.memory().total() + data.bytes()) as u64;
    let left = memory.checked_sub(held).ok_or_else(|| too_much(held, data, memory, limits))?;
    Ok(Ahead::of(left, data, engine.needs_statistics()))
}

fn too_much(held: u64, data: &Dataset, memory: u64, limits: Limits) -> Error {
    let of_data = data.bytes() as u64;
    let advice = match () {
        () if of_data > held / 2 => "more --memory, or `schuss data pack` on a machine with more memory",
        () if limits.side_by_side => "more --memory, or one trial at a time, without --parallel",
        () => "more --memory, a smaller --model, or an optimizer with less state",
    };
    let cause = Cause::TooLarge { needed: held, available: Some(memory) };
    let [held, of_data, memory] = [held, of_data, memory].map(text::bytes);
    let what = format!("data and buffers need {held} ({of_data} for the data), but the limit is {memory}");
    Error::usage(what).because(cause).advise(advice)
}

/// Checks, before anything is allocated, that buffers of this size fit in the limit and in the free memory.
///
/// # Errors
/// Usage errors with the memory needed.
pub fn check_memory(model: &Model, data: &Dataset, buffers: &MemoryRecord, limits: Limits) -> Result<()> {
    let needed = buffers.total() as u64;
    let held = needed + data.bytes() as u64;
    if let Some(memory) = limits.memory.filter(|&memory| memory < held) {
        return Err(too_much(held, data, memory, limits));
    }
    match machine::available_memory() {
        Some(available) if needed > available => {
            let gib = |bytes: u64| bytes as f64 / (1 << 30) as f64;
            let cause = Cause::TooLarge { needed, available: Some(available) };
            let (needed, available) = (gib(needed), gib(available));
            Err(Error::usage(format!("model `{model}` needs {needed:.1} GiB for weights, gradients and optimizer state, but {available:.1} GiB are free"))
                .because(cause)
                .advise("a smaller --model"))
        }
        _ => Ok(()),
    }
}
