//! Report points of a session, and the end of a trial.

use super::tally::Tally;
use super::{Event, Session, Sink};
use crate::Result;
use crate::recipe::{Condition, Metric};
use crate::record::{Best, Divergence, EpochRecord, Evaluation, EvaluationPoint, Status};
use std::collections::BTreeMap;
use std::time::Instant;

impl Session {
    /// Reports the evaluation and, at its end, the epoch; returns the status if the trial has ended.
    pub(super) fn report(&mut self, evaluation: Evaluation, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.engine.keep();
        self.progress.reported = [self.progress.updates, self.progress.samples];
        self.progress.evaluation = Some(evaluation.clone());
        self.progress.evaluation_is_due = false;
        let point = self.point(&evaluation);
        self.compare_with_best(&point, evaluation.loss);
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
        let keep = point.epoch > 0 && end_of_epoch && self.cadence.is_at_epoch(point.epoch);
        if keep && ended.is_none() || self.cadence.falls_on(point.updates) {
            self.checkpoint(sink)?;
        }
        Ok(ended)
    }

    /// Copies the weights if their evaluation loss is the lowest so far.
    pub(super) fn compare_with_best(&mut self, point: &EvaluationPoint, loss: f64) {
        if self.progress.best.is_none_or(|best| loss < best.eval_loss) {
            self.progress.best = Some(Best { epoch: point.epoch, updates: point.updates, eval_loss: loss });
            self.best_is_new = true;
            match &mut self.best {
                Some(best) => best.values_mut().copy_from_slice(self.engine.params().values()),
                None => self.best = Some(self.engine.params().clone()),
            }
        }
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
        if holds(budget.target)
            && let Some(target) = self.progress.target.as_mut().filter(|target| target.seconds.is_none())
        {
            (target.seconds, target.updates) = (Some(point.train_seconds), Some(point.updates));
            if !budget.beyond_target {
                return Some(Status::Target);
            }
        }
        if holds(budget.stop) {
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
        self.progress.epochs.retain(|earlier| earlier.epoch != row.epoch); // a row cut short, of an epoch resumed since
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
        self.progress.diverged = Some(Divergence { update: self.progress.updates, layer });
        self.engine.restore();
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
