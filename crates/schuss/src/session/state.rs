//! All that a session needs to go on to the same bits, written down and read back.

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

impl Session<'_> {
    /// Has the trial kept.
    pub(super) fn checkpoint(&mut self, sink: &mut dyn Sink) -> Result<()> {
        sink.checkpoint(self)?;
        self.kept = Instant::now();
        Ok(())
    }

    /// The weights with the lowest evaluation loss, if they have changed since they were asked for.
    pub fn new_best(&mut self) -> Option<&Params> {
        let is_new = std::mem::take(&mut self.best_is_new);
        self.best.as_ref().filter(|_| is_new)
    }

    /// Whether there are weights with the lowest evaluation loss yet.
    pub(crate) fn has_best(&self) -> bool {
        self.best.is_some()
    }

    /// Writes them down, or reads them back. Their file may be ahead of a checkpoint or behind it, so they are new then.
    pub(crate) fn code_best(&mut self, codec: &mut StateCodec) -> std::io::Result<()> {
        if codec.loads() {
            (self.best, self.best_is_new) = (Some(self.engine.params().clone()), true);
        }
        self.best.as_mut().map_or(Ok(()), |best| codec.words(best.values_mut()))
    }

    /// Writes down all that the trial needs to go on to the same bits.
    ///
    /// # Errors
    /// What `to` reports.
    pub fn save(&mut self, mut to: &mut dyn Write) -> std::io::Result<()> {
        self.code(&mut StateCodec::Save(&mut to))
    }

    /// Reads back what [`save`](Self::save) wrote of the same trial on the same data.
    ///
    /// # Errors
    /// If `from` ends early, or is of another trial; the session is then of no use any more.
    pub fn load(&mut self, mut from: &mut dyn Read) -> std::io::Result<()> {
        self.code(&mut StateCodec::Load(&mut from))?;
        (self.best, self.best_is_new) = (None, false);
        self.engine.settle();
        if self.is_at_copy() {
            self.copy = self.engine.snapshot();
        }
        self.go_on_if_extended();
        let Progress { position, updates, samples, .. } = self.progress;
        let counts = updates.max(samples) < MOST_COUNTED;
        let fits = counts && position <= self.train.len() && self.engine.is_at(position, self.train.len());
        if fits { Ok(()) } else { Err(std::io::Error::other("it is at no place in the data")) }
    }

    /// Whether weights and state are those of the last report point, so that no copy of these is needed.
    fn is_at_copy(&self) -> bool {
        self.progress.reported[0] == self.progress.updates && !self.engine.is_within_update()
    }

    /// A trial that used up its epochs goes on where it is now given more.
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

    /// Hash of weights and optimizer state: 128-bit XXH3, as 32 hex digits.
    pub fn digest(&mut self) -> String {
        self.engine.settle();
        let mut hash = Xxh3::new();
        match self.engine.code_trained(&mut StateCodec::Save(&mut hash)) {
            Ok(()) => format!("{:032x}", hash.digest128()),
            Err(_) => String::new(), // a hash takes anything
        }
    }
}

impl State for Session<'_> {
    fn code(&mut self, codec: &mut StateCodec) -> std::io::Result<()> {
        (self.progress.wall_seconds, self.began) = (self.elapsed(), Instant::now());
        codec.json(&mut self.progress)?;
        self.engine.code(codec)?;
        if self.is_at_copy() { Ok(()) } else { self.copy.code(codec) }
    }
}

/// More updates or samples than can ever be counted.
const MOST_COUNTED: u64 = 1 << 53;
