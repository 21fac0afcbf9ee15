//! Evaluation of samples: loss, predictions and metrics.

use super::passes::{Passes, divisor};
use crate::Result;
use crate::metrics::{Metrics, Reconstructions};
use crate::network::{Mode, Weights};
use crate::session::tally::Tally;
use crate::session::{Control, Judged};
use schuss_data::Feed;
use schuss_data::random::Purpose;

impl Passes {
    /// Returns the mean loss over all of `feed`, in evaluation mode and in the feed's own order, and gives `metrics`
    /// their losses and predictions; None if `control` is interrupted.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn evaluate(
        &mut self,
        feed: &mut Feed,
        metrics: &mut Metrics,
        control: &Control,
    ) -> Result<Option<f64>> {
        let (mut tally, mut weight) = (Tally::default(), 0.0);
        for first in (0..feed.len()).step_by(self.sizes.capacity) {
            if control.interrupted() {
                return Ok(None);
            }
            let rows = self.sizes.capacity.min(feed.len() - first);
            self.gather(feed, first, rows, Purpose::EvaluationNoise)?;
            self.add_weights(rows, &mut weight);
            self.forward(rows, None, &mut tally);
            if metrics.task().image.is_some() {
                self.predict(rows);
            }
            (0..rows).for_each(|row| self.measure(metrics, row));
        }
        Ok(Some(tally.loss / divisor(weight)))
    }

    /// Gives `metrics` the loss of an evaluated sample and the predictions for it.
    fn measure(&self, metrics: &mut Metrics, row: usize) {
        let Self { arena, plan, setting, .. } = self;
        let has_images = metrics.task().image.is_some();
        let sample = Judged {
            class: arena.labels[row],
            target: if setting.targets.is_class() { &[] } else { arena.target(plan, row) },
            outputs: arena.output(plan, row),
            answered: if has_images { arena.answered(plan, row) } else { &[] },
            loss: self.loss_in_units(row),
        };
        setting.judge.measure(metrics, &sample);
    }

    /// Returns the first `count` samples of `feed` and their reconstructions, evaluated as usual, if they are images.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn reconstructions(
        &mut self,
        feed: &mut Feed,
        count: usize,
    ) -> Result<Option<Reconstructions>> {
        let Some(shape) = self.setting.reconstructed else { return Ok(None) };
        let rows = count.min(feed.len()).min(self.sizes.capacity);
        self.gather(feed, 0, rows, Purpose::EvaluationNoise)?;
        self.forward(rows, None, &mut Tally::default());
        self.predict(rows);
        let Self { arena, plan, setting, .. } = self;
        let of = |image: &dyn Fn(usize) -> Vec<f32>| (0..rows).map(image).collect();
        Ok(Some(Reconstructions {
            shape,
            inputs: of(&|row| arena.target(plan, row).to_vec()),
            noisy: setting.noise.is_some().then(|| of(&|row| arena.input(plan, row).to_vec())),
            outputs: of(&|row| arena.answered(plan, row).to_vec()),
        }))
    }

    /// Computes batch statistics for averaged weights, like PyTorch's `update_bn`: plain means over the first groups of
    /// epoch 0, at most [`MOST_GROUPS`].
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn measure_statistics(&mut self, feed: &mut Feed) -> Result<()> {
        let stats = self.sizes.stats;
        let samples = feed.len().min(MOST_GROUPS * stats);
        let at_once = (self.sizes.capacity / stats).max(1) * stats;
        feed.begin(0);
        for first in (0..samples).step_by(at_once) {
            let rows = at_once.min(samples - first);
            self.gather(feed, first, rows, Purpose::Noise)?;
            let mode = Mode { plain_means: true, ..self.training(0, first) };
            let Some(shown) = &mut self.shown else { return Ok(()) };
            let weights = Weights::Training(shown.values_mut(), &mode);
            self.arena.forward(&mut self.team, &self.plan, weights, rows);
        }
        Ok(())
    }

    /// Computes predictions from the outputs of evaluated samples.
    fn predict(&mut self, rows: usize) {
        let answer = self.setting.loss.answer(self.setting.targets);
        self.arena.answer(&mut self.team, &self.plan, rows, answer);
    }
}

/// Maximum number of groups for the batch statistics of averaged weights.
const MOST_GROUPS: usize = 256;
