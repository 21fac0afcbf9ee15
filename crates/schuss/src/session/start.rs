//! What an engine starts from: the network of a trial, checked against its data, and its first weights.

use crate::Result;
use crate::network::{Params, Plan, load_weights};
use crate::recipe::Trial;
use schuss_data::Dataset;
use schuss_kernels::Lane;

/// Checks a trial against its data and plans its network.
///
/// # Errors
/// Usage errors that name what does not fit.
pub fn checked_plan(trial: &Trial, data: &Dataset) -> Result<Plan> {
    trial.targets.check(data)?;
    let plan = trial.plan(data)?;
    trial.recipe.loss.check(plan.ending(), trial.targets, data.classes.len())?;
    Ok(plan)
}

/// Draws or loads the initial weights; those below the smallest number are zero, as after every update.
///
/// # Errors
/// If the weights cannot be loaded.
pub fn initial_params(trial: &Trial, plan: &Plan) -> Result<Params> {
    let mut params = Params::init(plan.layout.clone(), &trial.recipe.init, trial.seed);
    if let Some(path) = &trial.init_from {
        load_weights(&mut params, path)?;
    }
    params.values_mut().iter_mut().for_each(|weight| *weight = weight.flush());
    Ok(params)
}
