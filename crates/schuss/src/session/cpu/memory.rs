//! Memory of a trial's buffers, by one formula for the check beforehand and for the record.

use super::curvature::Curvature;
use super::path::BlockedSample;
use super::sizes::Sizes;
use super::strategy::Strategy;
use super::sums::Sums;
use crate::Result;
use crate::instrument::{Held, Instrument};
use crate::network::{Arena, Plan};
use crate::optim::{Floats, Gradient, Updater};
use crate::recipe::Trial;
use crate::record::MemoryRecord;
use schuss_kernels::Buffer;

/// Returns the memory of the buffers for a trial, without the data.
///
/// # Errors
/// If the optimizer's groups do not fit the network.
pub(super) fn memory(plan: &Plan, trial: &Trial, sizes: &Sizes, strategy: Strategy) -> Result<MemoryRecord> {
    let method = &trial.recipe.optimizer;
    let descent = method.descent();
    let floats = |len: usize| len * size_of::<f32>();
    let parameters = floats(plan.layout.len());
    let rules = Updater::<Buffer>::floats(descent, &plan.layout)?;
    let stored = Sums::bytes(plan.layout.len(), sizes);
    let uphill = if descent.gradient == Gradient::Plain { 0 } else { parameters };
    let activations = Arena::bytes(plan, sizes.capacity, trial.targets);
    let shown = if descent.shows_others() { parameters } else { 0 };
    let measuring = |instrument: &Instrument| {
        let Held { floats: vectors, activations: copies } = instrument.held(plan.layout.len());
        floats(vectors) + copies * activations
    };
    let instruments = trial.instruments.iter().map(measuring).sum();
    let record = |gradients, optimizer: Floats, work| MemoryRecord {
        parameters,
        gradients,
        optimizer_state: floats(optimizer.state + optimizer.scratch),
        activations: activations + work,
        // of the last report point, and the weights of the lowest evaluation loss
        copy: parameters + floats(optimizer.state) + parameters + shown,
        instruments,
        data: 0,
    };
    Ok(match (strategy, method.solver(), plan.perceptron()) {
        (Strategy::InBackward, ..) => record(floats(plan.largest_vectors()), rules, 0),
        (Strategy::BlockedSample, _, Some(net)) => {
            let work = BlockedSample::bytes(&net, sizes.samples, rules.state > 0);
            let live = parameters + floats(rules.state); // with the pending changes still to be made
            record(0, rules, work + live)
        }
        (Strategy::Solver, Some(solver), _) => record(stored, solver.floats(&plan.layout), 0),
        _ => record(stored + uphill + Curvature::bytes(descent, plan, sizes)?, rules, 0),
    })
}
