//! Estimate of a trial's time and memory from a few of its updates.

use super::control::Watch;
use super::{Control, Limits, Session};
use crate::Result;
use crate::network::Plan;
use crate::recipe::Trial;
use schuss_data::Dataset;
use std::time::{Duration, Instant};

/// Estimate of a trial's time and memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Number of weight updates.
    pub updates: u64,
    /// Seconds of training and evaluation, at the speed of a few updates just measured.
    pub seconds: f64,
    /// Seconds of training per sample, at the same speed.
    pub seconds_per_sample: f64,
    /// Bytes of all buffers, without the data.
    pub bytes: usize,
}

/// Duration of the measurement.
const TRIED_FOR: Duration = Duration::from_millis(100);
/// Duration of the warm-up before it, so that caches are warm and threads are awake.
const WARM_UP: Duration = Duration::from_millis(30);
/// Minimum number of samples per measured step: about a block of delayed updates.
const FEWEST_SAMPLES: usize = 84;
/// Maximum number of samples per measured step.
const TRIED_SAMPLES: usize = 2_048;
/// Maximum number of multiply-adds per measured step: half a second on two fast cores.
const TRIED_WORK: u64 = 40_000_000_000;

/// Allocates the trial's buffers, runs a few updates and discards them.
///
/// # Errors
/// As for [`Session::new`].
pub fn forecast(trial: &Trial, data: &Dataset, limits: Limits) -> Result<Forecast> {
    let mut session = Session::new(trial, data, limits)?;
    let memory = session.memory();
    let per_epoch = data.train.len().div_ceil(session.samples) as u64;
    let updates = trial.updates(data.train.len());
    let epochs = updates as f64 / per_epoch as f64;
    let samples = epochs * data.train.len() as f64;
    let evaluations = (1.0 + epochs.ceil()) * data.evaluated().len() as f64 / 3.0; // forward is a third of the work
    let work = Plan::unchecked(&trial.model, data.shape)?.work_per_sample();
    let seconds_per_sample = session.seconds_per_sample(work)?;
    Ok(Forecast {
        updates,
        seconds: (samples + evaluations) * seconds_per_sample,
        seconds_per_sample,
        bytes: memory.parameters
            + memory.gradients
            + memory.optimizer_state
            + memory.activations
            + memory.copy,
    })
}

impl Session {
    /// Measures the training time per sample of `work` multiply-adds.
    fn seconds_per_sample(&mut self, work: usize) -> Result<f64> {
        let control = Control::default();
        let (mut position, mut counted, mut warm) = (0, 0, false);
        let fit = TRIED_WORK / work.max(1) as u64;
        let at_once = self.samples.min(fit as usize).clamp(FEWEST_SAMPLES, TRIED_SAMPLES);
        let mut clock = Instant::now();
        while !warm || clock.elapsed() < TRIED_FOR {
            if !warm && clock.elapsed() > WARM_UP {
                (clock, counted, warm) = (Instant::now(), 0, true);
            }
            let end = self.train.len().min(position + at_once);
            let watch = Watch::new(&control, None);
            self.seen.clear();
            self.engine.advance(&mut self.train, position..end, watch, &mut self.seen)?;
            let samples = self.seen.iter().map(|tally| tally.samples as usize).sum::<usize>();
            position = (position + samples) % self.train.len();
            counted += samples;
        }
        Ok(clock.elapsed().as_secs_f64() / counted.max(1) as f64)
    }
}
