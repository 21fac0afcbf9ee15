//! The clock: epochs of a real session, as a study would run them.

use schuss::data::Dataset;
use schuss::session::{Control, Limits, Session};
use schuss::study::record::Status;
use schuss::{Budget, Error, Recipe, Result, Trial};

/// What to train, as it is typed on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The network.
    pub model: String,
    /// Samples per update.
    pub update: String,
    /// From gradient to new weights.
    pub optimizer: String,
}

/// The path the updates took, and the seconds of training of each epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Laps {
    /// Name of the path.
    pub strategy: &'static str,
    /// First to last; evaluation is not counted.
    pub seconds: Vec<f64>,
}

/// Trains for so many epochs on all cores.
///
/// # Errors
/// If the task cannot be read or set up, or its training did not stay finite.
pub fn run(task: &Task, data: &Dataset, epochs: u32) -> Result<Laps> {
    let recipe =
        Recipe { update: task.update.parse()?, optimizer: task.optimizer.parse()?, ..Recipe::default() };
    let budget = Budget { epochs, ..Budget::default() };
    let trial = Trial { model: task.model.parse()?, recipe, budget, ..Trial::default() };
    let mut session = Session::new(&trial, data, Limits::default())?;
    let outcome = session.run(&Control::default(), &mut ())?;
    if outcome.status != Status::Finished {
        return Err(Error::failure(format!("{task:?} ended as {:?} and has no time", outcome.status))
            .advise("a smaller learning rate"));
    }
    let rows = outcome.epochs.iter().filter(|row| row.epoch > 0);
    Ok(Laps { strategy: session.strategy(), seconds: rows.map(|row| row.train_seconds).collect() })
}
