//! Evaluation of samples: gathering, the forward pass, loss and predictions.

use super::{Engine, Setting, divisor};
use crate::loss::Answer;
use crate::loss::Targets;
use crate::metrics::{Deviation, Sums};
use crate::metrics::{Quality, Reconstructions};
use crate::network::{Arena, Mode};
use crate::record::{DeviationRecord, Evaluation};
use crate::session::tally::Tally;
use schuss_data::Feed;
use schuss_data::random::{Key, Purpose};
use schuss_kernels::matrix::{Matrix, MatrixMut};

impl Engine {
    /// Adds the weight of the gathered samples to `sum`, the divisor of sums over samples: their number, or their class
    /// weights, added one by one so that the sum does not depend on the microbatch.
    pub(in crate::session) fn add_weights(&self, rows: usize, sum: &mut f64) {
        match self.setting.targets {
            Targets::Class if !self.setting.loss.is_fused() => {
                let labels = self.arena.labels[..rows].iter();
                labels.for_each(|&label| *sum += self.setting.loss.weight(label as usize));
            }
            _ => *sum += rows as f64,
        }
    }

    /// Gathers samples, keeps them as targets for autoencoders, and applies noise drawn for `purpose`.
    pub(in crate::session) fn gather(
        &mut self,
        feed: &mut Feed,
        first: usize,
        rows: usize,
        purpose: Purpose,
    ) -> crate::Result<()> {
        let epoch = feed.epoch();
        self.arena.gather(&mut self.team, &self.plan, &feed.rows(first, rows)?)?;
        if let Some(noise) = &self.setting.noise {
            let key = Key { seed: self.setting.seed, purpose, epoch };
            self.arena.disturb(&mut self.team, noise, key, first, rows, self.plan.inputs);
        }
        Ok(())
    }

    /// Returns true if the weights for evaluation are averages, whose batch statistics are not those of training.
    pub(crate) fn needs_own_statistics(&self) -> bool {
        self.shown.is_some() && self.plan.layout.measured().next().is_some()
    }

    /// Computes batch statistics for averaged weights, like PyTorch's `update_bn`: plain means over the first groups of
    /// epoch 0, at most [`MOST_GROUPS`].
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(crate) fn measure_statistics(&mut self, feed: &mut Feed) -> crate::Result<()> {
        let stats = self.setting.stats;
        let samples = feed.len().min(MOST_GROUPS * stats);
        let at_once = (self.arena.labels.len() / stats).max(1) * stats;
        feed.begin(0);
        for first in (0..samples).step_by(at_once) {
            let rows = at_once.min(samples - first);
            self.gather(feed, first, rows, Purpose::Noise)?;
            let mode = Mode { seed: self.setting.seed, epoch: 0, first, stats, plain_means: true };
            let Some(shown) = &mut self.shown else { return Ok(()) };
            self.arena.forward(&mut self.team, &self.plan, shown.values_mut(), rows, Some(&mode));
        }
        Ok(())
    }

    /// Returns loss and accuracy over all of `feed`, in evaluation mode and in the feed's own order; None if cancelled.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(crate) fn evaluate(
        &mut self,
        feed: &mut Feed,
        cancelled: impl Fn() -> bool,
    ) -> crate::Result<Option<Evaluation>> {
        let (mut tally, mut weight) = (Tally::default(), 0.0);
        let mut quality = self.quality.clone();
        let mut sums = self.predicts_numbers().then(|| Sums::new(self.plan.outputs));
        let capacity = self.arena.labels.len();
        self.forget_answers();
        for first in (0..feed.len()).step_by(capacity) {
            if cancelled() {
                return Ok(None);
            }
            let rows = capacity.min(feed.len() - first);
            self.gather(feed, first, rows, Purpose::EvaluationNoise)?;
            self.add_weights(rows, &mut weight);
            self.evaluate_rows(rows, None, &mut tally);
            self.count_answers(rows);
            if let Some(quality) = &mut quality {
                self.answer(rows);
                (0..rows).for_each(|row| {
                    quality.take(self.arena.target(&self.plan, row), self.arena.answered(&self.plan, row))
                });
            }
            if let Some(sums) = &mut sums {
                for row in 0..rows {
                    let asked = self.arena.numbers(self.arena.target(&self.plan, row));
                    sums.take(&asked, &self.arena.numbers(self.arena.output(&self.plan, row)));
                }
            }
        }
        let (classes, labels) = (self.setting.targets == Targets::Class, self.label_scores());
        Ok(Some(Evaluation {
            loss: tally.loss / divisor(weight),
            accuracy: classes
                .then(|| tally.correct as f64 / tally.samples as f64)
                .or(labels.as_ref().map(|labels| labels.accuracy)),
            chance: self.chance(labels.as_ref()),
            only_class: self.only_class(),
            labels: labels.as_ref().map(Into::into),
            reconstruction: quality.map(|quality| quality.mean()),
            deviation: sums
                .and_then(|sums| sums.mean())
                .map(|Deviation { mae, r2, .. }| DeviationRecord { mae, r2 }),
        }))
    }

    /// Returns true if outputs are numeric predictions, not logits.
    fn predicts_numbers(&self) -> bool {
        let Setting { loss, targets, .. } = &self.setting;
        *targets == Targets::Real && loss.answer(*targets) == Answer::AsItIs
    }

    /// Returns the first `count` samples of `feed` and their reconstructions, evaluated as usual, if they are images.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(crate) fn reconstructions(
        &mut self,
        feed: &mut Feed,
        count: usize,
    ) -> crate::Result<Option<Reconstructions>> {
        let Some(shape) = self.quality.as_ref().map(Quality::shape) else { return Ok(None) };
        let plan = self.plan.clone();
        let rows = count.min(feed.len()).min(self.arena.labels.len());
        self.gather(feed, 0, rows, Purpose::EvaluationNoise)?;
        self.evaluate_rows(rows, None, &mut Tally::default());
        self.answer(rows);
        let of = |image: &dyn Fn(usize) -> Vec<f32>| (0..rows).map(image).collect();
        Ok(Some(Reconstructions {
            shape,
            inputs: of(&|row| self.arena.target(&plan, row).to_vec()),
            noisy: self.setting.noise.is_some().then(|| of(&|row| self.arena.input(&plan, row).to_vec())),
            outputs: of(&|row| self.arena.answered(&plan, row).to_vec()),
        }))
    }

    /// Computes predictions from the outputs of evaluated samples.
    fn answer(&mut self, rows: usize) {
        let answer = self.setting.loss.answer(self.setting.targets);
        self.arena.answer(&mut self.team, &self.plan, rows, answer);
    }

    /// Runs the forward pass and the loss of the gathered samples, in training mode if `mode` is given; leaves the
    /// gradient at the outputs in `deltas[0]`.
    pub(in crate::session) fn evaluate_rows(&mut self, rows: usize, mode: Option<&Mode>, tally: &mut Tally) {
        match (mode, &mut self.shown) {
            (None, Some(shown)) => {
                self.arena.forward(&mut self.team, &self.plan, shown.values_mut(), rows, mode)
            }
            _ => self.arena.forward(&mut self.team, &self.plan, self.params.values_mut(), rows, mode),
        }
        let width = self.plan.outputs;
        let Arena { input, outputs, deltas, labels, scores, targets, .. } = &mut self.arena;
        let targets = targets.as_ref().map(|targets| Matrix::new(targets, rows, width));
        let outputs = Matrix::new(outputs.last().unwrap_or(input), rows, width);
        self.setting.loss.compute(
            &mut self.team,
            outputs,
            &labels[..rows],
            targets,
            MatrixMut::new(&mut deltas[0], rows, width),
            &mut scores[..rows],
        );
        let Setting { loss, factors, .. } = &self.setting;
        match (factors, targets) {
            (Some(factors), Some(targets)) => {
                for (row, score) in scores[..rows].iter().enumerate() {
                    tally.count_one(*score, loss.in_units(outputs.row(row), targets.row(row), factors));
                }
            }
            _ => tally.count(&scores[..rows]),
        }
    }
}

/// Maximum number of groups for the batch statistics of averaged weights.
const MOST_GROUPS: usize = 256;
