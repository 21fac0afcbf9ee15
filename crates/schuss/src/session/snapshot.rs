//! Copying, restoring, saving and loading the state of a trial.

use super::backward::Sums;
use super::engine::{Engine, Path};
use crate::network::Params;
use crate::optim::Updater;
use crate::optim::solver::Solving;
use crate::state::{State, StateCodec};
use schuss_kernels::Buffer;
use std::io;

/// Copy of weights and optimizer state.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    params: Params,
    updater: Updater<Buffer>,
    solver: Option<Solving<Buffer>>,
}

impl Engine {
    /// Returns a copy of weights and optimizer state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (params, updater, solver) = (self.params.clone(), self.updater.clone(), self.solver.clone());
        Snapshot { params, updater, solver }
    }

    /// Restores a copy.
    pub(crate) fn restore(&mut self, copy: &Snapshot) {
        self.params.clone_from(&copy.params);
        self.updater.clone_from(&copy.updater);
        self.solver.clone_from(&copy.solver);
        self.show();
    }

    /// Returns true if an update was stopped between two microbatches.
    pub(crate) fn is_within_update(&self) -> bool {
        self.partial.is_some()
    }

    /// Returns true if pending work belongs to `position` of an epoch of `len` samples.
    pub(crate) fn is_at(&self, position: usize, len: usize) -> bool {
        let begun = self.partial.map_or(0, |partial| partial.done);
        begun <= len - position
            && match &self.path {
                Path::BlockedSample { blocked, .. } => blocked.is_at(position, len),
                Path::Stored(_) | Path::InBackward { .. } => true,
            }
    }

    /// Returns the sums for the gradients of an unfinished update. The in-backward path has none, so they are
    /// allocated, and this one update continues as it was begun, whatever the limits were then.
    fn sums_of_begun_update(&mut self) -> Option<&mut Sums> {
        if let Path::InBackward { .. } = self.path {
            self.path = Path::Stored(self.new_sums());
        }
        match &mut self.path {
            Path::Stored(sums) => Some(sums),
            Path::InBackward { .. } | Path::BlockedSample { .. } => None,
        }
    }

    /// Saves or loads weights and optimizer state.
    pub(crate) fn code_trained(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        code_trained(codec, &mut self.params, &mut self.updater, &mut self.solver)
    }
}

/// Everything later updates depend on.
impl State for Engine {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        match self.path {
            // the weights follow from the blocked path
            Path::BlockedSample { .. } => self.updater.code(codec)?,
            _ => self.code_trained(codec)?,
        }
        self.evaluations.code(codec)?;
        let mut begun = self.partial.is_some();
        begun.code(codec)?;
        let partial = self.partial.get_or_insert_default();
        partial.code(codec)?;
        match self.setting.factors {
            Some(_) => partial.tally.minimised.code(codec)?,
            None => partial.tally.minimised = partial.tally.loss,
        }
        if let Path::BlockedSample { blocked, .. } = &mut self.path {
            blocked.code(codec)?;
        } else if begun {
            self.sums_of_begun_update().map_or(Ok(()), |sums| sums.code(codec))?;
        }
        if let Some(curvature) = self.curvature.as_mut().filter(|_| begun) {
            curvature.code(codec)?;
        }
        self.partial = self.partial.filter(|_| begun);
        Ok(())
    }
}

impl State for Snapshot {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        code_trained(codec, &mut self.params, &mut self.updater, &mut self.solver)
    }
}

/// Saves or loads weights and optimizer state.
fn code_trained(
    codec: &mut StateCodec,
    params: &mut Params,
    updater: &mut Updater<Buffer>,
    solver: &mut Option<Solving<Buffer>>,
) -> io::Result<()> {
    codec.expect("the network has a different size", params.values().len() as u64)?;
    codec.words(params.values_mut())?;
    updater.code(codec)?;
    solver.code(codec)
}

#[cfg(test)]
mod tests {
    use crate::Trial;
    use crate::session::tally::{Halt, Partial};
    use crate::session::{Control, Limits, Session};
    use schuss_data::random::Purpose;
    use std::cell::Cell;

    fn limits(microbatch: usize) -> Limits {
        Limits { threads: 1, microbatch: Some(microbatch), ..Limits::default() }
    }

    /// Trains to the end and returns the hash of weights and state.
    fn finish(mut session: Session) -> String {
        session.run(&Control::default(), &mut ()).unwrap();
        session.digest()
    }

    /// Returns the state of a trial whose first update was stopped after one microbatch.
    fn stopped_within_its_first_update(mut session: Session, samples: usize) -> Vec<u8> {
        session.begin_epoch();
        session.progress.evaluation_is_due = false;
        session.train.begin(0);
        let (asked, mut state) = (Cell::new(0), vec![]);
        let halts = || asked.replace(asked.get() + 1) == 1;
        let halted = session.engine.look(&mut session.train, 0..samples, Partial::default(), halts);
        let Err(Halt::Stopped(partial)) = halted else { panic!("it was not stopped") };
        assert!(partial.done > 0 && partial.done < samples);
        session.engine.partial = Some(partial);
        session.save(&mut state).unwrap();
        state
    }

    #[test]
    fn a_begun_update_goes_on_in_any_session_of_its_trial_to_the_same_bits() {
        let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
        for optimizer in ["sgd:lr=0.1,momentum=0.9", "adam:lr=0.01", "clip-global-norm:1+sgd:lr=0.1", "k-fac"]
        {
            let mut trial = Trial { model: "64-20-10".parse().unwrap(), ..Trial::default() };
            trial.recipe.optimizer = optimizer.parse().unwrap();
            trial.recipe.update = "batch:96".parse().unwrap();
            trial.budget.epochs = 2;
            let begin = |microbatch| Session::new(&trial, &data, limits(microbatch)).unwrap();
            let whole = finish(begin(96));
            for first in [1, 32, 64] {
                let state = stopped_within_its_first_update(begin(first), 96);
                for then in [1, 7, 32, 96] {
                    let mut session = begin(then);
                    session.load(&mut &state[..]).unwrap();
                    assert_eq!(finish(session), whole, "{optimizer}, {first} samples at once, then {then}");
                }
            }
        }
    }

    #[test]
    fn weights_and_slots_below_the_smallest_are_zero_on_every_path() {
        let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
        for optimizer in ["sgd:lr=0.1", "sgd:lr=0.1,momentum=0.9", "adam:lr=1e-33", "rmsprop:lr=1e-31"] {
            for update in ["batch:50", "batch:1"] {
                let mut trial = Trial { model: "64-20-10".parse().unwrap(), ..Trial::default() };
                trial.recipe.optimizer = optimizer.parse().unwrap();
                trial.recipe.update = update.parse().unwrap();
                trial.recipe.init = "xavier-normal:gain=1e-29".parse().unwrap();
                trial.budget.max_updates = Some(12);
                let end = |microbatch| finish(Session::new(&trial, &data, limits(microbatch)).unwrap());
                let ends = [50, 7, 1].map(end); // in-backward; fused, in two sizes
                assert!(ends.iter().all(|end| *end == ends[0]), "{optimizer}, {update}: {ends:?}");
            }
        }
    }

    #[test]
    fn averaged_weights_have_batch_statistics_of_their_own() {
        let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
        for optimizer in ["sgd:lr=0.2+ema:0.9", "sgd:lr=0.2+swa:start=2", "schedule-free-sgd:lr=0.2"] {
            let mut trial =
                Trial { model: "linear:16,batch-norm,relu,linear:10".parse().unwrap(), ..Trial::default() };
            trial.recipe.optimizer = optimizer.parse().unwrap();
            trial.recipe.update = "epoch".parse().unwrap();
            trial.budget.epochs = 8;
            let mut session = Session::new(&trial, &data, limits(200)).unwrap();
            session.run(&Control::default(), &mut ()).unwrap();
            let whole = session.params().values().to_vec();
            let (feed, engine) = (session.for_statistics.as_mut().unwrap(), &mut session.engine);
            engine.gather(feed, 0, 200, Purpose::Noise).unwrap();
            let entries = engine.plan.layout.entries();
            let [weight, bias] = [0, 1].map(|entry| &whole[entries[entry].range()]);
            let running = engine.plan.layout.measured().next().unwrap();
            for unit in 0..16 {
                let output = |row| -> f64 {
                    let x = engine.arena.input(&engine.plan, row).iter().enumerate();
                    f64::from(bias[unit]) + x.map(|(i, x)| f64::from(x * weight[16 * i + unit])).sum::<f64>()
                };
                let mean = (0..200).map(output).sum::<f64>() / 200.0;
                assert!((f64::from(whole[running.start + unit]) - mean).abs() < 1e-4, "{optimizer}, {unit}");
            }
        }
    }

    #[test]
    fn statistics_of_averaged_weights_have_the_same_bits_for_any_microbatch() {
        let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
        let mut trial =
            Trial { model: "linear:16,batch-norm,relu,linear:10".parse().unwrap(), ..Trial::default() };
        trial.recipe.optimizer = "sgd:lr=0.2+ema:0.9".parse().unwrap();
        trial.recipe.update = "batch:60".parse().unwrap();
        trial.recipe.stats = Some(20);
        trial.budget.epochs = 3;
        let shown = |microbatch| {
            let mut session = Session::new(&trial, &data, limits(microbatch)).unwrap();
            session.run(&Control::default(), &mut ()).unwrap();
            session.params().values().to_vec()
        };
        assert!(shown(20) == shown(60) && shown(1) == shown(60));
    }
}
