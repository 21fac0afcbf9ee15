//! Boundary between a session and the processor that carries out its updates.

use super::control::{Control, Watch};
use super::tally::Tally;
use crate::Result;
use crate::instrument::Probe;
use crate::metrics::{Metrics, Reconstructions};
use crate::network::Params;
use crate::record::MemoryRecord;
use crate::state::StateCodec;
use schuss_data::Feed;
use std::io;
use std::ops::Range;

/// Weights, optimizer state and buffers of one trial on one processor, which carries out its updates and evaluations.
///
/// [`Cpu`](super::Cpu) is the engine of [`Session::new`](super::Session::new); another one is given to
/// [`Session::with_engine`](super::Session::with_engine). Sample order, epochs, budgets, clocks, events and checkpoints
/// are the session's.
///
/// # Calls
/// - A session calls its engine from the thread that runs it, never from two threads at a time. An engine may use
///   threads of its own, which must be idle when a method returns.
/// - During an epoch the session calls only [`advance`](Self::advance), once per microbatch or block of updates, while
///   the clock runs; everything else happens at report points, while the clock stands, and, if an instrument compares
///   weights, before the last update of an epoch.
/// - [`settle`](Self::settle) comes before `evaluate`, `probe`, `params`, `keep`, `trained_state` and `is_finite`; they see
///   weights and state as of the last update.
/// - What an engine computes is determined by the trial, at a given [`arithmetic`](Self::arithmetic); limits may change
///   its speed and its memory, never a bit of its results or of its state.
/// - An error means that samples could not be read, or that the processor failed. The session then ends; it can be resumed
///   from a checkpoint.
pub trait Engine: Send {
    /// Runs updates on the samples of `feed` from `positions.start` on, and appends the tally of each to `seen`: at
    /// least one update and at most [`at_once`](Self::at_once), none beyond `positions.end`. The last update of a
    /// stretch takes the rest of the samples.
    ///
    /// If `watch` stops the first update, nothing is appended, and the next call continues that update. After a loss
    /// that is not finite no further update is run.
    ///
    /// # Errors
    /// If samples cannot be read; the update is then as if it had not begun.
    fn advance(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()>;

    /// Brings weights and optimizer state up to date with the last update. If `samples` are given, the averaged weights
    /// get batch statistics over the first of them.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn settle(&mut self, samples: Option<&mut Feed>) -> Result<()>;

    /// Returns true if `settle` needs training samples for batch statistics of averaged weights.
    fn needs_statistics(&self) -> bool;

    /// Returns the mean loss over all of `feed`, in evaluation mode and in the feed's own order, and gives `metrics` the
    /// loss of each sample and the predictions that their task asks for; None if `control` is interrupted. Without the
    /// losses, rises of the mean are taken as they are, however few samples they rest on.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn evaluate(&mut self, feed: &mut Feed, metrics: &mut Metrics, control: &Control) -> Result<Option<f64>>;

    /// Returns the first `count` samples of `feed` and their reconstructions; None unless the network is an autoencoder
    /// of images.
    ///
    /// # Errors
    /// If samples cannot be read.
    fn reconstructions(&mut self, feed: &mut Feed, count: usize) -> Result<Option<Reconstructions>>;

    /// Passes the evaluation loss at the end of an epoch to schedules that wait for a plateau.
    fn observe(&mut self, eval_loss: f64);

    /// Returns the weights for evaluation and model files.
    fn params(&self) -> &Params;

    /// Returns true if all weights are finite; an activation may hide a non-finite weight from the loss.
    fn is_finite(&self) -> bool;

    /// Returns the first layer that is not finite: by its outputs for the last samples, otherwise by its weights.
    fn first_non_finite(&self) -> String;

    /// Copies weights and optimizer state, which are all finite.
    fn keep(&mut self);

    /// Restores the copy.
    fn restore(&mut self);

    /// Saves or loads everything later updates depend on, and the copy: the same for any limits.
    ///
    /// # Errors
    /// If the stream fails, or the state belongs to another trial.
    fn state(&mut self, codec: &mut StateCodec) -> io::Result<()>;

    /// Saves weights and optimizer state alone, for a hash of them.
    ///
    /// # Errors
    /// If the stream fails.
    fn trained_state(&mut self, codec: &mut StateCodec) -> io::Result<()>;

    /// Returns true if the loaded state can continue at `position` of an epoch of `len` samples.
    fn is_at(&self, position: usize, len: usize) -> bool;

    /// Maximum number of samples read at once, and of updates per call of `advance`.
    fn at_once(&self) -> usize;

    /// Number of bytes of all buffers, by a formula that also serves to refuse a trial beforehand; `data` is 0.
    fn memory(&self) -> MemoryRecord;

    /// Name of the update strategy, for records.
    fn strategy(&self) -> &'static str;

    /// Name of the arithmetic, which together with the trial fixes every bit.
    fn arithmetic(&self) -> &str;

    /// Uses so many threads from now on, if it has threads.
    ///
    /// # Errors
    /// If they cannot be started.
    fn set_threads(&mut self, _threads: usize) -> Result<()> {
        Ok(())
    }

    /// Returns measurements for instruments, which come after [`settle`](Self::settle); None if the engine has none.
    fn probe(&mut self) -> Option<&mut dyn Probe> {
        None
    }

    /// Number of evaluations of the loss over an update's samples so far, if a solver makes them.
    fn evaluations(&self) -> Option<u64> {
        None
    }
}
