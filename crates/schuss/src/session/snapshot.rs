//! The live state of a trial: copied, restored, written down and read back.

use super::engine::{Engine, Path};
use crate::keep::{Keep, Keeper};
use crate::network::Params;
use crate::optim::Updater;
use crate::optim::solver::Solving;
use schuss_kernels::Buffer;
use std::io;

/// Weights and optimizer state at some moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    params: Params,
    updater: Updater<Buffer>,
    solver: Option<Solving<Buffer>>,
}

impl Engine {
    /// A copy of weights and optimizer state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (params, updater, solver) = (self.params.clone(), self.updater.clone(), self.solver.clone());
        Snapshot { params, updater, solver }
    }

    /// Back to a copy.
    pub(crate) fn restore(&mut self, copy: &Snapshot) {
        self.params.clone_from(&copy.params);
        self.updater.clone_from(&copy.updater);
        self.solver.clone_from(&copy.solver);
        if let Some(shown) = &mut self.shown {
            shown.clone_from(&self.params);
            self.updater.show(shown.values_mut());
        }
    }

    /// Whether what is pending belongs to `position` of an epoch of `len` samples.
    pub(crate) fn is_at(&self, position: usize, len: usize) -> bool {
        let begun = self.partial.map_or(0, |partial| partial.done);
        begun <= len - position
            && match &self.path {
                Path::BlockedSample { blocked, .. } => blocked.is_at(position, len),
                Path::Stored(_) | Path::InBackward { .. } => true,
            }
    }

    /// Weights and optimizer state.
    pub(crate) fn keep_trained(&mut self, keeper: &mut Keeper) -> io::Result<()> {
        keep_trained(keeper, &mut self.params, &mut self.updater, &mut self.solver)
    }
}

/// Everything that later updates depend on.
impl Keep for Engine {
    fn keep(&mut self, keeper: &mut Keeper) -> io::Result<()> {
        self.keep_trained(keeper)?;
        self.evaluations.keep(keeper)?;
        let mut begun = self.partial.is_some();
        begun.keep(keeper)?;
        let partial = self.partial.get_or_insert_default();
        partial.keep(keeper)?;
        if begun {
            self.make_room_for_sums();
        }
        match &mut self.path {
            Path::BlockedSample { blocked, .. } => blocked.keep(keeper)?,
            Path::Stored(gradients) if begun => gradients.keep(keeper)?,
            Path::Stored(_) | Path::InBackward { .. } => {}
        }
        if let Some(curvature) = self.curvature.as_mut().filter(|_| begun) {
            curvature.keep(keeper)?;
        }
        self.partial = self.partial.filter(|_| begun);
        Ok(())
    }
}

impl Keep for Snapshot {
    fn keep(&mut self, keeper: &mut Keeper) -> io::Result<()> {
        keep_trained(keeper, &mut self.params, &mut self.updater, &mut self.solver)
    }
}

/// Weights and optimizer state.
fn keep_trained(
    keeper: &mut Keeper,
    params: &mut Params,
    updater: &mut Updater<Buffer>,
    solver: &mut Option<Solving<Buffer>>,
) -> io::Result<()> {
    keeper.expect("the network has another size", params.values().len() as u64)?;
    keeper.words(params.values_mut())?;
    updater.keep(keeper)?;
    solver.keep(keeper)
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Halt, Partial};
    use super::super::{Control, Limits, Session};
    use crate::recipe::Trial;
    use schuss_data::Dataset;
    use schuss_kernels::Precision;

    const OPTIMIZERS: [&str; 5] =
        ["sgd:lr=0.1", "adam:lr=0.01", "clip-global-norm:0.5+adamw:lr=0.01", "rmsprop", "k-fac:lr=0.001"];

    fn trial(optimizer: &str, precision: Precision) -> Trial {
        let mut trial = Trial { model: "64-20-10".parse().unwrap(), ..Trial::default() };
        trial.recipe.update = "batch:90".parse().unwrap();
        trial.recipe.optimizer = optimizer.parse().unwrap();
        trial.recipe.matmul_precision.0 = precision;
        trial.budget.epochs = 2;
        trial
    }

    fn session<'d>(trial: &Trial, data: &'d Dataset, microbatch: usize) -> Session<'d> {
        let limits = Limits { threads: 1, microbatch: Some(microbatch), ..Limits::default() };
        Session::new(trial, data, limits).unwrap()
    }

    fn end(mut session: Session) -> String {
        session.run(&Control::default(), &mut ()).unwrap();
        session.digest()
    }

    /// What a session holds that was stopped in its second update, after some of its microbatches.
    fn stopped_within_an_update(trial: &Trial, data: &Dataset, microbatch: usize) -> Vec<u8> {
        let mut trial = trial.clone();
        trial.budget.max_updates = Some(1);
        let mut session = session(&trial, data, microbatch);
        session.run(&Control::default(), &mut ()).unwrap();
        (session.progress.ended, session.progress.evaluation_is_due) = (None, false);
        session.train.begin(0);
        let looks = std::cell::Cell::new(0);
        let halts = || looks.replace(looks.get() + 1) == 2;
        let begun = session.engine.look(&mut session.train, 90..180, Partial::default(), halts);
        let Err(Halt::Stopped(partial)) = begun else { panic!("it was to be stopped") };
        assert_eq!(partial.done, 2 * microbatch);
        session.engine.partial = Some(partial);
        let mut kept = vec![];
        session.save(&mut kept).unwrap();
        kept
    }

    #[test]
    fn an_update_begun_in_microbatches_of_one_size_ends_in_any_other_to_the_same_bits() {
        let data = schuss_data::load("digits:train=200,test=50,size=8").unwrap();
        for optimizer in OPTIMIZERS {
            let trial = trial(optimizer, Precision::Highest);
            let whole = end(session(&trial, &data, 200));
            for (before, after) in [(7, 200), (7, 30), (30, 7), (40, 90)] {
                let kept = stopped_within_an_update(&trial, &data, before);
                let mut gone_on = session(&trial, &data, after);
                gone_on.load(&mut &kept[..]).unwrap();
                let strategy = gone_on.strategy();
                assert_eq!(end(gone_on), whole, "{optimizer}: from {before} to {after}, {strategy}");
            }
        }
    }
}
