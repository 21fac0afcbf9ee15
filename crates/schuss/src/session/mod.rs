//! The live thing that runs a trial: the step loop, its clock, its meters, and what it tells.

mod backward;
mod blocked;
mod control;
mod engine;
mod event;
mod forecast;
pub(crate) mod quality;
mod reconstructions;
mod solve;

pub use control::Control;
pub use event::{Event, Sink};
pub use forecast::{Forecast, forecast};
pub use reconstructions::Reconstructions;

use crate::machine;
use crate::network::{MICROBATCH, Params, Plan, load_weights};
use crate::optim::Strategy;
use crate::recipe::{Condition, Metric, Trial};
use crate::study::record::{
    Divergence, EpochRecord, Evaluation, EvaluationPoint, MemoryRecord, Reconstruction, Status, TargetRecord,
};
use crate::{Error, Result};
use engine::{Engine, Snapshot, Tally};
use schuss_data::order::Order;
use schuss_data::{Dataset, Feed};
use std::collections::BTreeMap;
use std::time::Instant;

/// What may change the time of a trial, never a bit of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads of the step.
    pub threads: usize,
    /// Samples that travel together, if not the built-in number.
    pub microbatch: Option<usize>,
    /// Bytes that the process may take, if there is a limit: what does not fit is streamed.
    pub memory: Option<u64>,
    /// Whether trials of a study run side by side, the threads shared out among them; their times are then labelled
    /// `shared`.
    pub side_by_side: bool,
}

impl Default for Limits {
    /// All cores, one trial after the other.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, microbatch: None, memory: None, side_by_side: false }
    }
}

impl Limits {
    /// Bytes into which streamed samples of a split are read ahead.
    fn read_ahead(&self) -> u64 {
        const SHARE: u64 = 8;
        const MOST: u64 = 64 << 20;
        self.memory.map_or(MOST, |memory| (memory / SHARE).min(MOST))
    }
}

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
    /// What curves look at.
    eval: Feed<'d>,
    engine: Engine,
    /// Samples per update.
    samples: usize,
    /// Updates between evaluations within an epoch.
    eval_every: Option<u64>,
    data_bytes: usize,
    began: Instant,
    progress: Progress,
    /// The losses of all updates since the last report point.
    losses: Vec<f32>,
    /// What the updates done last saw.
    seen: Vec<Tally>,
    /// Weights and optimizer state at the last report point, where all was finite.
    copy: Snapshot,
}

/// How far the trial is, and what is known so far.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Epochs begun.
    epoch: u32,
    /// Samples of the present epoch seen.
    position: usize,
    /// Updates done and samples seen since the start.
    updates: u64,
    samples: u64,
    /// The same at the last report point.
    reported: [u64; 2],
    /// What the updates of the present epoch saw.
    tally: Tally,
    train_seconds: f64,
    /// `train_seconds` when the present epoch began.
    epoch_began: f64,
    epochs: Vec<EpochRecord>,
    target: Option<TargetRecord>,
    diverged: Option<Divergence>,
    evaluation: Option<Evaluation>,
}

impl Progress {
    /// Enters what some updates saw, up to the first whose loss is not finite; whether there was none.
    fn enter(&mut self, seen: &[Tally], losses: &mut Vec<f32>) -> bool {
        for tally in seen {
            self.updates += 1;
            if !tally.loss.is_finite() {
                return false;
            }
            losses.push(tally.mean_loss() as f32);
            self.position += tally.samples as usize;
            self.samples += tally.samples;
            self.tally.add(*tally);
        }
        true
    }
}

/// How a trial ended and what it knows.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Where it stopped being finite.
    pub diverged: Option<Divergence>,
    /// Weight updates done.
    pub updates: u64,
    /// Training samples seen.
    pub samples: u64,
    /// Seconds of training.
    pub train_seconds: f64,
    /// Seconds in all.
    pub wall_seconds: f64,
    /// One row per epoch, row 0 before any update.
    pub epochs: Vec<EpochRecord>,
    /// The target and when it was reached.
    pub target: Option<TargetRecord>,
    /// Loss and accuracy of the final weights, if they were evaluated.
    pub evaluation: Option<Evaluation>,
}

/// Why the step loop paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    ReportPoint,
    NotFinite,
    Interrupted,
}

impl<'d> Session<'d> {
    /// Makes everything a trial needs; afterwards a step fails only if samples cannot be read.
    ///
    /// # Errors
    /// If model and data do not fit, weights cannot be loaded, or the machine has too little memory or threads.
    pub fn new(trial: &Trial, data: &'d Dataset, limits: Limits) -> Result<Self> {
        let (features, classes) = (data.shape.features(), data.classes.len());
        let plan = Plan::for_targets(&trial.model, features, classes, trial.targets)?;
        trial.recipe.loss.check(&plan.model, trial.targets, classes)?;
        let samples = trial.recipe.update.samples(data.train.len());
        let trial = &trial.resolved(data.train.len());
        check_memory(&plan, trial, samples)?;
        let mut params = Params::init(plan.layout.clone(), &trial.recipe.init, trial.seed);
        if let Some(path) = &trial.init_from {
            load_weights(&mut params, path)?;
        }
        let engine = Engine::new(
            [machine::team(limits.threads)?, machine::team(1)?],
            plan,
            trial,
            params,
            (samples, data.shape),
            limits.microbatch,
        )?;
        let ahead = (engine.at_once(), limits.read_ahead());
        let feed = |split, order| Feed::new(split, &data.normalisation, order, ahead);
        let target = trial.budget.target.map(|target| TargetRecord {
            metric: target.metric.to_string(),
            op: target.op.to_string(),
            value: target.value,
            seconds: None,
            updates: None,
        });
        Ok(Self {
            trial: trial.clone(),
            train: feed(&data.train, (trial.recipe.order, trial.seed))?,
            eval: feed(data.evaluated().1, (Order::Sequential, 0))?,
            copy: engine.snapshot(),
            engine,
            samples,
            eval_every: None,
            data_bytes: data.bytes(),
            began: Instant::now(),
            progress: Progress { target, ..Progress::default() },
            losses: Vec::with_capacity(data.train.len().div_ceil(samples)),
            seen: Vec::with_capacity(blocked::ROWS),
        })
    }

    /// Evaluates every so many updates, besides the ends of epochs.
    pub fn evaluate_every(&mut self, updates: Option<u64>) {
        self.eval_every = updates;
    }

    /// The weights as they are now.
    pub fn params(&self) -> &Params {
        self.engine.params()
    }

    /// Name of the path the updates take.
    pub fn strategy(&self) -> &'static str {
        self.engine.strategy().name()
    }

    /// Name of the arithmetic of the products; `f32-fma-1` where the machine cannot do what the recipe allows.
    pub fn arithmetic(&self) -> &'static str {
        self.engine.arithmetic()
    }

    /// The first `count` evaluated images as they are, as the network sees them, and as it answers, if it is an
    /// autoencoder of images.
    ///
    /// # Errors
    /// What reading them reports.
    pub fn reconstructions(&mut self, count: usize) -> Result<Option<Reconstructions>> {
        self.engine.reconstructions(&mut self.eval, count)
    }

    /// What the buffers take.
    pub fn memory(&self) -> MemoryRecord {
        self.engine.memory(self.data_bytes)
    }

    /// Trains until the budget is used up, a condition is met, a number stops being finite, or `control` says
    /// stop.
    ///
    /// # Errors
    /// What `sink` reports, and what reading samples reports.
    pub fn run(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Outcome> {
        self.began = Instant::now();
        control.set_samples(0);
        let mut ended = self.evaluate(control, sink)?;
        while ended.is_none() {
            ended = self.stretch(control, sink)?;
        }
        Ok(self.outcome(ended.unwrap_or(Status::Finished)))
    }

    /// Trains up to the next report point and reports; how the trial ended, if it did.
    fn stretch(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.begin_epoch();
        let pause = self.steps(control)?;
        sink.take(&Event::Losses(&self.losses))?;
        match pause {
            Pause::NotFinite => self.diverge(sink).map(Some),
            Pause::Interrupted => self.cut_short(sink).map(Some),
            Pause::ReportPoint => self.evaluate(control, sink),
        }
    }

    /// Evaluates and reports, if all is finite; how the trial ended, if it did.
    fn evaluate(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.engine.settle();
        let Some(evaluation) = self.engine.evaluate(&mut self.eval, || control.interrupted())? else {
            return self.cut_short(sink).map(Some);
        };
        if evaluation.loss.is_finite() && self.engine.is_finite() {
            self.report(evaluation, sink)
        } else {
            self.diverge(sink).map(Some)
        }
    }

    /// Ends an interrupted trial. An epoch without an update gets no row; weights that were updated since the last
    /// evaluation claim none.
    fn cut_short(&mut self, sink: &mut dyn Sink) -> Result<Status> {
        self.engine.settle();
        let known = self.progress.evaluation.filter(|_| self.losses.is_empty());
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
            self.train.begin(progress.epoch - 1);
        }
    }

    /// The step loop: the clock runs, nothing is printed and nothing allocated.
    fn steps(&mut self, control: &Control) -> Result<Pause> {
        let clock = Instant::now();
        let pause = loop {
            let positions = self.progress.position..self.next_report_point();
            let cancelled = || control.interrupted();
            if !self.engine.advance(&mut self.train, positions, cancelled, &mut self.seen)? {
                break Pause::Interrupted;
            }
            if !self.progress.enter(&self.seen, &mut self.losses) {
                break Pause::NotFinite;
            }
            control.set_samples(self.progress.samples);
            if self.at_report_point() {
                break Pause::ReportPoint;
            }
        };
        self.progress.train_seconds += clock.elapsed().as_secs_f64();
        Ok(pause)
    }

    /// The position of the next report point, if no update is cut short.
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

    /// Tells the evaluation and, at its end, the epoch; decides whether the trial has ended.
    fn report(&mut self, evaluation: Evaluation, sink: &mut dyn Sink) -> Result<Option<Status>> {
        self.copy = self.engine.snapshot();
        self.progress.reported = [self.progress.updates, self.progress.samples];
        self.progress.evaluation = Some(evaluation);
        let point = self.point(evaluation);
        sink.take(&Event::Evaluation(&point))?;
        let ended = self.ended(&point);
        let end_of_epoch = point.epoch == 0 || self.progress.position == self.train.len();
        if point.epoch > 0 && end_of_epoch {
            self.engine.observe(evaluation.loss);
        }
        if end_of_epoch || ended.is_some() {
            self.close_epoch(Some(evaluation), sink)?;
        }
        Ok(ended)
    }

    fn point(&self, evaluation: Evaluation) -> EvaluationPoint {
        EvaluationPoint {
            epoch: self.progress.epoch,
            updates: self.progress.updates,
            samples: self.progress.samples,
            train_seconds: self.progress.train_seconds,
            train_loss: self.train_loss(),
            eval_loss: Some(evaluation.loss),
            eval_accuracy: evaluation.accuracy,
            reconstruction: evaluation.reconstruction,
        }
    }

    /// Running loss of the present epoch.
    fn train_loss(&self) -> Option<f64> {
        Some(self.progress.tally.mean_loss()).filter(|loss| loss.is_finite())
    }

    /// Whether a condition or the budget ends the trial here.
    fn ended(&mut self, point: &EvaluationPoint) -> Option<Status> {
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

    /// Writes the row of the present epoch; without an evaluation where it was cut short.
    fn close_epoch(&mut self, evaluation: Option<Evaluation>, sink: &mut dyn Sink) -> Result<()> {
        let row = EpochRecord {
            epoch: self.progress.epoch,
            updates: self.progress.updates,
            samples: self.progress.samples,
            train_loss: self.train_loss(),
            eval_loss: evaluation.map(|evaluation| evaluation.loss),
            eval_accuracy: evaluation.and_then(|evaluation| evaluation.accuracy),
            metrics: self.metrics(evaluation),
            train_seconds: self.progress.train_seconds - self.progress.epoch_began,
            elapsed_seconds: self.began.elapsed().as_secs_f64(),
        };
        self.progress.evaluation = evaluation;
        sink.take(&Event::Epoch(&row))?;
        self.progress.epochs.push(row);
        Ok(())
    }

    /// Further metrics of an epoch: a reconstruction's quality, a solver's evaluations since the start.
    fn metrics(&self, evaluation: Option<Evaluation>) -> BTreeMap<String, Option<f64>> {
        let quality = evaluation.and_then(|evaluation| evaluation.reconstruction);
        let mut metrics = quality.map_or_else(BTreeMap::new, metrics);
        metrics.extend(self.engine.evaluations().map(|count| ("evaluations".to_owned(), Some(count as f64))));
        metrics
    }

    /// Names the update and layer that are not finite and goes back to the last weights that are.
    fn diverge(&mut self, sink: &mut dyn Sink) -> Result<Status> {
        let layer = self.engine.first_non_finite();
        self.progress.diverged = Some(Divergence { update: self.progress.updates, layer });
        self.engine.restore(&self.copy);
        [self.progress.updates, self.progress.samples] = self.progress.reported;
        self.progress.tally = Tally::default();
        self.close_epoch(None, sink)?;
        Ok(Status::Diverged)
    }

    /// What is known after a sink or a read failed.
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
            wall_seconds: self.began.elapsed().as_secs_f64(),
            epochs: progress.epochs,
            target: progress.target,
            evaluation: progress.evaluation,
        }
    }
}

fn metric(point: &EvaluationPoint, metric: Metric) -> Option<f64> {
    match metric {
        Metric::TrainLoss => point.train_loss,
        Metric::EvalLoss => point.eval_loss,
        Metric::EvalAccuracy => point.eval_accuracy,
    }
}

/// A reconstruction's quality as further metrics of an epoch.
fn metrics(found: Reconstruction) -> BTreeMap<String, Option<f64>> {
    let metrics = [("mse", Some(found.mse)), ("psnr", Some(found.psnr)), ("ssim", found.ssim)];
    metrics.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Refuses a network whose weights and state do not fit into the memory that is free.
fn check_memory(plan: &Plan, trial: &Trial, samples: usize) -> Result<()> {
    let weights_and_slots = 1 + trial.recipe.optimizer.slots();
    let copies = match Strategy::choose(plan, trial, samples, MICROBATCH) {
        Strategy::BlockedSample => 3 * weights_and_slots, // live, as of the last report point, and in case of divergence
        Strategy::InBackward | Strategy::Fused | Strategy::Staged | Strategy::Solver => {
            2 * weights_and_slots + 1
        } // the last one a gradient
    };
    let needed = copies as u64 * plan.layout.len() as u64 * size_of::<f32>() as u64;
    match machine::available_memory() {
        Some(available) if needed > available => {
            let gib = |bytes: u64| bytes as f64 / (1 << 30) as f64;
            let (model, needed, available) = (&plan.model, gib(needed), gib(available));
            Err(Error::usage(format!("model `{model}` needs {needed:.1} GiB for weights, gradients and optimizer state, but {available:.1} GiB are free"))
                .advise("a smaller --model"))
        }
        _ => Ok(()),
    }
}
