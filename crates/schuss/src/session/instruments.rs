//! Instruments of a session: what they need between and at report points.

use super::{Engine, Event, Session, Sink};
use crate::instrument::{Instrument, SAMPLES, View, largest_stable_rate, sharpness};
use crate::optim::{Rule, ScheduledRule};
use crate::recipe::Trial;
use crate::record::{Evaluation, Stability};
use crate::{Cause, Error, Result};
use schuss_data::stream::order::{EpochOrder, Order};
use schuss_data::{Dataset, Feed, Split};

/// Number of training samples on which the sharpness of a diverged trial is measured: fewer than instruments look at, and
/// with a larger tolerance, as a comparison of rates may have many diverged trials.
const SAMPLES_OF_BOUND: usize = 512;

/// Relative residual of the sharpness of a diverged trial.
const TOLERANCE_OF_BOUND: f64 = 1e-2;

/// Instruments that read a trial, and what they look at.
pub(super) struct Instruments {
    chosen: Vec<Instrument>,
    /// Training samples to look at, in memory.
    samples: Feed,
    /// Trained weights before the last update of the current epoch, if an instrument compares weights.
    before: Option<Vec<f32>>,
}

impl Instruments {
    /// Reads the samples that the instruments of `trial` look at; None if it has no instruments.
    ///
    /// # Errors
    /// A usage error for an engine without instruments, or if samples cannot be read.
    pub(super) fn new(engine: &mut dyn Engine, trial: &Trial, data: &Dataset) -> Result<Option<Self>> {
        if trial.instruments.is_empty() {
            return Ok(None);
        }
        let probe = engine.probe().ok_or_else(|| {
            Error::usage("this engine has no instruments")
                .because(Cause::Mismatch)
                .advise("--device cpu, or leave out --instrument")
        })?;
        trial.instruments.iter().try_for_each(|instrument| instrument.supports(probe))?;
        let len = data.train.len();
        let order = EpochOrder::new(Order::Fixed, len, 0, 0);
        let indices: Vec<u64> = (0..len.min(SAMPLES)).map(|position| order.index(position) as u64).collect();
        let split: Split = data.train.read(&indices)?.into();
        let samples = Feed::new(&split, &data.normalisation, Order::Sequential, 0, engine.at_once(), 0)?;
        Ok(Some(Self { chosen: trial.instruments.clone(), samples, before: None }))
    }

    /// True if an instrument needs the weights before the last update.
    fn compare_weights(&self) -> bool {
        self.chosen.iter().any(Instrument::compares_weights)
    }
}

impl Session {
    /// Compares the learning rate of an update with the largest stable one at the weights with the lowest evaluation loss,
    /// since those of the last report point may have exploded already; None for optimizers other than plain `sgd`, for
    /// rates that follow evaluations, and where it cannot be measured.
    pub(super) fn stability(&mut self, update: u64) -> Option<Stability> {
        let recipe = &self.trial.recipe;
        let rule = recipe.optimizer.sole_rule().filter(|_| update > 0 && !recipe.schedule.waits())?;
        let Rule::Sgd(sgd) = ScheduledRule::new(rule.clone(), recipe.schedule.clone()).at(update) else {
            return None;
        };
        let samples = self.train.len().min(SAMPLES_OF_BOUND);
        let probe = self.engine.probe().filter(|probe| probe.check_curvature().is_ok())?;
        let (best, weights) = self.progress.best.zip(self.best.as_mut())?;
        self.train.begin(0);
        probe.swap_weights(weights.values_mut());
        let found = sharpness(probe, &mut self.train, 0..samples, TOLERANCE_OF_BOUND);
        probe.swap_weights(weights.values_mut());
        let found = found.ok()?;
        let (descent, largest_lr) = largest_stable_rate(&sgd, found.value)?;
        Some(Stability {
            lr: sgd.lr,
            sharpness: found.value,
            largest_lr,
            ratio: sgd.lr / largest_lr,
            descent,
            measured_at: best.updates,
            samples,
        })
    }

    /// Returns the number of samples until the next point at which instruments need the weights, if that is before the
    /// next report point: where its last update begins. There, takes the weights.
    pub(super) fn samples_before_comparison(&mut self) -> Result<usize> {
        let (end, position) = (self.next_report_point(), self.progress.position);
        let Some(instruments) = self.instruments.as_ref().filter(|chosen| chosen.compare_weights()) else {
            return Ok(usize::MAX);
        };
        let last = (end - 1) / self.samples * self.samples;
        if position < last {
            return Ok(last - position);
        }
        if instruments.before.is_none() {
            self.settle()?;
            let weights = self.engine.probe().map(|probe| probe.weights().values().to_vec());
            if let Some(instruments) = &mut self.instruments {
                instruments.before = weights;
            }
        }
        Ok(usize::MAX)
    }

    /// Returns the mean training loss of the samples that instruments look at, at other weights; not a number without
    /// instruments.
    pub(crate) fn loss_at(&mut self, weights: &[f32]) -> Result<f64> {
        let (Some(instruments), Some(probe)) = (&mut self.instruments, self.engine.probe()) else {
            return Ok(f64::NAN);
        };
        let positions = 0..instruments.samples.len();
        probe.loss(&mut instruments.samples, positions, weights)
    }

    /// Enters the readings of all instruments, before the first update, at the end of an epoch and of the trial.
    pub(super) fn read_instruments(
        &mut self,
        evaluation: &mut Evaluation,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let Some(instruments) = &mut self.instruments else { return Ok(()) };
        let before = instruments.before.take();
        let updates = self.progress.updates;
        let is_end = self.progress.position == self.train.len()
            || self.trial.budget.max_updates.is_some_and(|max| updates >= max);
        let Some(probe) = self.engine.probe().filter(|_| updates == 0 || is_end) else { return Ok(()) };
        if instruments.chosen.iter().any(Instrument::keeps_weights) {
            sink.take(&Event::Weights(probe.weights().values()))?;
        }
        let view = &mut View { probe, samples: &mut instruments.samples, before: before.as_deref() };
        instruments.chosen.iter().try_for_each(|instrument| instrument.enter(view, evaluation))
    }
}
