//! Trials for a row of the table, small enough that all rows take seconds.

use crate::common::{ONE_THREAD, bits, random_data, trial};
use schuss::data::Dataset;
use schuss::network::Params;
use schuss::recipe::EvalEvery;
use schuss::session::{Cadence, Control, Event, Limits, Outcome, Session, Sink};
use schuss::{Budget, Trial};
use schuss::{Error, Result};
use std::sync::LazyLock;

/// Update rule with 30 updates per epoch.
pub(crate) const UPDATE: &str = "batch:20";
static DIGITS: LazyLock<Dataset> =
    LazyLock::new(|| schuss::data::load("digits:train=600,test=200,size=8").unwrap());

/// Data so small that one thread computes all products, and learnt in two epochs.
pub(crate) fn digits() -> &'static Dataset {
    &DIGITS
}

/// A trial of the given number of updates on [`digits`].
pub(crate) fn on_digits(optimizer: &str, updates: u64) -> Trial {
    of_updates(trial("64-24-10", UPDATE, optimizer, 100), updates)
}

/// Data large enough that every kind of work is split among threads, and that updates of one sample are delayed.
static WIDE: LazyLock<Dataset> = LazyLock::new(|| random_data(40, 10, 64, 20, 3));

pub(crate) fn wide() -> &'static Dataset {
    &WIDE
}

/// A trial of a few updates on [`wide`].
pub(crate) fn on_wide(optimizer: &str, update: &str) -> Trial {
    of_updates(trial("40-300-200-10", update, optimizer, 100), 3)
}

fn of_updates(mut trial: Trial, updates: u64) -> Trial {
    trial.budget.max_updates = Some(updates);
    trial
}

/// Outcome of a trial, the path it took, and its evaluation weights.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) strategy: &'static str,
    pub(crate) params: Params,
}

impl Done {
    pub(crate) fn bits(&self) -> Vec<u32> {
        bits(&self.params)
    }

    /// Final loss on the test split, as a fraction of the initial loss.
    pub(crate) fn share(&self) -> f64 {
        let rows = &self.outcome.epochs;
        rows[rows.len() - 1].eval_loss.unwrap_or(f64::NAN) / rows[0].eval_loss.unwrap()
    }
}

pub(crate) fn run(trial: &Trial, data: &Dataset, limits: Limits) -> Done {
    let text = trial.recipe.optimizer.to_string();
    let mut session = Session::new(trial, data, limits).unwrap_or_else(|error| panic!("{text}: {error}"));
    let outcome = session.run().unwrap();
    Done { outcome, strategy: session.strategy(), params: session.params().clone() }
}

pub(crate) fn alone(trial: &Trial, data: &Dataset) -> Done {
    run(trial, data, ONE_THREAD)
}

/// Sink that keeps a session's checkpoints and ends it at one, as a kill would.
struct Killer {
    kept: Vec<u8>,
    /// Number of checkpoints left.
    left: usize,
}

impl Sink for Killer {
    fn take(&mut self, _: &Event) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, session: &mut Session) -> Result<()> {
        self.kept.clear();
        session.save(&mut self.kept).map_err(|error| Error::failure(error.to_string()))?;
        self.left -= 1;
        if self.left == 0 { Err(Error::failure("killed")) } else { Ok(()) }
    }
}

/// Hash of the final state of a trial that is killed at its `n`-th checkpoint, one every `every` updates, and resumed
/// in another session; `None` if it has fewer checkpoints.
pub(crate) fn resumed(
    trial: &Trial,
    data: &Dataset,
    every: u64,
    eval_every: u64,
    n: usize,
) -> Option<String> {
    let limits = Limits { checkpoint_every: Cadence::Updates(every), ..ONE_THREAD };
    let trial = evaluated(trial, eval_every);
    let session = || Session::new(&trial, data, limits).unwrap();
    let mut killer = Killer { kept: vec![], left: n };
    session().run_with(&Control::default(), &mut killer).err()?;
    let mut again = session();
    again.load(&mut &killer.kept[..]).unwrap();
    again.run().unwrap();
    Some(again.digest())
}

/// Hash of the final state of an uninterrupted trial.
pub(crate) fn unkilled(trial: &Trial, data: &Dataset, eval_every: u64) -> String {
    let mut session = Session::new(&evaluated(trial, eval_every), data, ONE_THREAD).unwrap();
    session.run().unwrap();
    session.digest()
}

/// The trial, evaluated every so many updates.
fn evaluated(trial: &Trial, updates: u64) -> Trial {
    let budget = Budget { eval_every: Some(EvalEvery::Updates(updates)), ..trial.budget };
    Trial { budget, ..trial.clone() }
}
