//! Timing of epochs in a real session, as a study would run them.

use schuss::data::Dataset;
use schuss::record::Status;
use schuss::session::{Limits, Session};
use schuss::{Budget, Error, Recipe, Result, Trial};

/// Training task, in command-line specs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Model spec.
    pub model: String,
    /// Update rule.
    pub update: String,
    /// Optimizer spec.
    pub optimizer: String,
}

/// Execution path of the updates, and training time of each epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Laps {
    /// Name of the execution path.
    pub strategy: &'static str,
    /// Seconds of training per epoch, without evaluation.
    pub seconds: Vec<f64>,
}

/// Trains for `epochs` epochs on all cores.
///
/// # Errors
/// If the task cannot be parsed or set up, or its training diverges.
pub fn run(task: &Task, data: &Dataset, epochs: u32) -> Result<Laps> {
    let recipe =
        Recipe { update: task.update.parse()?, optimizer: task.optimizer.parse()?, ..Recipe::default() };
    let budget = Budget { epochs, ..Budget::default() };
    let trial = Trial { model: task.model.parse()?, recipe, budget, ..Trial::default() };
    let mut session = Session::new(&trial, data, Limits::default())?;
    let outcome = session.run()?;
    if outcome.status != Status::Finished {
        return Err(Error::failure(format!("{task:?} ended as {:?} and has no time", outcome.status))
            .advise("a smaller learning rate"));
    }
    let rows = outcome.epochs.iter().filter(|row| row.epoch > 0);
    Ok(Laps { strategy: session.strategy(), seconds: rows.map(|row| row.train_seconds).collect() })
}
