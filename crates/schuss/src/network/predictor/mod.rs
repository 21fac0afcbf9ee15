//! Predictions of a trained network: the forward pass without a session.

mod classes;
mod evaluate;
mod numbers;
mod picture;
mod share;
#[cfg(test)]
mod tests;
mod text;

pub use classes::ClassPrediction;
pub use numbers::NumberPrediction;
pub use picture::PreparedPicture;

use super::{Arena, ModelFile, Params, Plan, Units};
use crate::{Cause, Error, Result, machine};
use schuss_data::stream::order::Order;
use schuss_data::{Feed, Split};
use schuss_kernels::{Team, padded};
use share::{Share, Work};
use std::ops::ControlFlow;
use std::path::Path;

/// Bytes of streamed samples that are read ahead of a batch.
const READ_AHEAD: usize = 16 << 20;

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
    /// One per part of the team's jobs; together they are a batch.
    shares: Vec<Share>,
}

/// The network as all threads see it.
#[derive(Clone, Copy)]
struct Network<'a> {
    about: &'a ModelFile,
    plan: &'a Plan,
    units: Option<&'a Units>,
    params: &'a Params,
}

/// A block of consecutive samples that has passed the network.
#[derive(Clone, Copy)]
struct Answered<'a> {
    network: Network<'a>,
    arena: &'a Arena,
    /// True if the samples have targets.
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
        let (team, units) = (machine::team(threads)?, about.units(plan.outputs));
        let shares = (0..team.parts()).map(|_| Share::new(&plan, about.targets)).collect::<Result<_>>()?;
        Ok(Self { about, plan, units, params, team, shares })
    }

    /// Description of the model.
    pub fn about(&self) -> &ModelFile {
        &self.about
    }

    /// Passes the samples of `split` through the network, batch by batch. Threads take shares of a batch, up to `blocks`
    /// blocks each, from end to end: they call `finish` with every block, to make something of the answers. Then `visit`
    /// is called with the last block of each share and what was made of all, in order, until it breaks; it empties that.
    fn each_share<T: Default + Send>(
        &mut self,
        split: &Split,
        blocks: usize,
        finish: impl Fn(&Answered, &mut T) -> Result<()> + Sync,
        mut visit: impl FnMut(&Answered, &mut T) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check(split)?;
        let at_once = self.shares.len() * blocks * share::most_rows(&self.plan);
        let memory = self.read_ahead(at_once);
        let Self { about, plan, units, params, team, shares } = self;
        let mut feed = Feed::new(split, &about.normalisation, Order::Sequential, 0, at_once, memory)?;
        let network = Network { about, plan, units: units.as_ref(), params };
        let work = |share| Work { share, made: T::default(), outcome: Ok(()) };
        let mut works: Vec<Work<T>> = shares.iter_mut().map(work).collect();
        let count = works.len();
        for first in (0..split.len()).step_by(at_once) {
            let rows = at_once.min(split.len() - first);
            let batch = feed.rows(first, rows)?;
            team.for_chunks(rows.saturating_mul(plan.work_per_sample()), &mut works, 1, |index, work| {
                let own = rows * index / count..rows * (index + 1) / count;
                let (batch, first) = (batch.part(own.clone()), first + own.start);
                work.iter_mut().for_each(|work| work.pass(network, &batch, first, &finish));
            });
            for Work { share, made, outcome } in &mut works {
                if visit(&share.answered(network), made)?.is_break() {
                    return Ok(());
                }
                std::mem::replace(outcome, Ok(()))?;
            }
        }
        Ok(())
    }

    /// Returns the bytes for reading ahead of batches of `rows` samples.
    fn read_ahead(&self, rows: usize) -> u64 {
        let sample = (padded(self.plan.inputs) + padded(self.plan.outputs)) * size_of::<f32>();
        (READ_AHEAD + (rows + 2).saturating_mul(sample)) as u64
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
}

/// Calls `visit` with all items until it breaks.
fn until_break<T>(
    items: impl IntoIterator<Item = T>,
    mut visit: impl FnMut(T) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    for item in items {
        if visit(item)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn overflow(index: usize) -> Error {
    Error::data(format!("the model's outputs overflow on sample {index}"))
        .advise("use a model whose training did not diverge")
}
