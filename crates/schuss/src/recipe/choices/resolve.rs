//! Resolution of choices into a trial, and their effect on it.

use super::{ChoiceKey, Choices, Context, Effect, Given};
use crate::loss::{Bce, Mse, Targets};
use crate::network::Model;
use crate::optim::{Method, Sgd};
use crate::recipe::Trial;
use crate::spec::Choice;
use crate::{Cause, Error, Result};
use schuss_data::Dataset;

impl Choices {
    /// Resolves these choices into a trial on `data`.
    ///
    /// # Errors
    /// Usage errors that name the choice and its place.
    pub fn resolve(&self, name: &str, data: &Dataset) -> Result<Trial> {
        let mut trial = Trial { name: name.to_owned(), ..self.usual(data)? };
        for (key, given) in &self.0 {
            if let Effect::Trial { set, .. } = key.row().effect {
                set(&mut trial, &given.text, &Context { data, choices: self })
                    .map_err(|error| given.source.locate(*key, error))?;
            }
        }
        trial.budget.eval_every = trial.eval_every();
        Ok(trial)
    }

    /// Returns the trial on `data` without any choice but the targets, which defaults depend on.
    fn usual(&self, data: &Dataset) -> Result<Trial> {
        let (inputs, kind) = (data.shape.features(), data.target_kind());
        let targets = self.parsed(ChoiceKey::Targets)?.map_or_else(|| Targets::of(kind), Ok)?;
        targets.check(data).map_err(|error| self.relocate(error))?;
        let mut trial = Trial {
            data: data.name.clone(),
            model: Model::for_data(inputs, kind.outputs()),
            targets,
            ..Trial::default()
        };
        trial.recipe.loss = match targets {
            Targets::Class => trial.recipe.loss,
            Targets::Real if !data.labels.is_empty() => Bce::default().into(),
            Targets::Real | Targets::Input => Mse::default().into(),
        };
        trial.recipe.optimizer =
            Method::read(Sgd::NAME, self.parsed(ChoiceKey::Dialect)?.unwrap_or_default())?;
        Ok(trial)
    }

    /// Returns the first choice that has no effect on the trial it was resolved into, and the error that says so.
    /// Defaults are never among them.
    pub(crate) fn idle(&self, trial: &Trial, data: &Dataset) -> Option<(ChoiceKey, Error)> {
        self.0.iter().find_map(|(key, given)| match key.row().effect {
            Effect::Trial { idle, .. } => Some((*key, without_effect(*key, given, &idle(trial, data)?))),
            Effect::Data { .. } => None,
        })
    }

    /// Refuses options without effect on the data.
    ///
    /// # Errors
    /// A usage error that names the option and the data it is for.
    pub(crate) fn check_effect(&self, data: &Dataset) -> Result<()> {
        let idle = |(key, given): (&ChoiceKey, &Given)| match key.row().effect {
            Effect::Data { concerns, .. }
                if !concerns.are(data) && !concerns.holds_anyway(&given.text, data) =>
            {
                Some(without_effect(*key, given, &format!("on {}, it is for {concerns}", data.name)))
            }
            _ => None,
        };
        self.0.iter().find_map(idle).map_or(Ok(()), Err)
    }
}

/// Returns the error for a choice without effect.
fn without_effect(key: ChoiceKey, given: &Given, why: &str) -> Error {
    let what = format!("{} has no effect {why}", given.source.name(key));
    let error = Error::usage(what).because(Cause::NoEffect);
    given.source.locate(key, error).advise("leave it out")
}
