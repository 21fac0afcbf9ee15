//! Evaluation on the card: outputs come back, and the host compares them with the targets.

use crate::chunk::{Chunk, chunks};
use crate::engine::Gpu;
use crate::places::Targets;
use crate::shader::Rows;
use schuss::Result;
use schuss::data::Feed;
use schuss::metrics::{Metrics, Reconstructions};
use schuss::session::{Control, Judged};

impl Gpu {
    /// Returns the mean loss over all of `feed` and gives `metrics` losses and predictions; None if interrupted.
    ///
    /// # Errors
    /// If samples cannot be read, or the card fails.
    pub(crate) fn evaluate_all(
        &mut self,
        feed: &mut Feed,
        metrics: &mut Metrics,
        control: &Control,
    ) -> Result<Option<f64>> {
        self.send_shown();
        let (mut loss, mut weight) = (0.0, 0.0);
        for chunk in chunks(0..feed.len(), &self.places) {
            if control.interrupted() {
                return Ok(None);
            }
            let outputs = self.outputs(feed, &chunk)?;
            for row in 0..chunk.positions.len() {
                let class = self.samples.classes.get(row).copied().unwrap_or(0);
                let (target, outputs) = (self.target(row), self.row(&outputs, row));
                let of_sample = self.judge.loss(class, &target, outputs);
                let answered: Vec<f32> = match self.image {
                    Some(_) => outputs.iter().map(|&output| self.judge.answer(output)).collect(),
                    None => vec![],
                };
                let sample = Judged { class, target: &target, outputs, answered: &answered, loss: of_sample };
                self.judge.measure(metrics, &sample);
                loss += of_sample;
                weight += self.judge.weight(class);
            }
        }
        Ok(Some(loss / if weight == 0.0 { 1.0 } else { weight }))
    }

    /// Returns the first `count` samples of `feed` and their reconstructions, if they are images.
    ///
    /// # Errors
    /// If samples cannot be read, or the card fails.
    pub(crate) fn reconstruct(&mut self, feed: &mut Feed, count: usize) -> Result<Option<Reconstructions>> {
        let Some(shape) = self.image else { return Ok(None) };
        self.send_shown();
        let count = count.min(feed.len()).min(self.places.chunk);
        let noisy = self.is_noisy.then(Vec::new);
        let mut images = Reconstructions { shape, inputs: vec![], noisy, outputs: vec![] };
        for chunk in chunks(0..count, &self.places) {
            let outputs = self.outputs(feed, &chunk)?;
            for row in 0..chunk.positions.len() {
                images.inputs.push(self.target(row));
                if let Some(noisy) = &mut images.noisy {
                    noisy.push(self.noisy(row)?);
                }
                let answers = self.row(&outputs, row).iter().map(|&output| self.judge.answer(output));
                images.outputs.push(answers.collect());
            }
        }
        Ok(Some(images))
    }

    /// Returns the outputs for the samples of a chunk, pass after pass, with their padding.
    fn outputs(&mut self, feed: &mut Feed, chunk: &Chunk) -> Result<Vec<f32>> {
        self.samples.inputs = matches!(self.places.targets, Targets::Inputs(_)).then(Vec::new);
        self.samples.read(feed, chunk.positions.clone(), &self.places, &self.judge, false)?;
        self.send_samples();
        self.send_plain_table(chunk, feed.epoch());
        let rows = self.places.output();
        let mut outputs = vec![0.0; chunk.positions.len() * rows.stride];
        for (index, pass) in chunk.passes.iter().enumerate() {
            self.queue_forward(chunk, index);
            let to = &mut outputs[pass.first * rows.stride..][..pass.rows * rows.stride];
            let first = if rows.of_chunk { pass.first } else { 0 };
            self.device.read(&self.buffers.arena, rows.at + first * rows.stride, to)?;
        }
        Ok(outputs)
    }

    /// Sends a row of the table for every pass, and one for the gathering.
    fn send_plain_table(&self, chunk: &Chunk, epoch: u32) {
        let words = self.places.row_words;
        let mut table = vec![0; (chunk.passes.len() + 1) * words];
        for (row, pass) in table.chunks_exact_mut(words).zip(&chunk.passes) {
            row[..2].copy_from_slice(&[pass.rows as u32, pass.first as u32]);
        }
        let last = &mut table[chunk.passes.len() * words..];
        last[0] = chunk.positions.len() as u32;
        last[5..7].copy_from_slice(&[epoch, chunk.positions.start as u32]);
        self.device.write_words(&self.buffers.table, 0, &table);
        self.device.write_words(&self.buffers.first_bad, 0, &[u32::MAX]);
    }

    /// Queues the forward pass of a part of a chunk, after gathering it all before the first.
    fn queue_forward(&mut self, chunk: &Chunk, index: usize) {
        let mut encoder = self.device.encoder();
        let mut compute = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        compute.set_bind_group(0, self.buffers.bound(false), &[]);
        if index == 0 {
            self.program.gather.run(&mut compute, chunk.passes.len() as u32, chunk.positions.len());
        }
        let rows = chunk.passes[index].rows;
        self.program.forward.iter().for_each(|kernel| kernel.run(&mut compute, index as u32, rows));
        drop(compute);
        self.device.submit(encoder);
        self.last_rows = rows;
    }

    /// Outputs of a sample, without padding.
    fn row<'a>(&self, outputs: &'a [f32], row: usize) -> &'a [f32] {
        let Rows { stride, width, .. } = self.places.output();
        &outputs[row * stride..][..width]
    }

    /// Inputs of a sample of the chunk as the network sees them.
    fn noisy(&self, row: usize) -> Result<Vec<f32>> {
        let Rows { at, width, stride, .. } = self.places.inputs;
        let mut inputs = vec![0.0; width];
        self.device.read(&self.buffers.arena, at + row * stride, &mut inputs)?;
        Ok(inputs)
    }

    /// Targets of a sample in the scale of the outputs, unless they are classes.
    fn target(&self, row: usize) -> Vec<f32> {
        let width = self.plan.outputs;
        match (&self.samples.inputs, self.places.targets) {
            (Some(inputs), _) => inputs[row * width..][..width].to_vec(),
            (None, Targets::Numbers { .. }) => {
                let words = &self.samples.targets[row * width..][..width];
                words.iter().map(|&word| f32::from_bits(word)).collect()
            }
            _ => vec![],
        }
    }

    /// Returns the first layer whose outputs for the last samples are not finite.
    pub(crate) fn first_non_finite_output(&self) -> Option<String> {
        let stages = self.plan.stages().iter().zip(&self.places.outputs);
        for (stage, rows) in stages.filter(|(_, rows)| !rows.of_chunk) {
            let mut outputs = vec![0.0; self.last_rows * rows.stride];
            self.device.read(&self.buffers.arena, rows.at, &mut outputs).ok()?;
            if outputs.iter().any(|output| !output.is_finite()) {
                return Some(stage.layer().to_string());
            }
        }
        None
    }
}
