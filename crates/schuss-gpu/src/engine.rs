//! Engine on a graphics card: many updates per call, and no way back to the host within one.

use crate::adapter::Adapter;
use crate::buffers::Buffers;
use crate::chunk::{READ, Samples};
use crate::device::Device;
use crate::mirror::Mirror;
use crate::places::{Places, stores_bytes};
use crate::program::{Program, Source};
use crate::shader::Normaliser;
use crate::support;
use crate::trace::{self, TargetKind, Traced};
use crate::updates::knobs;
use schuss::data::{Dataset, Feed, ImageShape, Values};
use schuss::metrics::{Metrics, Reconstructions};
use schuss::network::{Params, Plan};
use schuss::optim::Updater;
use schuss::record::MemoryRecord;
use schuss::session::{
    Control, Engine, Judge, Limits, Tally, Watch, check_memory, checked_plan, initial_params,
};
use schuss::state::StateCodec;
use schuss::{Result, Trial};
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Engine that runs a trial on a graphics card.
///
/// Weights and optimizer state have a mirror on the host, which is brought up to date at report points; a checkpoint can
/// be read by the engine on the processor, and the other way round, unless an update was not finished.
pub struct Gpu {
    pub(crate) device: Device,
    pub(crate) buffers: Buffers,
    pub(crate) places: Places,
    pub(crate) program: Program,
    pub(crate) plan: Plan,
    pub(crate) mirror: Mirror,
    pub(crate) judge: Judge,
    pub(crate) samples: Samples,
    /// Shape of the images that an autoencoder reconstructs.
    pub(crate) image: Option<ImageShape>,
    /// True if inputs have noise.
    pub(crate) is_noisy: bool,
    weights_on_card: WeightsOnCard,
    /// True if the card is ahead of the mirror.
    mirror_is_old: bool,
    /// Samples of the last pass.
    pub(crate) last_rows: usize,
    /// Updates of the next call: as many as take about [`CALL`].
    pace: usize,
    memory: MemoryRecord,
    arithmetic: String,
}

/// Weights that the card holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WeightsOnCard {
    Trained,
    /// Those for evaluation, or those before a restored or loaded state.
    Others,
}

/// Time that a call of `advance` should take: interruptions and checkpoints wait for its end.
const CALL: Duration = Duration::from_millis(100);

impl Gpu {
    /// Allocates everything a trial needs on the card of `adapter` and compiles its shaders.
    ///
    /// # Errors
    /// If model and data do not match, weights cannot be loaded, the trial needs what is not written for cards or more
    /// memory than there is, or the card fails.
    pub fn new(trial: &Trial, data: &Dataset, limits: Limits, adapter: &Adapter) -> Result<Self> {
        let plan = checked_plan(trial, data)?;
        let trial = &trial.resolved(data.train.len());
        let judge = Judge::new(trial, data, plan.outputs)?;
        support::check(trial, &plan, &judge)?;
        let normaliser = Normaliser::new(&data.normalisation, stores_bytes(data)?, plan.inputs);
        let loss = loss(trial, plan.outputs)?;
        let knobs = loss.knobs.len();
        let places = Places::new(trial, &plan, data, &normaliser, knobs, adapter.largest_buffer())?;
        let places = places.within(limits.device_memory)?;
        let memory = memory(trial, &plan, &places)?;
        check_memory(&plan.model, data, &memory, limits)?;
        let params = initial_params(trial, &plan)?;
        let descent = support::descent(&trial.recipe.optimizer)?;
        let updater = Updater::of(descent, &trial.recipe.schedule, trial.seed, &params)?;
        let device = Device::open(adapter)?;
        let buffers = Buffers::new(&device, &places);
        device.check()?;
        let source = Source {
            trial,
            plan: &plan,
            normaliser: &normaliser,
            updater: &updater,
            groups: &descent.groups,
            loss: &loss,
        };
        let program = Program::new(&device, buffers.layout.clone(), places.clone(), &source)?;
        device.write_floats(&buffers.arena, places.affine, &normaliser.affine);
        send_resident(&device, &buffers, data);
        let mut gpu = Self {
            samples: Samples::default(),
            image: data.shape.image().filter(|_| support::reconstructs(trial)),
            mirror: Mirror::new(params, updater, descent.shows_others()),
            is_noisy: trial.noise.is_some(),
            weights_on_card: WeightsOnCard::Others,
            mirror_is_old: false,
            last_rows: 0,
            pace: 1,
            arithmetic: adapter.arithmetic(),
            device,
            buffers,
            places,
            program,
            plan,
            judge,
            memory,
        };
        gpu.compile_step()?;
        Ok(gpu)
    }

    /// Number of bytes of all buffers on the card.
    pub fn device_memory(&self) -> u64 {
        self.places.bytes()
    }

    /// Compiles the step of the first update, which refuses optimizers that look at more than one element.
    fn compile_step(&mut self) -> Result<()> {
        let mut updater = self.mirror.updater.clone();
        updater.advance();
        let shapes = knobs(&self.program, &self.places, &updater, &mut vec![])?;
        self.program.step(&self.device, &updater, &shapes)
    }

    /// Makes the card hold the trained weights, and the optimizer's state.
    fn send_trained(&mut self) {
        if self.weights_on_card != WeightsOnCard::Trained {
            self.mirror.upload(&self.device, &self.buffers.params, &self.buffers.slots);
            self.weights_on_card = WeightsOnCard::Trained;
        }
    }

    /// Makes the card hold the weights for evaluation; the mirror is up to date.
    pub(crate) fn send_shown(&mut self) {
        if self.mirror.shown.is_none() {
            return self.send_trained();
        }
        self.device.write_floats(&self.buffers.params, 0, self.mirror.shown().values());
        self.weights_on_card = WeightsOnCard::Others;
    }

    /// Brings the mirror up to date.
    fn receive(&mut self) -> Result<()> {
        if self.mirror_is_old {
            self.mirror.download(&self.device, &self.buffers.params, &self.buffers.slots)?;
            self.mirror_is_old = false;
        }
        Ok(())
    }
}

/// Returns WGSL of the loss of a row of outputs.
///
/// # Errors
/// A usage error for a loss of one's own.
fn loss(trial: &Trial, outputs: usize) -> Result<Traced> {
    let loss = &trial.recipe.loss;
    let kind = if trial.targets.is_class() { TargetKind::Class } else { TargetKind::Numbers };
    trace::loss(loss, kind, outputs, "loss", 0).ok_or_else(|| support::refused(&format!("loss `{loss}`")))
}

/// Sends the training samples, if they stay on the card.
fn send_resident(device: &Device, buffers: &Buffers, data: &Dataset) {
    let (Some(buffer), Some(samples)) = (&buffers.resident, data.train.resident()) else { return };
    match samples.values() {
        Values::Floats(floats) => device.write_floats(buffer, 0, floats),
        Values::Bytes(bytes) => {
            const PIECE: usize = 4 << 20;
            for (index, piece) in bytes.chunks(PIECE).enumerate() {
                let mut piece = piece.to_vec();
                piece.resize(piece.len().next_multiple_of(4), 0);
                device.write(buffer, index * PIECE, &piece);
            }
        }
    }
}

/// Returns the memory on the host.
fn memory(trial: &Trial, plan: &Plan, places: &Places) -> Result<MemoryRecord> {
    let descent = support::descent(&trial.recipe.optimizer)?;
    let parameters = plan.layout.len() * size_of::<f32>();
    let optimizer_state = Updater::state_bytes(descent, &plan.layout)?;
    let shown = if descent.shows_others() { parameters } else { 0 };
    Ok(MemoryRecord {
        parameters,
        gradients: 0,
        optimizer_state,
        activations: 4 * (places.staged + places.chunk_words + 2 * places.chunk),
        copy: parameters + optimizer_state + parameters + shown,
        ..MemoryRecord::default()
    })
}

impl Engine for Gpu {
    fn advance(
        &mut self,
        feed: &mut Feed,
        positions: Range<usize>,
        watch: Watch,
        seen: &mut Vec<Tally>,
    ) -> Result<()> {
        if watch.interrupted() || watch.is_due() {
            return Ok(());
        }
        self.send_trained();
        let began = Instant::now();
        let end = positions.end.min(positions.start + self.pace * self.places.samples);
        self.mirror_is_old = true;
        self.mirror.copy_is_old = true;
        for update in self.updates(feed, positions.start..end)? {
            let weight = if update.weight == 0.0 { 1.0 } else { update.weight };
            let tally = update.tally.weighed(weight);
            seen.push(tally);
            if !tally.loss.is_finite() {
                break;
            }
        }
        self.pace = match began.elapsed() {
            elapsed if elapsed < CALL / 2 => (2 * self.pace).min(self.places.most_updates()),
            elapsed if elapsed > 2 * CALL => (self.pace / 2).max(1),
            _ => self.pace,
        };
        Ok(())
    }

    fn settle(&mut self, _: Option<&mut Feed>) -> Result<()> {
        self.receive()?;
        self.mirror.show();
        Ok(())
    }

    fn needs_statistics(&self) -> bool {
        false
    }

    fn evaluate(&mut self, feed: &mut Feed, metrics: &mut Metrics, control: &Control) -> Result<Option<f64>> {
        self.evaluate_all(feed, metrics, control)
    }

    fn reconstructions(&mut self, feed: &mut Feed, count: usize) -> Result<Option<Reconstructions>> {
        self.reconstruct(feed, count)
    }

    fn observe(&mut self, eval_loss: f64) {
        self.mirror.updater.observe(eval_loss);
    }

    fn params(&self) -> &Params {
        self.mirror.shown()
    }

    fn is_finite(&self) -> bool {
        self.mirror.params.first_non_finite().is_none()
    }

    fn first_non_finite(&self) -> String {
        let outputs = || self.first_non_finite_output();
        let layers = || self.plan.stages().last().map(|stage| stage.layer().to_string());
        outputs().or_else(|| self.mirror.params.first_non_finite()).or_else(layers).unwrap_or_default()
    }

    fn keep(&mut self) {
        self.mirror.keep();
    }

    fn restore(&mut self) {
        self.mirror.restore();
        self.mirror_is_old = false;
        self.weights_on_card = WeightsOnCard::Others;
    }

    fn state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        if codec.loads() {
            self.mirror_is_old = false;
            self.weights_on_card = WeightsOnCard::Others;
        } else {
            self.receive().map_err(io::Error::other)?;
        }
        self.mirror.code(codec)
    }

    fn trained_state(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.mirror.code_trained(codec)
    }

    fn is_at(&self, _position: usize, _len: usize) -> bool {
        true
    }

    fn at_once(&self) -> usize {
        READ.max(self.places.most_updates())
    }

    fn memory(&self) -> MemoryRecord {
        self.memory
    }

    fn strategy(&self) -> &'static str {
        if self.program.gradients.is_empty() { "card-in-backward" } else { "card-stored" }
    }

    fn arithmetic(&self) -> &str {
        &self.arithmetic
    }
}
