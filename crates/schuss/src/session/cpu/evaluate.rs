//! Evaluation of samples: loss, predictions and metrics.

use super::answers::Answers;
use super::passes::{Passes, Setting, divisor};
use crate::Result;
use crate::loss::{Answer, Targets};
use crate::metrics::{Deviation, Quality, Reconstructions, Sums};
use crate::network::Mode;
use crate::recipe::Trial;
use crate::record::{DeviationRecord, Evaluation};
use crate::session::tally::Tally;
use crate::session::{Control, Evaluated};
use schuss_data::random::Purpose;
use schuss_data::{Dataset, Feed};

/// Metrics of a trial's evaluations.
pub(super) struct Scores {
    /// Quality of reconstructions, if the network is an autoencoder of images.
    quality: Option<Quality>,
    /// Predictions counted in the last evaluation.
    answers: Answers,
    /// Names of the labels of a multi-label task.
    labels: Vec<String>,
}

impl Scores {
    /// Creates the metrics of a trial on `data` with `outputs` outputs.
    pub(super) fn of(trial: &Trial, data: &Dataset, outputs: usize) -> Self {
        Self {
            quality: data.shape.image().filter(|_| trial.targets == Targets::Input).map(Quality::new),
            answers: Answers::of(trial, data, outputs),
            labels: data.labels.clone(),
        }
    }

    /// Returns loss and metrics over all of `feed`, in evaluation mode and in the feed's own order; None if `control` is
    /// interrupted.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn evaluate(
        &mut self,
        passes: &mut Passes,
        feed: &mut Feed,
        control: &Control,
    ) -> Result<Option<Evaluated>> {
        let (mut tally, mut weight) = (Tally::default(), 0.0);
        let mut quality = self.quality.clone();
        let mut sums = passes.predicts_numbers().then(|| Sums::new(passes.plan.outputs));
        self.answers.clear(passes.plan.outputs);
        for first in (0..feed.len()).step_by(passes.sizes.capacity) {
            if control.interrupted() {
                return Ok(None);
            }
            let rows = passes.sizes.capacity.min(feed.len() - first);
            passes.gather(feed, first, rows, Purpose::EvaluationNoise)?;
            passes.add_weights(rows, &mut weight);
            passes.forward(rows, None, &mut tally);
            self.answers.count(&passes.arena, &passes.plan, rows);
            quality.iter_mut().for_each(|quality| passes.add_quality(quality, rows));
            sums.iter_mut().for_each(|sums| passes.add_deviations(sums, rows));
        }
        let labels = self.answers.label_scores(&self.labels);
        let accuracy = match passes.setting.targets {
            Targets::Class => Some(tally.correct as f64 / tally.samples as f64),
            _ => labels.as_ref().map(|labels| labels.accuracy),
        };
        let deviation = sums.and_then(|sums| sums.mean());
        let evaluation = Evaluation {
            loss: tally.loss / divisor(weight),
            accuracy,
            chance: self.answers.chance(labels.as_ref()),
            only_class: self.answers.only_class(),
            labels: labels.as_ref().map(Into::into),
            reconstruction: quality.map(|quality| quality.mean()),
            deviation: deviation.map(|Deviation { mae, r2, .. }| DeviationRecord { mae, r2 }),
        };
        Ok(Some(Evaluated { evaluation, labels }))
    }

    /// Returns the first `count` samples of `feed` and their reconstructions, evaluated as usual, if they are images.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(super) fn reconstructions(
        &self,
        passes: &mut Passes,
        feed: &mut Feed,
        count: usize,
    ) -> Result<Option<Reconstructions>> {
        let Some(shape) = self.quality.as_ref().map(Quality::shape) else { return Ok(None) };
        let rows = count.min(feed.len()).min(passes.sizes.capacity);
        passes.gather(feed, 0, rows, Purpose::EvaluationNoise)?;
        passes.forward(rows, None, &mut Tally::default());
        passes.predict(rows);
        let Passes { arena, plan, setting, .. } = passes;
        let of = |image: &dyn Fn(usize) -> Vec<f32>| (0..rows).map(image).collect();
        Ok(Some(Reconstructions {
            shape,
            inputs: of(&|row| arena.target(plan, row).to_vec()),
            noisy: setting.noise.is_some().then(|| of(&|row| arena.input(plan, row).to_vec())),
            outputs: of(&|row| arena.answered(plan, row).to_vec()),
        }))
    }
}

impl Passes {
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
            self.arena.forward(&mut self.team, &self.plan, shown.values_mut(), rows, Some(&mode));
        }
        Ok(())
    }

    /// Returns true if outputs are numeric predictions, not logits.
    fn predicts_numbers(&self) -> bool {
        let Setting { loss, targets, .. } = &self.setting;
        *targets == Targets::Real && loss.answer(*targets) == Answer::AsItIs
    }

    /// Computes predictions from the outputs of evaluated samples.
    fn predict(&mut self, rows: usize) {
        let answer = self.setting.loss.answer(self.setting.targets);
        self.arena.answer(&mut self.team, &self.plan, rows, answer);
    }

    /// Adds the quality of the reconstructions of evaluated samples.
    fn add_quality(&mut self, quality: &mut Quality, rows: usize) {
        self.predict(rows);
        let Self { arena, plan, .. } = self;
        (0..rows).for_each(|row| quality.take(arena.target(plan, row), arena.answered(plan, row)));
    }

    /// Adds the deviations of numbers predicted for evaluated samples, in the units of the data.
    fn add_deviations(&self, sums: &mut Sums, rows: usize) {
        let Self { arena, plan, .. } = self;
        for row in 0..rows {
            let asked = arena.numbers(arena.target(plan, row));
            sums.take(&asked, &arena.numbers(arena.output(plan, row)));
        }
    }
}

/// Maximum number of groups for the batch statistics of averaged weights.
const MOST_GROUPS: usize = 256;
