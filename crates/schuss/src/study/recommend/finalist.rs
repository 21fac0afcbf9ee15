//! A candidate of the search on its way to the finals: its budget, and how long it trains.

use super::candidates::{Candidate, name};
use super::halving::Entrant;
use crate::Result;
use crate::recipe::{Budget, Recipe, Trial};
use crate::record::EvaluationPoint;
use crate::record::numbers::plural;
use crate::schedule::Schedule;
use crate::study::plan::Planned;
use schuss_data::Dataset;
use std::time::Duration;

/// Schedule that the best candidate is tried with as well.
const SCHEDULE: &str = "cosine";

/// A recipe in the finals.
#[derive(Clone, Debug)]
pub(super) struct Finalist {
    pub(super) planned: Planned,
    pub(super) is_linear: bool,
    /// Time of a training.
    pub(super) time: Duration,
    /// True if its loss was lowest at the end of the search.
    pub(super) still_falling: bool,
}

impl Finalist {
    pub(super) fn name(&self) -> &str {
        &self.planned.trial.name
    }

    /// Returns a candidate that trains up to its lowest loss; `None` if it was not evaluated or diverged.
    pub(super) fn of(entrant: &Entrant, data: &Dataset) -> Option<Self> {
        let best = entrant.track.best.as_ref().filter(|_| entrant.track.loss().is_finite())?;
        let Candidate { planned, is_linear } = entrant.candidate.clone();
        let still_falling = best.updates == entrant.track.updates;
        let finalist = Self { planned, is_linear, time: entrant.track.spent, still_falling };
        Some(finalist.until(best, entrant.track.updates, data))
    }

    /// Returns the recipe with a budget that ends at a point of a training of so many updates.
    pub(super) fn until(self, point: &EvaluationPoint, of: u64, data: &Dataset) -> Self {
        let is_partial = point.samples < data.train.len() as u64;
        let max_updates = is_partial.then_some(point.updates);
        let budget = Budget { epochs: point.epoch.max(1), max_updates, ..self.planned.trial.budget };
        let time = self.time.mul_f64((point.updates as f64 / of.max(1) as f64).min(1.0));
        Self { time, still_falling: point.updates == of, ..self.with_budget(budget) }
    }

    /// Returns the recipe with a budget so many times as long.
    pub(super) fn longer(self, times: u32) -> Self {
        let Budget { epochs, max_updates, .. } = self.planned.trial.budget;
        let epochs = epochs.saturating_mul(times);
        let max_updates = max_updates.map(|updates| updates * u64::from(times));
        let budget = Budget { epochs, max_updates, ..self.planned.trial.budget };
        Self { time: self.time * times, ..self.with_budget(budget) }
    }

    fn with_budget(self, budget: Budget) -> Self {
        let trial = Trial { budget, ..self.planned.trial };
        Self { planned: Planned { trial, ..self.planned }, ..self }
    }

    /// Returns the same recipe with a schedule, if its optimizer can have one.
    pub(super) fn scheduled(&self) -> Result<Option<Self>> {
        let trial = &self.planned.trial;
        if !trial.recipe.optimizer.can_be_scheduled() || !trial.recipe.schedule.is_constant() {
            return Ok(None);
        }
        let schedule: Schedule = SCHEDULE.parse()?;
        let recipe = Recipe { schedule, ..trial.recipe.clone() };
        let trial = Trial { recipe, ..trial.clone() };
        let length = match trial.budget.max_updates {
            Some(updates) => plural(updates as usize, "update"),
            None => plural(trial.budget.epochs as usize, "epoch"),
        };
        let trial = Trial { name: format!("{} over {length}", name(&trial, self.is_linear)), ..trial };
        Ok(Some(Self { planned: Planned { trial, ..self.planned.clone() }, ..self.clone() }))
    }
}
