//! Saving and loading everything a session needs to continue to the same bits.

use super::progress::Progress;
use super::{Session, Sink};
use crate::Result;
use crate::network::Params;
use crate::recipe::Budget;
use crate::record::Status;
use crate::state::{State, StateCodec};
use std::io::{Read, Write};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3;

impl Session {
    /// Saves a checkpoint.
    pub(super) fn checkpoint(&mut self, sink: &mut dyn Sink) -> Result<()> {
        sink.checkpoint(self)?;
        self.kept = Instant::now();
        Ok(())
    }

    /// Returns the weights with the lowest evaluation loss, if they have changed since the last call.
    pub fn new_best(&mut self) -> Option<&Params> {
        let is_new = std::mem::take(&mut self.best_is_new);
        self.best.as_ref().filter(|_| is_new)
    }

    /// Returns true if there are weights with the lowest evaluation loss yet.
    pub(crate) fn has_best(&self) -> bool {
        self.best.is_some()
    }

    /// Saves or loads the best weights. Their file may be ahead of the checkpoint or behind it, so loaded weights count
    /// as changed.
    pub(crate) fn code_best(&mut self, codec: &mut StateCodec) -> std::io::Result<()> {
        if codec.loads() {
            (self.best, self.best_is_new) = (Some(self.engine.params().clone()), true);
        }
        self.best.as_mut().map_or(Ok(()), |best| codec.words(best.values_mut()))
    }

    /// Saves everything the trial needs to continue to the same bits.
    ///
    /// # Errors
    /// If writing to `to` fails.
    pub fn save(&mut self, mut to: &mut dyn Write) -> std::io::Result<()> {
        self.code(&mut StateCodec::Save(&mut to))
    }

    /// Loads the state that [`save`](Self::save) wrote for the same trial and the same data.
    ///
    /// # Errors
    /// If `from` ends early or belongs to another trial; the session can then no longer be used.
    pub fn load(&mut self, mut from: &mut dyn Read) -> std::io::Result<()> {
        self.code(&mut StateCodec::Load(&mut from))?;
        (self.best, self.best_is_new) = (None, false);
        self.go_on_if_extended();
        let Progress { position, updates, samples, .. } = self.progress;
        let counts = updates.max(samples) < MOST_COUNTED;
        let fits = counts && position <= self.train.len() && self.engine.is_at(position, self.train.len());
        if fits { Ok(()) } else { Err(std::io::Error::other("its position does not match the data")) }
    }

    /// Continues a trial that used up its epochs, if it is now given more.
    fn go_on_if_extended(&mut self) {
        let Budget { epochs, max_updates, .. } = self.trial.budget;
        let Progress { epoch, updates, ended, .. } = &mut self.progress;
        if *ended == Some(Status::Finished)
            && *epoch < epochs
            && max_updates.is_none_or(|most| *updates < most)
        {
            *ended = None;
        }
    }

    /// Returns the hash of weights and optimizer state: 128-bit XXH3, as 32 hex digits.
    pub fn digest(&mut self) -> String {
        let mut hash = Xxh3::new();
        let settled = self.engine.settle(None).map_err(std::io::Error::other);
        match settled.and_then(|()| self.engine.trained_state(&mut StateCodec::Save(&mut hash))) {
            Ok(()) => format!("{:032x}", hash.digest128()),
            Err(_) => String::new(), // nothing is read, and writing to a hash never fails
        }
    }
}

impl State for Session {
    fn code(&mut self, codec: &mut StateCodec) -> std::io::Result<()> {
        self.stop_clock();
        codec.json(&mut self.progress)?;
        self.engine.state(codec)
    }
}

/// Number of updates or samples that no trial reaches.
const MOST_COUNTED: u64 = 1 << 53;
