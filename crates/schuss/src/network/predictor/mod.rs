//! Predictions of a trained network: the forward pass without a session.

mod classes;
mod evaluate;
mod numbers;
mod picture;
#[cfg(test)]
mod tests;
mod text;

pub use classes::ClassPrediction;
pub use numbers::NumberPrediction;
pub use picture::PreparedPicture;

use super::{Arena, MICROBATCH, ModelFile, Params, Plan, Units};
use crate::loss::Targets;
use crate::{Cause, Error, Result, machine};
use schuss_data::stream::order::Order;
use schuss_data::{Feed, Split};
use schuss_kernels::Team;
use std::ops::ControlFlow;
use std::path::Path;

/// Size of the read-ahead buffer for streamed samples, in bytes.
const READ_AHEAD: u64 = 16 << 20;

/// Bytes of inputs and activations of a batch: about what the second caches of two cores hold.
const BATCH_BYTES: usize = 1 << 20;

/// Maximum number of samples of a batch.
const MOST_ROWS: usize = 4096;

/// A trained network, ready to predict.
///
/// # Example
/// ```
/// use schuss::Trial;
/// use schuss::network::{ModelFile, Predictor, Scores};
/// use schuss::session::{Control, Limits, Session};
/// use std::ops::ControlFlow;
///
/// # fn main() -> schuss::Result<()> {
/// let data = schuss::data::load("digits:train=1000,test=200")?;
/// let trial = Trial { model: "784-20-10".parse()?, ..Trial::default() };
/// let mut session = Session::new(&trial, &data, Limits::default())?;
/// session.run()?;
///
/// let about = ModelFile::of(&trial, &data);
/// let mut predictor = Predictor::new(about, session.params().clone(), 1)?;
/// let mut correct = 0;
/// predictor.predict_classes(&data.test, &mut |prediction| {
///     correct += u64::from(prediction.label == Some(prediction.class));
///     Ok(ControlFlow::Continue(()))
/// })?;
/// let Scores::Classes(scores) = predictor.evaluate(&data)? else { panic!("digits are classes") };
/// assert_eq!(scores.confusion.correct(), correct);
/// assert!(scores.accuracy > scores.chance);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Predictor {
    about: ModelFile,
    plan: Plan,
    /// Units of the outputs, if they differ from those of the data.
    units: Option<Units>,
    params: Params,
    team: Team,
    arena: Arena,
    /// True if the gathered samples have targets.
    labelled: bool,
    /// Maximum number of samples of a batch.
    rows: usize,
}

/// A batch of samples that has passed the network.
#[derive(Clone, Copy)]
struct Answered<'a> {
    about: &'a ModelFile,
    plan: &'a Plan,
    units: Option<&'a Units>,
    arena: &'a Arena,
    labelled: bool,
    /// Index of the first sample in its split.
    first: usize,
    rows: usize,
}

impl Predictor {
    /// Reads a model file written by schuss, for `threads` threads.
    ///
    /// # Errors
    /// Data errors that name the file; a usage error for an invalid number of threads.
    pub fn load(path: &Path, threads: usize) -> Result<Self> {
        let (about, params) = ModelFile::load(path)?;
        Self::new(about, params, threads)
    }

    /// Creates a predictor for the model `about` with the weights `params`, for `threads` threads.
    ///
    /// # Errors
    /// A usage error for weights of another model, or an invalid number of threads.
    pub fn new(about: ModelFile, params: Params, threads: usize) -> Result<Self> {
        let plan = about.plan(&about.model.parse()?)?;
        if plan.layout != *params.layout() {
            let what = format!("the weights are not those of a model `{}`", about.model);
            return Err(Error::usage(what).because(Cause::Mismatch));
        }
        let rows = (BATCH_BYTES / plan.bytes_per_sample().max(1)).clamp(MICROBATCH, MOST_ROWS);
        let (team, arena) = (machine::team(threads)?, Arena::new(&plan, rows, about.targets, None));
        let units = about.units(plan.outputs);
        Ok(Self { about, plan, units, params, team, arena, labelled: false, rows })
    }

    /// Description of the model.
    pub fn about(&self) -> &ModelFile {
        &self.about
    }

    /// Gathers the samples of `split` in batches, calls `forward` with the number of rows of each, and then `visit` for
    /// each sample with its batch and its row there.
    fn each_row(
        &mut self,
        split: &Split,
        forward: impl Fn(&mut Self, usize),
        mut visit: impl FnMut(&Answered, usize) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.each_batch(split, forward, |_, batch| {
            for row in 0..batch.rows {
                if visit(&batch, row)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Gathers the samples of `split` in batches, calls `forward` with the number of rows of each, and then `visit` with
    /// the threads and the batch.
    fn each_batch(
        &mut self,
        split: &Split,
        forward: impl Fn(&mut Self, usize),
        mut visit: impl FnMut(&mut Team, Answered) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check(split)?;
        let normalisation = self.about.normalisation.clone();
        let mut feed = Feed::new(split, &normalisation, Order::Sequential, 0, self.rows, READ_AHEAD)?;
        for first in (0..split.len()).step_by(self.rows) {
            let rows = self.rows.min(split.len() - first);
            let batch = feed.rows(first, rows)?;
            self.labelled = match self.about.targets {
                Targets::Class => batch.class(0).is_some(),
                Targets::Real => !batch.reals(0).is_empty(),
                Targets::Input => true,
            };
            self.arena.gather(&mut self.team, &self.plan, &batch)?;
            forward(self, rows);
            let Self { about, plan, units, arena, labelled, team, .. } = self;
            let (units, labelled) = (units.as_ref(), *labelled);
            if visit(team, Answered { about, plan, units, arena, labelled, first, rows })?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn check(&self, split: &Split) -> Result<()> {
        let (inputs, given) = (self.plan.inputs, split.read(&[])?.features());
        if given == inputs {
            return Ok(());
        }
        let model = &self.plan.model;
        let what = format!("model `{model}` takes {inputs} numbers, but a sample has {given}");
        Err(Error::usage(what).because(Cause::Mismatch))
    }

    fn forward(&mut self, rows: usize) {
        self.arena.forward(&mut self.team, &self.plan, self.params.values_mut(), rows, None);
    }
}

fn overflow(index: usize) -> Error {
    Error::data(format!("the model's outputs overflow on sample {index}"))
        .advise("use a model whose training did not diverge")
}
