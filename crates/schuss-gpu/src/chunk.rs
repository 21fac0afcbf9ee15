//! Samples and passes that are sent to the card together.

use crate::places::{Places, Targets};
use schuss::data::{Batch, Feed, Row};
use schuss::session::Judge;
use schuss::{Error, Result};
use std::ops::Range;

/// One run of the samples of an update, or of some of them, through the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// First sample within the chunk.
    pub(crate) first: usize,
    pub(crate) rows: usize,
    /// Update within the call.
    pub(crate) update: usize,
    pub(crate) begins_update: bool,
    pub(crate) ends_update: bool,
}

/// Samples of a chunk, as words for the card.
#[derive(Default)]
pub(crate) struct Samples {
    /// Index of every sample in the resident samples, or in `stored`.
    pub(crate) indices: Vec<u32>,
    /// Targets of every sample.
    pub(crate) targets: Vec<u32>,
    /// Classes, if targets are classes.
    pub(crate) classes: Vec<u32>,
    /// Samples as stored, unless they are resident.
    pub(crate) stored: Vec<u8>,
    /// Inputs of every sample, if they are asked for.
    pub(crate) inputs: Option<Vec<f32>>,
}

/// Samples that are read at once.
pub(crate) const READ: usize = 256;

impl Samples {
    /// Reads the samples at `positions` of a feed whose samples are on the card if they are `resident`.
    ///
    /// # Errors
    /// If samples cannot be read, or one has a class beyond the outputs.
    pub(crate) fn read(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        places: &Places,
        judge: &Judge,
        resident: bool,
    ) -> Result<()> {
        [&mut self.indices, &mut self.targets, &mut self.classes].into_iter().for_each(Vec::clear);
        self.stored.clear();
        self.inputs.iter_mut().for_each(Vec::clear);
        for first in positions.clone().step_by(READ) {
            let batch = feed.rows(first, READ.min(positions.end - first))?;
            (0..batch.len()).try_for_each(|row| self.take(&batch, row, places, judge, resident))?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        batch: &Batch,
        row: usize,
        places: &Places,
        judge: &Judge,
        resident: bool,
    ) -> Result<()> {
        if let Some(inputs) = &mut self.inputs {
            let before = inputs.len();
            inputs.resize(before + batch.features(), 0.0);
            batch.write(row, &mut inputs[before..]);
        }
        match batch.index(row).filter(|_| resident) {
            Some(index) => self.indices.push(index as u32),
            None => self.store(batch.row(row)),
        }
        match places.targets {
            Targets::Classes { .. } => {
                let (class, classes) = (batch.class(row).unwrap_or(0), places.output().width);
                if class as usize >= classes {
                    return Err(Error::data(format!(
                        "a sample is labelled {class}, but there are {classes} classes"
                    )));
                }
                self.classes.push(class);
                self.targets.push(class);
            }
            Targets::Numbers { width, .. } => {
                let mut numbers = vec![0.0; width];
                judge.write_targets(batch, row, &mut numbers);
                self.targets.extend(numbers.into_iter().map(f32::to_bits));
            }
            Targets::Inputs(_) => {}
        }
        Ok(())
    }

    fn store(&mut self, row: Row) {
        self.indices.push(self.indices.len() as u32);
        match row {
            Row::Bytes(bytes) => self.stored.extend_from_slice(bytes),
            Row::Floats(floats) => self.stored.extend(floats.iter().flat_map(|x| x.to_le_bytes())),
        }
    }

    /// Samples as stored, up to whole words.
    pub(crate) fn padded(&mut self) -> &[u8] {
        self.stored.resize(self.stored.len().next_multiple_of(4), 0);
        &self.stored
    }
}

/// Divides the updates at `positions` into passes, and these into chunks.
pub(crate) fn chunks(positions: Range<usize>, places: &Places) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = vec![];
    for (update, start) in positions.clone().step_by(places.samples).enumerate() {
        let end = positions.end.min(start + places.samples);
        for first in (start..end).step_by(places.rows) {
            let rows = places.rows.min(end - first);
            let (begins_update, ends_update) = (first == start, first + rows == end);
            let pass = Pass { first, rows, update, begins_update, ends_update };
            match chunks.last_mut().filter(|chunk| chunk.has_room(rows, places)) {
                Some(chunk) => chunk.add(pass),
                None => chunks
                    .push(Chunk { positions: first..first + rows, passes: vec![Pass { first: 0, ..pass }] }),
            }
        }
    }
    chunks
}

/// Passes over consecutive samples.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) positions: Range<usize>,
    pub(crate) passes: Vec<Pass>,
}

impl Chunk {
    fn has_room(&self, rows: usize, places: &Places) -> bool {
        self.positions.len() + rows <= places.chunk && self.passes.len() < places.passes
    }

    fn add(&mut self, pass: Pass) {
        self.passes.push(Pass { first: self.positions.len(), ..pass });
        self.positions.end += pass.rows;
    }
}
