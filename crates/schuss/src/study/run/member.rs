//! One trial of a study run: its session, its files, and its record at the end.

use super::runner::{Runner, SplitData, budget};
use crate::recipe::{Recipe, Trial};
use crate::record::{BestRecord, CurvePoint, Overfitting, Role, Status, Timing, Trace, TrialRecord};
use crate::session::{Control, Event, Outcome, Session, Sink};
use crate::study::checkpoint::{Checkpoint, Header, Unusable};
use crate::study::curve::overfitting;
use crate::study::learning::learned;
use crate::study::plan::Planned;
use crate::study::statistics::epoch_seconds;
use crate::study::trial_folder::TrialFolder;
use crate::{Error, Result, machine};
use schuss_data::Dataset;
use schuss_data::text::grouped;
use std::sync::Arc;
use std::time::Duration;

/// Number of images of the evaluation split shown beside their reconstructions.
const RECONSTRUCTIONS: usize = 10;

/// A trial that is ready to run.
pub(super) struct Member<'r, 'a> {
    pub(super) session: Session,
    pub(super) run: Run<'r, 'a>,
    /// Handle of this trial alone, which the study's signal stops too.
    pub(super) control: Control,
}

/// A trial, with its recordings, and its folder if the run is written to files.
pub(super) struct Run<'r, 'a> {
    pub(super) runner: &'r Runner<'a>,
    pub(super) index: usize,
    pub(super) planned: &'a Planned,
    pub(super) trial: Trial,
    pub(super) split: Arc<SplitData>,
    pub(super) place: Option<TrialFolder>,
    pub(super) trace: Trace,
}

impl Member<'_, '_> {
    /// Runs the trial for a while; returns its outcome if it has ended.
    pub(super) fn turn(&mut self, control: &Control, time: Duration) -> Option<Result<Outcome>> {
        self.session.turn_with(control, &mut self.run, time).transpose()
    }

    /// Does the same on so many threads while nothing else runs, and measures the speed; afterwards it has `share` threads.
    pub(super) fn calibrate(
        &mut self,
        control: &Control,
        time: Duration,
        threads: usize,
        share: usize,
    ) -> Option<Result<Outcome>> {
        self.session.calibrate_with(control, &mut self.run, time, threads, share).transpose()
    }

    /// Writes the files of the trial, which has ended. Returns an error, if any, beside the record.
    pub(super) fn end(self, ended: Result<Outcome>) -> (TrialRecord, Trace, Option<Error>) {
        let Self { mut session, mut run, .. } = self;
        let mut error = None;
        let outcome = ended.unwrap_or_else(|failure| {
            error = Some(failure);
            session.failed()
        });
        let mut record = run.record(&mut session, &outcome);
        if record.status == Status::Diverged
            && let Some(advice) = run.trial.advice_on_targets(&run.split.data)
        {
            run.runner.watcher().note(&format!("{}: {advice}", run.trial.name));
        }
        if error.is_none() {
            error = run
                .test(&mut record, &mut session)
                .and_then(|()| run.finish(&mut record, &mut session))
                .err();
        }
        if error.is_some() {
            (record.status, record.model) = (Status::Failed, None);
        }
        (record, run.trace, error)
    }
}

impl<'r, 'a> Run<'r, 'a> {
    /// Starts the trial, or resumes it from a checkpoint; `other` shares streamed samples with it.
    pub(super) fn begin(
        mut self,
        checkpoint: Option<Box<Checkpoint>>,
        other: Option<&Session>,
    ) -> Result<Member<'r, 'a>> {
        let session = self.session(checkpoint, other)?;
        let control = self.runner.control.beside();
        Ok(Member { session, run: self, control })
    }

    /// Creates the session, at the trial's start or at a checkpoint.
    fn session(&mut self, checkpoint: Option<Box<Checkpoint>>, other: Option<&Session>) -> Result<Session> {
        let (Some(checkpoint), Some(folder)) = (checkpoint, &self.place) else {
            self.place.as_mut().map_or(Ok(()), |folder| folder.open_logs(None))?;
            return Session::beside(other, &self.run_trial(), &self.split.data, self.runner.timetable.limits);
        };
        let (session, header) = self.restored(*checkpoint, folder, other)?;
        if let Some(folder) = &mut self.place {
            folder.open_logs(Some(&header))?;
            self.trace = folder.trace(session.params().layout().len())?;
        }
        let [epoch, updates] = session.place();
        let Trial { name, seed, .. } = &self.trial;
        self.runner.watcher().note(&format!(
            "{name}, seed {seed}: continues in epoch {epoch}, after update {}",
            grouped(updates)
        ));
        Ok(session)
    }

    /// Restores the session from the newest checkpoint, or from the previous one if the newest does not fit.
    fn restored(
        &self,
        newest: Checkpoint,
        folder: &TrialFolder,
        other: Option<&Session>,
    ) -> Result<(Session, Header)> {
        let why = match self.restore(newest, other) {
            Err(Unusable::Damaged(why)) => why,
            found => return found.map_err(Unusable::into_error),
        };
        let name = &self.trial.name;
        let Some(previous) = folder.previous(&self.trial, &self.split.fingerprint)? else {
            return Err(Unusable::Damaged(why).into_error());
        };
        self.runner.watcher().note(&format!(
            "{name}: the newest checkpoint does not fit the trial ({why}); going back to the one before it"
        ));
        let found = self.restore(previous, other).map_err(Unusable::into_error)?;
        folder.take_previous()?;
        Ok(found)
    }

    /// Restores a session of the trial from a checkpoint.
    fn restore(
        &self,
        mut checkpoint: Checkpoint,
        other: Option<&Session>,
    ) -> std::result::Result<(Session, Header), Unusable> {
        let begun = Trial { init_from: None, ..self.run_trial() }; // its weights are in the checkpoint
        let mut session = Session::beside(other, &begun, &self.split.data, self.runner.timetable.limits)
            .map_err(Unusable::Refused)?;
        let (theirs, ours) = (&checkpoint.header.arithmetic, session.arithmetic());
        if theirs != ours {
            self.change_of_arithmetic(theirs, ours)?;
        }
        checkpoint.restore(&mut session)?;
        Ok((session, checkpoint.header))
    }

    /// Returns the trial on the device that it runs on.
    fn run_trial(&self) -> Trial {
        let device = self.runner.study.continues_on.as_ref().unwrap_or(&self.trial.recipe.device).clone();
        Trial { recipe: Recipe { device, ..self.trial.recipe.clone() }, ..self.trial.clone() }
    }

    /// Says that a trial continues with another arithmetic, or refuses it unless another device was asked for.
    fn change_of_arithmetic(&self, theirs: &str, ours: &str) -> std::result::Result<(), Unusable> {
        let name = &self.trial.name;
        if self.runner.study.continues_on.is_some() {
            self.runner.watcher().note(&format!(
                "{name}: begun with {theirs}, continues with {ours}; its results have the bits of neither"
            ));
            return Ok(());
        }
        let other = Error::failure(format!(
            "the trial `{name}` was trained with {theirs}, but this machine has {ours}: its results would differ"
        ));
        let advice = "the machine it was started on, a new run, or `schuss resume --device NAME` to continue all the same";
        Err(Unusable::Refused(other.advise(advice)))
    }

    /// Evaluates the test split once, if the curves used another split.
    fn test(&self, record: &mut TrialRecord, session: &mut Session) -> Result<()> {
        if self.split.data.validation.is_some() {
            let is_due = record.status.is_end() && !self.runner.study.spares_test;
            record.test = if is_due { session.test(self.runner.control)? } else { None };
        }
        Ok(())
    }

    /// Writes the final files and enters them into the record; last, marks the trial as ended in its checkpoint.
    fn finish(&mut self, record: &mut TrialRecord, session: &mut Session) -> Result<()> {
        self.write_best(session)?;
        self.trace.reconstructions =
            session.reconstructions(RECONSTRUCTIONS)?.map(|found| found.sheet()).transpose()?;
        self.runner.watcher().trained(&self.trial, session.params());
        let Some(folder) = &mut self.place else { return Ok(()) };
        folder.finish(record, &self.trial, session, &self.split.data)?;
        if let Some(sheet) = &self.trace.reconstructions {
            folder.draw(record, sheet)?;
        }
        if record.status == Status::Interrupted {
            return Ok(()); // the session wrote a checkpoint when interrupted
        }
        folder.checkpoint(session, &self.trial, &self.split.fingerprint, Some(record))
    }

    fn record(&self, session: &mut Session, outcome: &Outcome) -> TrialRecord {
        let Outcome { samples, train_seconds, .. } = *outcome;
        let overfitting = self.overfitting(outcome.status);
        let timing = self.runner.timetable.timing(outcome.calibration.is_some());
        let mut record = TrialRecord {
            name: self.trial.name.clone(),
            config_id: self.trial.config_id(),
            seed: self.trial.seed,
            held_out: self.held_out(),
            network: self.trial.model.to_string(),
            recipe: self.trial.record(),
            arithmetic: session.arithmetic().to_owned(),
            strategy: session.strategy().to_owned(),
            threads: self.runner.timetable.threads(timing),
            timing,
            status: outcome.status,
            diverged: outcome.diverged.clone(),
            learned: learned(outcome),
            overfitted: overfitting.is_some(),
            overfitting,
            budget: budget(&self.trial, &self.split.data),
            updates: outcome.updates,
            samples,
            train_seconds,
            slices: if timing == Timing::Calibrated { outcome.calibration } else { outcome.slices },
            epoch_seconds: epoch_seconds(&outcome.epochs, self.split.data.train.len() as u64),
            wall_seconds: outcome.wall_seconds,
            load_wait_seconds: session.waited().as_secs_f64(),
            samples_per_second: Some(samples as f64 / train_seconds)
                .filter(|rate| rate.is_finite() && samples > 0),
            peak_rss_bytes: machine::peak_memory(),
            memory: session.memory(),
            target: outcome.target.clone(),
            evaluations: self.curve(outcome),
            role: Role::Race,
            epochs: outcome.epochs.clone(),
            test: outcome.evaluation.clone(),
            model: None,
            best: outcome.best.map(BestRecord::of),
            state: session.digest(),
            losses: None,
            reconstructions: None,
            reference: vec![],
            reference_seconds: None,
        };
        self.planned.printed.enter(&mut record);
        record
    }

    /// Returns the hash of the held-out samples, if every seed draws its own.
    fn held_out(&self) -> Option<String> {
        let Dataset { held_out, resampled, .. } = &self.split.data;
        resampled.as_ref().and(held_out.as_ref()).map(|held_out| held_out.hash.clone())
    }

    /// Returns every evaluation, with the value of the target's metric, or of the loss if there is no target.
    fn curve(&self, outcome: &Outcome) -> Vec<CurvePoint> {
        let metric = outcome.target.as_ref().map_or("eval_loss", |target| &target.metric);
        self.trace.evaluations.iter().map(|point| point.on_curve(metric)).collect()
    }

    /// Returns the point from which the trial over-fitted, if it ran to its end and did.
    fn overfitting(&self, status: Status) -> Option<Overfitting> {
        let (evaluations, train) = (&self.trace.evaluations, self.split.data.train.len());
        if status.is_end() { overfitting(evaluations, self.trial.budget.early_stop, train) } else { None }
    }

    fn write_best(&self, session: &mut Session) -> Result<()> {
        match (&self.place, session.new_best()) {
            (Some(folder), Some(params)) => folder.write_best(&self.trial, params, &self.split.data),
            _ => Ok(()),
        }
    }
}

impl Sink for Run<'_, '_> {
    fn take(&mut self, event: &Event) -> Result<()> {
        let keep_losses = self.runner.study.observe.losses;
        match event {
            Event::Losses(losses) if keep_losses => {
                self.trace.losses.extend_from_slice(losses);
                self.place.as_mut().map_or(Ok(()), |folder| folder.append_losses(losses))?;
            }
            Event::Evaluation(point) => {
                self.trace.evaluations.push((*point).clone());
                self.place.as_mut().map_or(Ok(()), |folder| folder.append_evaluation(point))?;
            }
            Event::Weights(weights) if self.trial.seed == self.runner.study.seeds[0] => {
                self.trace.path.push(weights);
                self.place.as_mut().map_or(Ok(()), |folder| folder.append_weights(weights))?;
            }
            Event::Losses(_) | Event::Weights(_) | Event::Epoch(_) => {}
        }
        self.runner.watcher().event(&self.trial, event);
        Ok(())
    }

    fn checkpoint(&mut self, session: &mut Session) -> Result<()> {
        if let Some(folder) = &mut self.place {
            folder.checkpoint(session, &self.trial, &self.split.fingerprint, None)?;
        }
        self.write_best(session)
    }
}
