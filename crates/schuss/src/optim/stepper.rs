//! Optimizer for parameters and gradients owned by the caller.

use super::method::Method;
use super::updater::Updater;
use crate::network::Params;
use crate::schedule::Schedule;
use crate::{Result, machine};
use schuss_kernels::{Buffer, Team};

/// An optimizer for the parameters of a network, with gradients supplied by the caller.
///
/// # Example
/// ```
/// use schuss::network::{Params, Plan};
/// use schuss::optim::Stepper;
///
/// # fn main() -> schuss::Result<()> {
/// let mut params = Params::zeros(Plan::new(&"3-2".parse()?, 3, 2)?.layout);
/// let mut stepper = Stepper::new(&"sgd:lr=0.5".parse()?, &params, 1)?;
/// let mut gradients = vec![0.0; params.values().len()];
/// gradients[0] = 2.0;
/// stepper.step(&mut gradients, f64::NAN, &mut params);
/// assert_eq!(params.values()[0], -1.0);
/// # Ok(())
/// # }
/// ```
pub struct Stepper {
    updater: Updater<Buffer>,
    team: Team,
}

impl Stepper {
    /// Creates an optimizer for parameters that start as `params`, running on `threads` threads.
    ///
    /// # Errors
    /// Returns an error if the groups of `method` do not fit the network, or if the threads cannot be started.
    pub fn new(method: &Method, params: &Params, threads: usize) -> Result<Self> {
        let descent = method.groups()?;
        let schedule = Schedule::default();
        let updater = Updater::new::<Team>(descent, &schedule, 0, params.layout(), params.values())?;
        Ok(Self { updater, team: machine::team(threads)? })
    }

    /// Returns the state of the optimizer.
    pub fn updater(&self) -> &Updater<Buffer> {
        &self.updater
    }

    /// Updates `params` with `gradients`, which are laid out like the parameters and may be overwritten. `loss` is the
    /// mean loss of the update's samples, which some rules use; NaN if unknown.
    ///
    /// # Panics
    /// Panics if `gradients` and `params` differ in length.
    pub fn step(&mut self, gradients: &mut [f32], loss: f64, params: &mut Params) {
        self.updater.advance();
        self.updater.step(&mut self.team, gradients, 1.0, params.values_mut(), loss);
    }
}
