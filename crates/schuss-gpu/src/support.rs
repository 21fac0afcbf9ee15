//! What runs on a card; the rest is refused with its reason.

use schuss::loss::{Loss, Targets};
use schuss::network::{Layer, Noise, Plan, Stage};
use schuss::optim::{Descent, Gradient, Group, Method, Transform};
use schuss::session::Judge;
use schuss::{Cause, Error, Result, Trial};

/// Checks that everything a trial asks for is written for cards.
///
/// # Errors
/// A usage error that names the first thing that is not.
pub(crate) fn check(trial: &Trial, plan: &Plan, judge: &Judge) -> Result<()> {
    plan.stages().iter().try_for_each(|stage| match stage.kind() {
        Layer::Linear(_)
        | Layer::Flatten(_)
        | Layer::Dropout(_)
        | Layer::LayerNorm(_)
        | Layer::BatchNorm(_)
        | Layer::LogSoftmax(_) => Ok(()),
        layer if crate::trace::activation(layer, "act").is_some() => Ok(()),
        layer => Err(refused(&format!("layer {} (`{layer}`)", stage.layer()))),
    })?;
    match &trial.noise {
        None | Some(Noise::Gaussian(_) | Noise::Masking(_) | Noise::SaltAndPepper(_)) => {}
        Some(noise) => return Err(refused(&format!("noise `{noise}`"))),
    }
    if matches!(trial.recipe.loss, Loss::Custom(_)) {
        return Err(refused(&format!("loss `{}`", trial.recipe.loss)));
    }
    let factors = judge.factors().unwrap_or_default();
    if factors.iter().any(|factor| *factor != factors[0]) {
        return Err(refused("a loss in the different units of several targets"));
    }
    let shows_others = descent(&trial.recipe.optimizer)?.shows_others();
    let is_batch_norm = |stage: &Stage| matches!(stage.kind(), Layer::BatchNorm(_));
    if shows_others && plan.stages().iter().any(is_batch_norm) {
        return Err(refused("batch-norm with an optimizer that averages weights"));
    }
    Ok(())
}

/// Returns the parameter groups of an optimizer.
///
/// # Errors
/// A usage error for what is not written for cards.
pub(crate) fn descent(method: &Method) -> Result<&Descent> {
    let Method::Descent(descent) = method else { return Err(refused(&format!("solver `{method}`"))) };
    if descent.gradient != Gradient::Plain {
        return Err(refused("sam"));
    }
    descent.groups.iter().try_for_each(group).map(|()| descent)
}

fn group(group: &Group) -> Result<()> {
    let is_written = |transform: &&Transform| !matches!(transform, Transform::ClipGlobalNorm(_));
    if let Some(transform) = group.before.iter().find(is_written) {
        return Err(refused(&format!("`{transform}`")));
    }
    if group.before.len() > 1 {
        return Err(refused("clip-global-norm twice in a group"));
    }
    group.after.first().map_or(Ok(()), |wrapper| Err(refused(&format!("`{wrapper}`"))))
}

/// Returns the error for what does not run on a card.
pub(crate) fn refused(what: &str) -> Error {
    Error::usage(format!("{what} does not run on a graphics card yet"))
        .because(Cause::Mismatch)
        .advise("--device cpu")
}

/// True if targets are the inputs of the network.
pub(crate) fn reconstructs(trial: &Trial) -> bool {
    trial.targets == Targets::Input
}
