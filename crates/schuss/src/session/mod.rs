//! The live thing that runs a trial: the step loop, its clock, its meters, and what it tells.

mod backward;
mod blocked;
mod cadence;
mod control;
mod curvature;
mod engine;
mod event;
mod forecast;
mod progress;
pub(crate) mod quality;
mod reconstructions;
mod solve;

pub use cadence::Cadence;
pub use control::Control;
pub use event::{Event, Sink};
pub use forecast::{Forecast, forecast};
pub use reconstructions::Reconstructions;

use crate::keep::{Keep, Keeper};
use crate::machine;
use crate::network::{MICROBATCH, Params, Plan, load_weights};
use crate::optim::Strategy;
use crate::recipe::{Condition, Metric, Trial};
use crate::study::record::{
    Best, Divergence, EpochRecord, Evaluation, EvaluationPoint, MemoryRecord, Reconstruction, Status,
    TargetRecord,
};
use crate::{Error, Result};
use control::Watch;
use engine::{Engine, Snapshot, Tally};
use progress::Progress;
use schuss_data::order::Order;
use schuss_data::{Dataset, Feed, text};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::Xxh3;

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
    /// How often trials are kept, besides the ends of epochs.
    pub checkpoint_every: Cadence,
}

impl Default for Limits {
    /// All cores, one trial after the other.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let checkpoint_every = Cadence::default();
        Self { threads, microbatch: None, memory: None, side_by_side: false, checkpoint_every }
    }
}

impl Limits {
    /// For each of `workers` sessions side by side over the same `data` bytes.
    pub(crate) fn shared_out(self, workers: usize, data: u64) -> Self {
        let memory = self.memory.map(|all| all.min(data) + all.saturating_sub(data) / workers as u64);
        Self { threads: (self.threads / workers).max(1), memory, ..self }
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
    /// How long steps had waited for samples when the present epoch began.
    waited: Duration,
    /// What is looked at once, at the end, if that is another split.
    test: Option<Feed<'d>>,
    engine: Engine,
    /// Samples per update.
    samples: usize,
    /// Updates between evaluations within an epoch.
    eval_every: Option<u64>,
    data_bytes: usize,
    cadence: Cadence,
    /// When it began, or went on.
    began: Instant,
    /// When it was kept last, or went on.
    kept: Instant,
    progress: Progress,
    /// The losses of all updates since the last report point.
    losses: Vec<f32>,
    /// What the updates done last saw.
    seen: Vec<Tally>,
    /// Weights and optimizer state at the last report point, where all was finite.
    copy: Snapshot,
    /// The weights with the lowest evaluation loss so far, unless they are in their file already.
    best: Option<Params>,
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
    /// Where the evaluation loss was lowest.
    pub best: Option<Best>,
}

/// Why the step loop paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    ReportPoint,
    Checkpoint,
    /// There is no more room for losses.
    Full,
    NotFinite,
    Interrupted,
}

impl<'d> Session<'d> {
    /// Makes everything a trial needs; afterwards a step fails only if samples cannot be read.
    ///
    /// # Errors
    /// If model and data do not fit, weights cannot be loaded, or the machine has too little memory or threads.
    pub fn new(trial: &Trial, data: &'d Dataset, limits: Limits) -> Result<Self> {
        trial.targets.check(data)?;
        let (features, outputs) = (data.shape.features(), data.told().outputs());
        let plan = Plan::for_targets(&trial.model, features, outputs, trial.targets)?;
        trial.recipe.loss.check(&plan.model, trial.targets, data.classes.len())?;
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
        let ahead = (engine.at_once(), read_ahead(&engine, data, limits)?);
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
            waited: Duration::ZERO,
            train: feed(&data.train, (trial.recipe.order, trial.seed))?,
            eval: feed(data.evaluated().1, (Order::Sequential, 0))?,
            test: match data.validation {
                Some(_) => Some(feed(&data.test, (Order::Sequential, 0))?),
                None => None,
            },
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
        })
    }

    /// Evaluates every so many updates, besides the ends of epochs.
    pub fn evaluate_every(&mut self, updates: Option<u64>) {
        self.eval_every = updates;
    }

    /// Epochs begun and updates done.
    pub fn place(&self) -> [u64; 2] {
        [u64::from(self.progress.epoch), self.progress.updates]
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

    /// Frozen loss and accuracy of the present weights on the test split; nothing if `control` says stop.
    ///
    /// # Errors
    /// What reading the samples reports.
    pub fn test(&mut self, control: &Control) -> Result<Option<Evaluation>> {
        let test = self.test.as_mut().unwrap_or(&mut self.eval);
        self.engine.evaluate(test, || control.interrupted())
    }

    /// How long steps have waited for samples to be read.
    pub fn waited(&self) -> Duration {
        self.train.waited()
    }

    /// What the buffers take.
    pub fn memory(&self) -> MemoryRecord {
        self.engine.memory(self.data_bytes)
    }

    /// Trains until the budget is used up, a condition is met, a number stops being finite, or `control` says
    /// stop; from the start, or from where a checkpoint was taken.
    ///
    /// # Errors
    /// What `sink` reports, and what reading samples reports.
    pub fn run(&mut self, control: &Control, sink: &mut dyn Sink) -> Result<Outcome> {
        (self.began, self.kept) = (Instant::now(), Instant::now());
        control.set_samples(self.progress.samples);
        let mut ended = self.progress.ended;
        if self.progress.evaluation_is_due && ended.is_none() {
            ended = self.evaluate(control, sink)?;
        }
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
            Pause::Checkpoint => self.checkpoint(sink).map(|()| None),
            Pause::Full => Ok(None),
            Pause::ReportPoint => {
                self.progress.evaluation_is_due = true;
                self.evaluate(control, sink)
            }
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

    /// Ends an interrupted trial, which can go on later. An epoch without an update gets no row; weights that were
    /// updated since the last evaluation claim none.
    fn cut_short(&mut self, sink: &mut dyn Sink) -> Result<Status> {
        self.checkpoint(sink)?;
        self.engine.settle();
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

    /// The step loop: the clock runs, nothing is printed and nothing allocated.
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
        self.progress.evaluation_is_due = false;
        let point = self.point(evaluation);
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

    /// Takes a copy of the weights if no evaluation loss before was as low.
    fn compare_with_best(&mut self, point: &EvaluationPoint, loss: f64) {
        if self.progress.best.is_none_or(|best| loss < best.eval_loss) {
            self.progress.best = Some(Best { epoch: point.epoch, updates: point.updates, eval_loss: loss });
            match &mut self.best {
                Some(best) => best.values_mut().copy_from_slice(self.engine.params().values()),
                None => self.best = Some(self.engine.params().clone()),
            }
        }
    }

    /// Has the trial kept.
    fn checkpoint(&mut self, sink: &mut dyn Sink) -> Result<()> {
        sink.checkpoint(self)?;
        self.kept = Instant::now();
        Ok(())
    }

    /// The weights with the lowest evaluation loss, if they have changed since they were asked for.
    pub fn new_best(&mut self) -> Option<Params> {
        self.best.take()
    }

    /// Writes down all that the trial needs to go on to the same bits.
    ///
    /// # Errors
    /// What `to` reports.
    pub fn save(&mut self, mut to: &mut dyn Write) -> std::io::Result<()> {
        self.keep(&mut Keeper::Save(&mut to))
    }

    /// Reads back what [`save`](Self::save) wrote of the same trial on the same data.
    ///
    /// # Errors
    /// If `from` ends early, or is of another trial; the session is then of no use any more.
    pub fn load(&mut self, mut from: &mut dyn Read) -> std::io::Result<()> {
        self.keep(&mut Keeper::Load(&mut from))?;
        self.best = None;
        self.engine.settle();
        let Progress { position, updates, samples, .. } = self.progress;
        let counts = updates.max(samples) < MOST_COUNTED;
        let fits = counts && position <= self.train.len() && self.engine.is_at(position, self.train.len());
        if fits { Ok(()) } else { Err(std::io::Error::other("it is at no place in the data")) }
    }

    /// Hash of weights and optimizer state: 128-bit XXH3, as 32 hex digits.
    pub fn digest(&mut self) -> String {
        self.engine.settle();
        let mut hash = Xxh3::new();
        match self.engine.keep_trained(&mut Keeper::Save(&mut hash)) {
            Ok(()) => format!("{:032x}", hash.digest128()),
            Err(_) => String::new(), // a hash takes anything
        }
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
            load_wait_seconds: self.train.waited().saturating_sub(self.waited).as_secs_f64(),
            elapsed_seconds: self.elapsed(),
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

    /// Seconds since the trial began, without those between a kill and going on.
    fn elapsed(&self) -> f64 {
        self.progress.wall_seconds + self.began.elapsed().as_secs_f64()
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
            wall_seconds: self.elapsed(),
            epochs: progress.epochs,
            target: progress.target,
            evaluation: progress.evaluation,
            best: progress.best,
        }
    }
}

impl Keep for Session<'_> {
    fn keep(&mut self, keeper: &mut Keeper) -> std::io::Result<()> {
        (self.progress.wall_seconds, self.began) = (self.elapsed(), Instant::now());
        keeper.json(&mut self.progress)?;
        self.engine.keep(keeper)?;
        self.copy.keep(keeper)
    }
}

/// Losses that are told at once.
const MOST_LOSSES: usize = 1 << 16;

/// More updates or samples than can ever be counted.
const MOST_COUNTED: u64 = 1 << 53;

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

/// Bytes for reading ahead of each split that is streamed: an equal share of what the limit leaves beside the buffers.
///
/// # Errors
/// A usage error if the limit leaves nothing.
fn read_ahead(engine: &Engine, data: &Dataset, limits: Limits) -> Result<u64> {
    let Some(memory) = limits.memory else { return Ok(u64::MAX) };
    let held = engine.memory(data.bytes()).total() as u64;
    let Some(left) = memory.checked_sub(held) else {
        let [held, memory] = [held, memory].map(text::bytes);
        return Err(Error::usage(format!(
            "the trial's buffers take {held}, but the process may take {memory}"
        ))
        .advise("more --memory, a smaller --model, or an optimizer with less state"));
    };
    let streamed = data.splits().filter(|(_, split)| split.resident().is_none()).count() as u64;
    Ok(left / streamed.max(1))
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
