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

    /// Whether an update was stopped between two microbatches.
    pub(crate) fn is_within_update(&self) -> bool {
        self.partial.is_some()
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
        match self.setting.factors {
            Some(_) => partial.tally.minimised.keep(keeper)?,
            None => partial.tally.minimised = partial.tally.loss,
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
