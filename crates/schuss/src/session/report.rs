//! Report points of a session, and the end of a trial.

use super::tally::Tally;
use super::{Event, Session, Sink};
use crate::Result;
use crate::metrics::LossGroups;
use crate::recipe::{Condition, Metric};
use crate::record::{Best, Divergence, EpochRecord, Evaluation, EvaluationPoint, Status};
use std::collections::BTreeMap;
use std::time::Instant;

impl Session {
    /// Reports the evaluation and, at its end, the epoch; returns the status if the trial has ended.
    pub(super) fn report(
        &mut self,
        evaluation: Evaluation,
        losses: Option<LossGroups>,
        sink: &mut dyn Sink,
    ) -> Result<Option<Status>> {
        self.engine.keep();
        self.progress.reported = [self.progress.updates, self.progress.samples];
        self.progress.evaluation = Some(evaluation.clone());
        self.progress.evaluation_is_due = false;
        let mut point = self.point(&evaluation);
        point.rise_error = self.compare_with_best(&point, evaluation.loss, losses);
        sink.take(&Event::Evaluation(&point))?;
        let ended = self.ended(&point);
        let end_of_epoch = point.epoch == 0 || self.progress.position == self.train.len();
        if point.epoch > 0 && end_of_epoch {
            self.engine.observe(evaluation.loss);
        }
        if end_of_epoch || ended.is_some() {
            self.close_epoch(Some(evaluation), sink)?;
        }
        self.progress.ended = ended;
        let is_due = self.cadence.is_at_epoch(point.epoch, self.kept.elapsed());
        let keep = point.epoch > 0 && end_of_epoch && is_due;
        if keep && ended.is_none() || self.cadence.falls_on(point.updates) {
            self.checkpoint(sink)?;
        }
        Ok(ended)
    }

    /// Copies the weights if their evaluation loss is the lowest so far; otherwise returns the standard error of its
    /// rise, if the losses of the samples are known.
    fn compare_with_best(
        &mut self,
        point: &EvaluationPoint,
        loss: f64,
        losses: Option<LossGroups>,
    ) -> Option<f64> {
        if self.progress.best.is_some_and(|best| best.eval_loss <= loss) {
            return losses?.error_of_difference(&self.progress.lowest_losses);
        }
        self.progress.best = Some(Best { epoch: point.epoch, updates: point.updates, eval_loss: loss });
        self.progress.lowest_losses = losses.map_or_else(Vec::new, LossGroups::into_losses);
        self.best_is_new = true;
        match &mut self.best {
            Some(best) => best.values_mut().copy_from_slice(self.engine.params().values()),
            None => self.best = Some(self.engine.params().clone()),
        }
        None
    }

    pub(super) fn point(&self, evaluation: &Evaluation) -> EvaluationPoint {
        EvaluationPoint {
            epoch: self.progress.epoch,
            updates: self.progress.updates,
            samples: self.progress.samples,
            train_seconds: self.progress.train_seconds,
            train_loss: self.train_loss(),
            eval_loss: Some(evaluation.loss),
            eval_accuracy: evaluation.accuracy,
            rise_error: None,
            metrics: evaluation.metrics.clone(),
        }
    }

    /// Mean training loss of the current epoch so far.
    pub(super) fn train_loss(&self) -> Option<f64> {
        Some(self.progress.tally.mean_loss()).filter(|loss| loss.is_finite())
    }

    /// Returns the status if a condition or the budget ends the trial here.
    pub(super) fn ended(&mut self, point: &EvaluationPoint) -> Option<Status> {
        let budget = &self.trial.budget;
        let holds =
            |condition: Option<Condition>| condition.is_some_and(|c| c.holds(metric(point, c.metric)));
        let (state, train) = (&mut self.progress.early_stop, self.train.len());
        let overfits = budget.early_stop.is_some_and(|criterion| state.observe(criterion, point, train));
        if holds(budget.target)
            && let Some(target) = self.progress.target.as_mut().filter(|target| target.seconds.is_none())
        {
            (target.seconds, target.updates) = (Some(point.train_seconds), Some(point.updates));
            if !budget.beyond_target {
                return Some(Status::Target);
            }
        }
        if holds(budget.stop) || overfits {
            return Some(Status::Stopped);
        }
        let epochs_done =
            point.epoch >= budget.epochs && (point.epoch == 0 || self.progress.position == self.train.len());
        let updates_done = budget.max_updates.is_some_and(|max| point.updates >= max);
        (epochs_done || updates_done).then_some(Status::Finished)
    }

    /// Reports the row of the current epoch, without an evaluation if the epoch was cut short.
    pub(super) fn close_epoch(&mut self, evaluation: Option<Evaluation>, sink: &mut dyn Sink) -> Result<()> {
        let row = EpochRecord {
            epoch: self.progress.epoch,
            updates: self.progress.updates,
            samples: self.progress.samples,
            train_loss: self.train_loss(),
            eval_loss: evaluation.as_ref().map(|evaluation| evaluation.loss),
            eval_accuracy: evaluation.as_ref().and_then(|evaluation| evaluation.accuracy),
            metrics: self.metrics(evaluation.as_ref()),
            train_seconds: self.progress.train_seconds - self.progress.epoch_began,
            load_wait_seconds: self.train.waited().saturating_sub(self.waited).as_secs_f64(),
            elapsed_seconds: self.elapsed(),
        };
        self.progress.evaluation = evaluation;
        sink.take(&Event::Epoch(&row))?;
        self.progress.epochs.pop_if(|last| last.epoch == row.epoch); // a row cut short, of an epoch resumed since
        self.progress.epochs.push(row);
        Ok(())
    }

    /// Returns further metrics of an epoch: those of its evaluation, `chance`, and the number of a solver's evaluations
    /// since the start.
    pub(super) fn metrics(&self, evaluation: Option<&Evaluation>) -> BTreeMap<String, Option<f64>> {
        let mut metrics = evaluation.map_or_else(BTreeMap::new, |evaluation| evaluation.metrics.clone());
        let chance = evaluation.and_then(|evaluation| evaluation.chance);
        metrics.extend(chance.map(|chance| ("chance".to_owned(), Some(chance))));
        metrics.extend(self.engine.evaluations().map(|count| ("evaluations".to_owned(), Some(count as f64))));
        metrics
    }

    /// Records the update and layer that are not finite and restores the last weights that are.
    pub(super) fn diverge(&mut self, sink: &mut dyn Sink) -> Result<Status> {
        let layer = self.engine.first_non_finite();
        let update = self.progress.updates;
        self.engine.restore();
        self.progress.diverged = Some(Divergence { update, layer, stability: self.stability(update) });
        self.progress.ended = Some(Status::Diverged);
        [self.progress.updates, self.progress.samples] = self.progress.reported;
        self.progress.tally = Tally::default();
        self.close_epoch(None, sink)?;
        Ok(Status::Diverged)
    }

    /// Adds the wall-clock time since `began` to that of the trial.
    pub(super) fn stop_clock(&mut self) {
        (self.progress.wall_seconds, self.began) = (self.elapsed(), Instant::now());
    }

    /// Seconds since the trial began, without the time between a kill and resuming.
    pub(super) fn elapsed(&self) -> f64 {
        self.progress.wall_seconds + self.began.elapsed().as_secs_f64()
    }
}

fn metric(point: &EvaluationPoint, metric: Metric) -> Option<f64> {
    match metric {
        Metric::TrainLoss => point.train_loss,
        Metric::EvalLoss => point.eval_loss,
        Metric::EvalAccuracy => point.eval_accuracy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Targets;
    use crate::recipe::Trial;
    use crate::session::Limits;
    use schuss_data::{Dataset, Labels, Samples, Shape, Values};

    /// Points (i, i²), whose target is a large number.
    fn points(len: usize) -> Samples {
        let values =
            (0..len).flat_map(|i| [i as f32 / len as f32, (i as f32 / len as f32).powi(2)]).collect();
        let targets = (0..len).map(|i| 5_000.0 + 40.0 * (i * 7 % 11) as f32).collect();
        Samples::new(Values::Floats(values), Labels::Real { values: targets, width: 1 }, 2).unwrap()
    }

    /// Returns the sum of the losses of all samples and the mean loss, as of the best evaluation.
    fn sum_and_mean(trial: &Trial, data: &Dataset) -> [f64; 2] {
        let mut session = Session::new(trial, data, Limits { threads: 1, ..Limits::default() }).unwrap();
        session.run().unwrap();
        let sum = session.progress.lowest_losses.iter().sum();
        [sum, session.progress.best.unwrap().eval_loss]
    }

    #[test]
    fn losses_by_groups_of_samples_are_those_of_the_evaluation_in_its_units_and_weights() {
        let near = |[sum, mean]: [f64; 2], weight: f64| {
            assert!((sum / weight / mean - 1.0).abs() < 1e-12, "{sum} / {weight}, not {mean}");
        };
        let digits = schuss_data::load("digits:train=100,test=1500,size=8").unwrap();
        let mut trial = Trial { model: "64-10".parse().unwrap(), ..Trial::default() };
        trial.budget.epochs = 2;
        near(sum_and_mean(&trial, &digits), 1_500.0);
        let weights = [1.0, 2.0, 0.5, 0.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0];
        trial.recipe.loss = "cross-entropy:class_weights=1:2:0.5:0:1:1:1:3:1:1".parse().unwrap();
        let labels = digits.test.resident().unwrap();
        near(
            sum_and_mean(&trial, &digits),
            (0..1_500).map(|i| weights[labels.class(i).unwrap() as usize]).sum(),
        );
        let data = Dataset::given("points", Shape::Flat(2), vec![], points(60), points(25));
        trial = Trial { model: "2-4-1".parse().unwrap(), targets: Targets::Real, ..trial };
        trial.recipe.loss = "mse".parse().unwrap();
        let [sum, mean] = sum_and_mean(&trial, &data);
        assert!(mean > 100.0, "in the units of the data: {mean}");
        near([sum, mean], 25.0);
    }
}
