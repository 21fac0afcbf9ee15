//! A running trial: the step loop, its clock, checkpoints, and events at report points.

mod cadence;
mod calibration;
mod control;
mod cpu;
mod device;
mod engine;
mod event;
mod forecast;
mod instruments;
mod judge;
mod limits;
mod points;
mod progress;
mod report;
mod slices;
mod start;
mod state;
mod tally;
mod turn;

pub use cadence::Cadence;
pub use control::{Control, Watch};
pub use cpu::Cpu;
pub use device::{MakeEngine, register_gpu};
pub use engine::Engine;
pub use event::{Event, Sink};
pub use forecast::{Forecast, forecast};
pub use judge::{Judge, Judged};
pub use limits::{Limits, check_memory};
pub use start::{checked_plan, initial_params};
pub use tally::Tally;

use crate::Result;
use crate::metrics::{Metrics, Reconstructions, Task};
use crate::network::Params;
use crate::recipe::Trial;
use crate::record::{
    Best, Divergence, EpochRecord, Evaluation, MemoryRecord, SlicesRecord, Status, TargetRecord,
};
use instruments::Instruments;
use limits::read_ahead;
use points::{EvalPoints, Place};
use progress::Progress;
use schuss_data::stream::order::Order;
use schuss_data::{Dataset, Feed};
use std::time::{Duration, Instant};
use turn::Extent;

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
/// let outcome = session.run()?;
/// assert!(outcome.epochs[10].train_loss < outcome.epochs[1].train_loss);
/// # Ok(())
/// # }
/// ```
pub struct Session {
    trial: Trial,
    train: Feed,
    /// Split evaluated at report points: validation if there is one, otherwise test.
    eval: Feed,
    /// Time that steps had waited for samples when the current epoch began.
    waited: Duration,
    /// Test split, evaluated once at the end, if it is not `eval`.
    test: Option<Feed>,
    /// Training samples in the order of epoch 0, if averaged weights need their own batch statistics.
    for_statistics: Option<Feed>,
    engine: Box<dyn Engine>,
    instruments: Option<Instruments>,
    /// Samples per update.
    samples: usize,
    eval_points: EvalPoints,
    data_bytes: usize,
    cadence: Cadence,
    /// Time at which the trial began or was resumed.
    began: Instant,
    /// Time of the last checkpoint, or of creation.
    kept: Instant,
    progress: Progress,
    /// Losses of all updates since the last report point.
    losses: Vec<f32>,
    /// Tallies of the most recent updates.
    seen: Vec<Tally>,
    /// Task, which determines the metrics.
    task: Task,
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
    /// Seconds per update, and their spread.
    pub slices: Option<SlicesRecord>,
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
    /// The same of the slices in which it had the machine for itself, if it ran beside other trials.
    pub calibration: Option<SlicesRecord>,
}

/// Reason for a pause of the step loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    ReportPoint,
    Checkpoint,
    /// The buffer for losses is full, or no more samples or time were asked for.
    Full,
    NotFinite,
    Interrupted,
}

impl Session {
    /// Allocates everything a trial needs on its device; afterwards a step can fail only if samples cannot be read or
    /// a graphics card fails.
    ///
    /// # Errors
    /// If model and data do not match, weights cannot be loaded, or the machine has too little memory, too few threads
    /// or no such device.
    pub fn new(trial: &Trial, data: &Dataset, limits: Limits) -> Result<Self> {
        Self::beside(None, trial, data, limits)
    }

    /// Like [`Session::new`], but streamed training samples are read once for this trial and `other` if both use the
    /// same order. Both must then run at the same time, each on its own thread: the faster one waits for the slower
    /// one.
    ///
    /// # Errors
    /// As for [`Session::new`].
    pub fn beside(other: Option<&Self>, trial: &Trial, data: &Dataset, limits: Limits) -> Result<Self> {
        let engine = device::engine(trial, data, limits)?;
        Self::with_engine(engine, other, trial, data, limits)
    }

    /// Like [`Session::beside`], with an engine that was made for the same trial and data.
    ///
    /// # Errors
    /// If the memory limit leaves no room for reading samples, or samples cannot be read.
    pub fn with_engine(
        mut engine: Box<dyn Engine>,
        other: Option<&Self>,
        trial: &Trial,
        data: &Dataset,
        limits: Limits,
    ) -> Result<Self> {
        let trial = trial.resolved(data.train.len());
        let order = (trial.recipe.order, trial.seed);
        let at_once = engine.at_once().max(limits.microbatch.unwrap_or(0));
        let ahead = read_ahead(&*engine, data, limits)?;
        let feed =
            |split, (order, seed), ahead| Feed::new(split, &data.normalisation, order, seed, at_once, ahead);
        let evaluated = |split| feed(split, (Order::Sequential, 0), ahead.evaluated);
        let train = match other.filter(|other| other.order() == order) {
            Some(other) => other.train.beside(),
            None => feed(&data.train, order, ahead.train)?,
        };
        let for_statistics = match engine.needs_statistics() {
            true => Some(feed(&data.train, order, ahead.evaluated)?),
            false => None,
        };
        let samples = trial.recipe.update.samples(data.train.len());
        let most_losses = data.train.len().div_ceil(samples).min(MOST_LOSSES) + engine.at_once();
        Ok(Self {
            waited: Duration::ZERO,
            train,
            eval: evaluated(data.evaluated())?,
            test: data.validation.as_ref().map(|_| evaluated(&data.test)).transpose()?,
            for_statistics,
            seen: Vec::with_capacity(engine.at_once()),
            instruments: Instruments::new(&mut *engine, &trial, data)?,
            engine,
            samples,
            eval_points: EvalPoints::of(&trial, data),
            data_bytes: data.bytes(),
            cadence: limits.checkpoint_every,
            began: Instant::now(),
            kept: Instant::now(),
            progress: Progress { target: target(&trial), evaluation_is_due: true, ..Progress::default() },
            task: trial.task(data),
            trial,
            losses: Vec::with_capacity(most_losses),
            best: None,
            best_is_new: false,
        })
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

    /// Losses of the updates of the last step, or of a run since its last report point.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// Name of the update strategy.
    pub fn strategy(&self) -> &'static str {
        self.engine.strategy()
    }

    /// Name of the arithmetic of matrix products; `f32-fma-1` if the machine does not support what the recipe allows.
    pub fn arithmetic(&self) -> &str {
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
        let mut metrics = Metrics::begin(&self.task, &self.trial.metrics);
        Ok(self.engine.evaluate(test, &mut metrics, control)?.map(|loss| metrics.end(loss)))
    }

    /// Returns the time that steps have waited for samples.
    pub fn waited(&self) -> Duration {
        self.train.waited()
    }

    /// Returns the memory used by the buffers.
    pub fn memory(&self) -> MemoryRecord {
        MemoryRecord { data: self.data_bytes, ..self.engine.memory() }
    }

    /// Trains to the end of the trial, as [`run_with`](Self::run_with) does without a sink and without interruption.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub fn run(&mut self) -> Result<Outcome> {
        self.run_with(&Control::default(), &mut ())
    }

    /// Trains until the budget is used up, a condition is met, a number is not finite, or `control` is interrupted;
    /// begins at the start, or at the loaded checkpoint.
    ///
    /// # Errors
    /// Any error of `sink`, or if samples cannot be read.
    pub fn run_with(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Outcome> {
        let mut ended = self.begin(control, sink)?;
        while ended.is_none() {
            ended = self.stretch(control, sink, Extent::default())?;
        }
        self.train.leave();
        self.stop_clock();
        Ok(self.outcome(ended.unwrap_or(Status::Finished)))
    }

    /// Trains for one update, and evaluates where [`run`](Self::run) does; returns the outcome once the trial has ended.
    /// Steps and runs may follow each other in any order: the bits are those of one run.
    ///
    /// # Errors
    /// If samples cannot be read.
    ///
    /// # Example
    /// ```
    /// use schuss::session::{Limits, Session};
    /// use schuss::{Budget, Trial};
    ///
    /// # fn main() -> schuss::Result<()> {
    /// let data = schuss::data::load("digits:train=300,test=60,size=8")?;
    /// let budget = Budget { epochs: 1, ..Budget::default() };
    /// let trial = Trial { model: "64-10".parse()?, budget, ..Trial::default() };
    /// let mut session = Session::new(&trial, &data, Limits::default())?;
    /// let mut losses = vec![];
    /// let outcome = loop {
    ///     let outcome = session.step()?;
    ///     losses.extend_from_slice(session.losses());
    ///     if let Some(outcome) = outcome {
    ///         break outcome;
    ///     }
    /// };
    /// assert_eq!((losses.len(), outcome.updates), (3, 3)); // batches of 100
    /// # Ok(())
    /// # }
    /// ```
    pub fn step(&mut self) -> Result<Option<Outcome>> {
        self.step_with(&Control::default(), &mut ())
    }

    /// Does what [`step`](Self::step) does, and reports to `sink`; ends the trial as interrupted if `control` is.
    ///
    /// # Errors
    /// As for [`run_with`](Self::run_with).
    pub fn step_with(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Outcome>> {
        let ended = match self.begin(control, sink)? {
            None => {
                let ended =
                    self.stretch(control, sink, Extent { samples: self.samples, ..Extent::default() })?;
                if ended.is_none() {
                    self.settle()?;
                }
                ended
            }
            ended => ended,
        };
        self.stop_clock();
        Ok(ended.map(|status| self.outcome(status)))
    }

    /// Begins or continues training: evaluates if that is due; returns the status if the trial has ended.
    fn begin(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.began = Instant::now();
        control.set_samples(self.progress.samples);
        if self.progress.evaluation_is_due && self.progress.ended.is_none() {
            return self.evaluate(control, sink);
        }
        if self.progress.ended.is_some() {
            self.settle()?;
        }
        Ok(self.progress.ended)
    }

    /// Trains up to the next report point, or to the end of `extent`, and reports; returns the status if the trial has
    /// ended.
    fn stretch(&mut self, control: &Control, sink: &mut dyn Sink, extent: Extent) -> Result<Option<Status>> {
        self.begin_epoch();
        let samples = extent.samples.min(self.samples_before_comparison()?);
        let pause = self.steps(control, Extent { samples, ..extent })?;
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
        self.engine.settle(self.for_statistics.as_mut())
    }

    /// Evaluates and reports, if everything is finite; returns the status if the trial has ended.
    fn evaluate(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.settle()?;
        let mut metrics = Metrics::begin(&self.task, &self.trial.metrics).with_losses(self.eval.len());
        let Some(loss) = self.engine.evaluate(&mut self.eval, &mut metrics, control)? else {
            return self.cut_short(sink).map(Some);
        };
        if loss.is_finite() && self.engine.is_finite() {
            let losses = metrics.split_off_losses();
            let mut evaluation = metrics.end(loss);
            self.read_instruments(&mut evaluation, sink)?;
            self.report(evaluation, losses, sink)
        } else {
            self.diverge(sink).map(Some)
        }
    }

    /// Ends an interrupted trial, which can be resumed later. An epoch without an update gets no row; weights that were
    /// updated since the last evaluation get no evaluation.
    fn cut_short(&mut self, sink: &mut dyn Sink) -> Result<Status> {
        self.checkpoint(sink)?;
        self.settle()?;
        let known = self.progress.evaluation.take();
        let known = known.filter(|_| self.progress.updates == self.progress.reported[0]);
        self.progress.evaluation = known.clone();
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
    fn steps(&mut self, control: &Control, extent: Extent) -> Result<Pause> {
        self.progress.slices.reserve();
        let mut lap = self.progress.lap();
        let watch = Watch::new(control, self.cadence.due(self.kept));
        let end = self.progress.position.saturating_add(extent.samples);
        self.train.begin(self.progress.epoch - 1);
        let pause = loop {
            let positions = self.progress.position..self.next_report_point().min(end);
            self.seen.clear();
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
            let is_full = self.losses.len() + self.engine.at_once() > self.losses.capacity();
            let now = Instant::now();
            if is_full || self.progress.position >= end || extent.end.is_some_and(|end| now >= end) {
                break Pause::Full;
            }
            if lap.is_long(now) {
                lap = self.progress.end_lap(lap);
            }
        };
        self.progress.end_lap(lap);
        Ok(pause)
    }

    /// Returns the position of the next report point, if no update is cut short.
    fn next_report_point(&self) -> usize {
        let updates = self.progress.updates;
        let until_end = self.trial.budget.max_updates.map_or(u64::MAX, |max| max.saturating_sub(updates));
        let updates = usize::try_from(until_end.max(1)).unwrap_or(usize::MAX);
        let end = self.progress.position.saturating_add(updates.saturating_mul(self.samples));
        self.train.len().min(end).min(self.eval_points.next(self.within_epoch()))
    }

    fn within_epoch(&self) -> Place {
        let Progress { epoch, position, updates, .. } = self.progress;
        Place { epoch, position, len: self.train.len(), updates, samples: self.samples }
    }

    fn at_report_point(&self) -> bool {
        let updates = self.progress.updates;
        self.progress.position == self.train.len()
            || self.trial.budget.max_updates == Some(updates)
            || self.eval_points.are_at(self.within_epoch())
    }

    /// Returns the outcome after a sink or reading samples has failed.
    pub fn failed(&self) -> Outcome {
        self.outcome(Status::Failed)
    }

    fn outcome(&self, status: Status) -> Outcome {
        let progress = &self.progress;
        Outcome {
            status,
            diverged: progress.diverged.clone(),
            updates: progress.updates,
            samples: progress.samples,
            train_seconds: progress.train_seconds,
            slices: progress.slices.record(),
            wall_seconds: self.elapsed(),
            epochs: progress.epochs.clone(),
            target: progress.target.clone(),
            evaluation: progress.evaluation.clone(),
            best: progress.best,
            calibration: progress.calibration.record(progress.updates),
        }
    }
}

/// Returns the record of a trial's target, not reached yet.
fn target(trial: &Trial) -> Option<TargetRecord> {
    trial.budget.target.map(|target| TargetRecord {
        metric: target.metric.to_string(),
        op: target.op.to_string(),
        value: target.value,
        seconds: None,
        updates: None,
    })
}

/// Number of losses after which [`Event::Losses`] is sent.
const MOST_LOSSES: usize = 1 << 16;
