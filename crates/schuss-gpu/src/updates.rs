//! Updates of a call: samples and numbers go up chunk by chunk, losses and counts come back.

use crate::chunk::{Chunk, chunks};
use crate::engine::Gpu;
use crate::places::Places;
use crate::program::{Program, check_knobs};
use crate::shader::{BEGINS, ROW_HEAD, TRAINING};
use crate::{support, trace};
use schuss::Result;
use schuss::data::Feed;
use schuss::optim::Updater;
use schuss::session::Tally;
use schuss_kernels::Buffer;
use std::ops::Range;

/// Passes that are queued together, so that the card begins while the host records the next.
const QUEUED: usize = 64;

/// Samples and weight of an update so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) tally: Tally,
    pub(crate) weight: f64,
}

impl Gpu {
    /// Runs the updates of a call, chunk by chunk, until a loss is not finite.
    pub(crate) fn updates(&mut self, feed: &mut Feed, positions: Range<usize>) -> Result<Vec<Seen>> {
        self.device.write_words(&self.buffers.first_bad, 0, &[u32::MAX]);
        let mut all = vec![Seen::default(); positions.len().div_ceil(self.places.samples)];
        for chunk in chunks(positions, &self.places) {
            let resident = self.buffers.resident.is_some();
            self.samples.read(feed, chunk.positions.clone(), &self.places, &self.judge, resident)?;
            self.send_samples();
            let shapes = self.send_table(&chunk, feed.epoch(), &mut all)?;
            self.queue(&chunk, &shapes, resident);
            self.count(&chunk, &mut all)?;
            if all.iter().any(|seen| !seen.tally.loss.is_finite()) {
                break;
            }
        }
        Ok(all)
    }

    /// Sends the samples that were read.
    pub(crate) fn send_samples(&mut self) {
        let Self { device, buffers, samples, places, .. } = self;
        device.write_words(&buffers.chunk, 0, &samples.indices);
        device.write_words(&buffers.chunk, places.chunk, &samples.targets);
        device.write(&buffers.staged, 0, samples.padded());
    }

    /// Sends a row of the table for every pass, and one for the gathering after them. Begins the updates of a chunk in
    /// the mirror of the optimizer; returns the shapes of their rules, pass by pass.
    fn send_table(&mut self, chunk: &Chunk, epoch: u32, all: &mut [Seen]) -> Result<Vec<Vec<u64>>> {
        let (mut table, mut shapes) = (vec![], vec![]);
        for pass in &chunk.passes {
            let seen = &mut all[pass.update];
            for row in pass.first..pass.first + pass.rows {
                seen.weight += self.samples.classes.get(row).map_or(1.0, |&class| self.judge.weight(class));
            }
            let count = if seen.weight == 0.0 { 1.0 } else { seen.weight as f32 };
            let head = [pass.rows as u32, pass.first as u32, pass.update as u32];
            let flags = TRAINING | if pass.begins_update { BEGINS } else { 0 };
            let position = (chunk.positions.start + pass.first) as u32;
            let mut row: Vec<u32> =
                head.into_iter().chain([flags, count.to_bits(), epoch, position]).collect();
            row.extend(self.program.loss_knobs.iter().map(|knob| knob.to_bits()));
            if pass.ends_update {
                self.mirror.updater.advance();
                let shape = knobs(&self.program, &self.places, &self.mirror.updater, &mut row)?;
                self.program.step(&self.device, &self.mirror.updater, &shape)?;
                shapes.push(shape);
            } else {
                shapes.push(vec![]);
            }
            row.resize(self.places.row_words, 0);
            table.extend(row);
        }
        table.extend([chunk.positions.len() as u32, 0, 0, TRAINING, 0, epoch, chunk.positions.start as u32]);
        self.device.write_words(&self.buffers.table, 0, &table);
        Ok(shapes)
    }

    /// Queues all passes of a chunk.
    fn queue(&mut self, chunk: &Chunk, shapes: &[Vec<u64>], resident: bool) {
        let passes: Vec<usize> = (0..chunk.passes.len()).collect();
        for queued in passes.chunks(QUEUED) {
            let mut encoder = self.device.encoder();
            let mut compute = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            compute.set_bind_group(0, self.buffers.bound(resident), &[]);
            if queued[0] == 0 {
                self.program.gather.run(&mut compute, chunk.passes.len() as u32, chunk.positions.len());
            }
            queued.iter().for_each(|&index| self.record(&mut compute, chunk, index, &shapes[index]));
            drop(compute);
            self.device.submit(encoder);
        }
        self.last_rows = chunk.passes.last().map_or(0, |pass| pass.rows);
    }

    fn record(&self, compute: &mut wgpu::ComputePass, chunk: &Chunk, index: usize, shapes: &[u64]) {
        let (pass, row, program) = (&chunk.passes[index], index as u32, &self.program);
        let stages = program.forward.iter().chain([&program.loss]).chain(&program.backward);
        let norms = program.norms.iter().filter(|_| pass.ends_update);
        let step = program.step_of(shapes).filter(|_| pass.ends_update);
        let all = stages.chain(&program.gradients).chain(norms).chain(step);
        all.for_each(|kernel| kernel.run(compute, row, pass.rows));
    }

    /// Adds the losses and counts of a chunk.
    fn count(&mut self, chunk: &Chunk, all: &mut [Seen]) -> Result<()> {
        let mut scores = vec![0.0; 2 * chunk.positions.len()];
        self.device.read(&self.buffers.scores, 0, &mut scores)?;
        let factor = self.judge.factors().map_or(1.0, |factors| factors[0]);
        for pass in &chunk.passes {
            for score in scores[2 * pass.first..2 * (pass.first + pass.rows)].chunks_exact(2) {
                let loss = f64::from(score[0]);
                all[pass.update].tally.count(loss * factor, loss, score[1] == 1.0);
            }
        }
        Ok(())
    }
}

/// Appends the knobs of the update begun last to a row of the table that holds its head and the knobs of the loss; returns
/// the shapes of all rules.
pub(crate) fn knobs(
    program: &Program,
    places: &Places,
    updater: &Updater<Buffer>,
    row: &mut Vec<u32>,
) -> Result<Vec<u64>> {
    let of_group = |(group, &entry): (usize, &usize)| {
        let mut numbers = vec![];
        let knobs = trace::rule_knobs(updater, entry, &mut numbers);
        let knobs = knobs.ok_or_else(|| support::refused("this optimizer, which looks at whole tensors,"))?;
        check_knobs(knobs.count)?;
        row.resize(ROW_HEAD + places.first_knob(group), 0);
        row.extend(numbers.into_iter().map(f32::to_bits));
        Ok(knobs.shape)
    };
    program.entries.iter().enumerate().map(of_group).collect()
}
