//! A running trial: the step loop, its clock, checkpoints, and events at report points.

mod backward;
mod blocked;
mod cadence;
mod control;
mod curvature;
mod engine;
mod event;
mod forecast;
mod limits;
mod progress;
mod report;
mod snapshot;
mod solve;
mod state;
mod strategy;
mod tally;

pub use cadence::Cadence;
pub use control::Control;
pub use event::{Event, Sink};
pub use forecast::{Forecast, forecast};
pub use limits::Limits;

pub(crate) use strategy::Strategy;

use crate::Result;
use crate::machine;
use crate::metrics::Reconstructions;
use crate::network::{Params, Plan, load_weights};
use crate::recipe::Trial;
use crate::record::{Best, Divergence, EpochRecord, Evaluation, MemoryRecord, Status, TargetRecord};
use control::Watch;
use engine::Engine;
use limits::{check_memory, microbatch, read_ahead};
use progress::Progress;
use schuss_data::stream::order::Order;
use schuss_data::{Dataset, Feed};
use snapshot::Snapshot;
use std::time::{Duration, Instant};
use tally::Tally;

/// A trial in progress.
///
/// # Example
/// ```
/// use schuss::session::{Limits, Session};
/// use schuss::Trial;
///
/// # fn main() -> schuss::Result<()> {
/// let data = schuss::data::load("digits:train=600,test=100")?;
/// let trial = Trial { model: "784-30-10".parse()?, ..Trial::default() };
/// let mut session = Session::new(&trial, &data, Limits::default())?;
/// let outcome = session.run(&Default::default(), &mut ())?;
/// assert!(outcome.epochs[10].train_loss < outcome.epochs[1].train_loss);
/// # Ok(())
/// # }
/// ```
pub struct Session<'d> {
    trial: Trial,
    train: Feed<'d>,
    /// Split evaluated at report points: validation if there is one, otherwise test.
    eval: Feed<'d>,
    /// Time that steps had waited for samples when the current epoch began.
    waited: Duration,
    /// Test split, evaluated once at the end, if it is not `eval`.
    test: Option<Feed<'d>>,
    /// Training samples in the order of epoch 0, if averaged weights need their own batch statistics.
    for_statistics: Option<Feed<'d>>,
    engine: Engine,
    /// Samples per update.
    samples: usize,
    /// Updates between evaluations within an epoch.
    eval_every: Option<u64>,
    data_bytes: usize,
    cadence: Cadence,
    /// Time at which the trial began or was resumed.
    began: Instant,
    /// Time of the last checkpoint, or of resuming.
    kept: Instant,
    progress: Progress,
    /// Losses of all updates since the last report point.
    losses: Vec<f32>,
    /// Tallies of the most recent updates.
    seen: Vec<Tally>,
    /// Weights and optimizer state at the last report point, all finite.
    copy: Snapshot,
    /// Weights with the lowest evaluation loss so far.
    best: Option<Params>,
    /// True if `best` has changed since the last call of `new_best`.
    best_is_new: bool,
}

/// Outcome of a trial.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Final status.
    pub status: Status,
    /// Update and layer that were first not finite.
    pub diverged: Option<Divergence>,
    /// Number of weight updates.
    pub updates: u64,
    /// Number of training samples seen.
    pub samples: u64,
    /// Seconds of training.
    pub train_seconds: f64,
    /// Seconds of wall-clock time.
    pub wall_seconds: f64,
    /// One row per epoch; row 0 is before the first update.
    pub epochs: Vec<EpochRecord>,
    /// Target metric, and when it was reached.
    pub target: Option<TargetRecord>,
    /// Loss and accuracy of the final weights, if they were evaluated.
    pub evaluation: Option<Evaluation>,
    /// Point with the lowest evaluation loss.
    pub best: Option<Best>,
}

/// Reason for a pause of the step loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    ReportPoint,
    Checkpoint,
    /// The buffer for losses is full.
    Full,
    NotFinite,
    Interrupted,
}

impl<'d> Session<'d> {
    /// Allocates everything a trial needs; afterwards a step can fail only if samples cannot be read.
    ///
    /// # Errors
    /// If model and data do not match, weights cannot be loaded, or the machine has too little memory or too few
    /// threads.
    pub fn new(trial: &Trial, data: &'d Dataset, limits: Limits) -> Result<Self> {
        Self::beside(None, trial, data, limits)
    }

    /// Like [`Session::new`], but streamed training samples are read once for this trial and `other` if both use the
    /// same order. Both must then run at the same time, each on its own thread: the faster one waits for the slower
    /// one.
    ///
    /// # Errors
    /// As for [`Session::new`].
    pub fn beside(other: Option<&Self>, trial: &Trial, data: &'d Dataset, limits: Limits) -> Result<Self> {
        trial.targets.check(data)?;
        let plan = Plan::for_targets(&trial.model, data.shape, data.target_kind().outputs(), trial.targets)?;
        trial.recipe.loss.check(plan.ending(), trial.targets, data.classes.len())?;
        let samples = trial.recipe.update.samples(data.train.len());
        let trial = &trial.resolved(data.train.len());
        let most = microbatch(&plan, data, limits);
        check_memory((&plan, trial), data, [samples, limits.microbatch.unwrap_or(most)], limits)?;
        let mut params = Params::init(plan.layout.clone(), &trial.recipe.init, trial.seed);
        if let Some(path) = &trial.init_from {
            load_weights(&mut params, path)?;
        }
        let engine = Engine::new(
            [machine::team(limits.threads)?, machine::team(1)?],
            plan,
            trial,
            params,
            (samples, data),
            (limits.microbatch, most),
        )?;
        let at_once = engine.at_once().max(limits.microbatch.unwrap_or(0));
        let ahead = read_ahead(&engine, data, limits)?;
        let feed =
            |split, (order, seed), ahead| Feed::new(split, &data.normalisation, order, seed, at_once, ahead);
        let evaluated = |split| feed(split, (Order::Sequential, 0), ahead.evaluated);
        let together = other.filter(|other| other.order() == (trial.recipe.order, trial.seed));
        let target = trial.budget.target.map(|target| TargetRecord {
            metric: target.metric.to_string(),
            op: target.op.to_string(),
            value: target.value,
            seconds: None,
            updates: None,
        });
        Ok(Self {
            trial: trial.clone(),
            waited: Duration::ZERO,
            train: match together {
                Some(other) => other.train.beside(),
                None => feed(&data.train, (trial.recipe.order, trial.seed), ahead.train)?,
            },
            eval: evaluated(data.evaluated())?,
            test: data.validation.as_ref().map(|_| evaluated(&data.test)).transpose()?,
            for_statistics: engine
                .needs_own_statistics()
                .then(|| feed(&data.train, (trial.recipe.order, trial.seed), ahead.evaluated))
                .transpose()?,
            copy: engine.snapshot(),
            engine,
            samples,
            eval_every: None,
            data_bytes: data.bytes(),
            cadence: limits.checkpoint_every,
            began: Instant::now(),
            kept: Instant::now(),
            progress: Progress { target, evaluation_is_due: true, ..Progress::default() },
            losses: Vec::with_capacity(data.train.len().div_ceil(samples).min(MOST_LOSSES) + blocked::ROWS),
            seen: Vec::with_capacity(blocked::ROWS),
            best: None,
            best_is_new: false,
        })
    }

    /// Sets the number of updates between evaluations, in addition to those at the ends of epochs.
    pub fn evaluate_every(&mut self, updates: Option<u64>) {
        self.eval_every = updates;
    }

    /// Order and seed, which determine the order of the samples.
    fn order(&self) -> (Order, u64) {
        (self.trial.recipe.order, self.trial.seed)
    }

    /// Returns the number of epochs begun and of updates done.
    pub fn place(&self) -> [u64; 2] {
        [u64::from(self.progress.epoch), self.progress.updates]
    }

    /// Returns the current weights, averaged if the optimizer averages them.
    pub fn params(&self) -> &Params {
        self.engine.params()
    }

    /// Name of the update strategy.
    pub fn strategy(&self) -> &'static str {
        self.engine.strategy().name()
    }

    /// Name of the arithmetic of matrix products; `f32-fma-1` if the machine does not support what the recipe allows.
    pub fn arithmetic(&self) -> &'static str {
        self.engine.arithmetic()
    }

    /// Returns the first `count` evaluated images as stored, as fed to the network, and reconstructed; None unless the
    /// network is an autoencoder of images.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub fn reconstructions(&mut self, count: usize) -> Result<Option<Reconstructions>> {
        self.engine.reconstructions(&mut self.eval, count)
    }

    /// Returns loss and accuracy of the current weights on the test split, in evaluation mode; None if `control` is
    /// interrupted.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub fn test(&mut self, control: &Control) -> Result<Option<Evaluation>> {
        let test = self.test.as_mut().unwrap_or(&mut self.eval);
        self.engine.evaluate(test, || control.interrupted())
    }

    /// Returns the time that steps have waited for samples.
    pub fn waited(&self) -> Duration {
        self.train.waited()
    }

    /// Returns the memory used by the buffers.
    pub fn memory(&self) -> MemoryRecord {
        self.engine.memory(self.data_bytes)
    }

    /// Trains until the budget is used up, a condition is met, a number is not finite, or `control` is interrupted;
    /// begins at the start, or at the loaded checkpoint.
    ///
    /// # Errors
    /// Any error of `sink`, or if samples cannot be read.
    pub fn run(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Outcome> {
        (self.began, self.kept) = (Instant::now(), Instant::now());
        control.set_samples(self.progress.samples);
        let mut ended = self.progress.ended;
        if self.progress.evaluation_is_due && ended.is_none() {
            ended = self.evaluate(control, sink)?;
        } else {
            self.settle()?;
        }
        while ended.is_none() {
            ended = self.stretch(control, sink)?;
        }
        self.train.leave();
        Ok(self.outcome(ended.unwrap_or(Status::Finished)))
    }

    /// Trains up to the next report point and reports; returns the status if the trial has ended.
    fn stretch(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.begin_epoch();
        let pause = self.steps(control)?;
        sink.take(&Event::Losses(&self.losses))?;
        match pause {
            Pause::NotFinite => self.diverge(sink).map(Some),
            Pause::Interrupted => self.cut_short(sink).map(Some),
            Pause::Checkpoint => self.checkpoint(sink).map(|()| None),
            Pause::Full => Ok(None),
            Pause::ReportPoint => {
                self.progress.evaluation_is_due = true;
                self.evaluate(control, sink)
            }
        }
    }

    /// Brings the weights for evaluation up to date with the last update.
    fn settle(&mut self) -> Result<()> {
        self.engine.settle();
        self.for_statistics.as_mut().map_or(Ok(()), |feed| self.engine.measure_statistics(feed))
    }

    /// Evaluates and reports, if everything is finite; returns the status if the trial has ended.
    fn evaluate(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.settle()?;
        let Some(evaluation) = self.engine.evaluate(&mut self.eval, || control.interrupted())? else {
            return self.cut_short(sink).map(Some);
        };
        if evaluation.loss.is_finite() && self.engine.is_finite() {
            self.report(evaluation, sink)
        } else {
            self.diverge(sink).map(Some)
        }
    }

    /// Ends an interrupted trial, which can be resumed later. An epoch without an update gets no row; weights that were
    /// updated since the last evaluation get no evaluation.
    fn cut_short(&mut self, sink: &mut dyn Sink) -> Result<Status> {
        self.checkpoint(sink)?;
        self.settle()?;
        let known = self.progress.evaluation.filter(|_| self.progress.updates == self.progress.reported[0]);
        self.progress.evaluation = known;
        if self.progress.tally.samples > 0 || self.progress.epochs.is_empty() {
            self.close_epoch(known, sink)?;
        }
        Ok(Status::Interrupted)
    }

    fn begin_epoch(&mut self) {
        self.losses.clear();
        let progress = &mut self.progress;
        if progress.epoch == 0 || progress.position == self.train.len() {
            progress.epoch += 1;
            progress.position = 0;
            progress.tally = Tally::default();
            progress.epoch_began = progress.train_seconds;
            self.waited = self.train.waited();
        }
    }

    /// Runs the step loop: the clock runs, and nothing is printed or allocated.
    fn steps(&mut self, control: &Control) -> Result<Pause> {
        let clock = Instant::now();
        let watch = Watch::new(control, self.cadence.due(self.kept));
        self.train.begin(self.progress.epoch - 1);
        let pause = loop {
            let positions = self.progress.position..self.next_report_point();
            self.engine.advance(&mut self.train, positions, watch, &mut self.seen)?;
            if self.seen.is_empty() {
                break if watch.interrupted() { Pause::Interrupted } else { Pause::Checkpoint };
            }
            let before = self.progress.updates;
            if !self.progress.enter(&self.seen, &mut self.losses) {
                break Pause::NotFinite;
            }
            control.set_samples(self.progress.samples);
            if self.at_report_point() {
                break Pause::ReportPoint;
            }
            if watch.is_due() || self.cadence.falls_between(before, self.progress.updates) {
                break Pause::Checkpoint;
            }
            if self.losses.len() + blocked::ROWS > self.losses.capacity() {
                break Pause::Full;
            }
        };
        self.progress.train_seconds += clock.elapsed().as_secs_f64();
        Ok(pause)
    }

    /// Returns the position of the next report point, if no update is cut short.
    fn next_report_point(&self) -> usize {
        let updates = self.progress.updates;
        let until_end = self.trial.budget.max_updates.map_or(u64::MAX, |max| max.saturating_sub(updates));
        let until_evaluation = self.eval_every.map_or(u64::MAX, |every| every - updates % every);
        let updates = usize::try_from(until_end.min(until_evaluation).max(1)).unwrap_or(usize::MAX);
        self.train.len().min(self.progress.position.saturating_add(updates.saturating_mul(self.samples)))
    }

    fn at_report_point(&self) -> bool {
        let updates = self.progress.updates;
        self.progress.position == self.train.len()
            || self.trial.budget.max_updates == Some(updates)
            || self.eval_every.is_some_and(|every| updates.is_multiple_of(every))
    }

    /// Returns the outcome after a sink or reading samples has failed.
    pub fn failed(&self) -> Outcome {
        self.outcome(Status::Failed)
    }

    fn outcome(&self, status: Status) -> Outcome {
        let progress = self.progress.clone();
        Outcome {
            status,
            diverged: progress.diverged,
            updates: self.progress.updates,
            samples: progress.samples,
            train_seconds: progress.train_seconds,
            wall_seconds: self.elapsed(),
            epochs: progress.epochs,
            target: progress.target,
            evaluation: progress.evaluation,
            best: progress.best,
        }
    }
}

/// Number of losses after which [`Event::Losses`] is sent.
const MOST_LOSSES: usize = 1 << 16;
