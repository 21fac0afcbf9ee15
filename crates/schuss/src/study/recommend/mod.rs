//! A recipe for some data, found within a time limit.
//!
//! Candidates ([`candidates`]) train under successive halving on the clock ([`halving`]), within a [`plan`] of the time. The
//! best of them and a linear baseline run [`heats`], if there is time for them, and [`finals`] with paired seeds, whose verdict
//! decides ([`card`], [`conclusion`]). [`work`] is the course of all this.

mod candidates;
mod card;
mod conclusion;
mod finalist;
mod finals;
mod halving;
mod heats;
mod plan;
#[cfg(test)]
mod tests;
mod work;

use super::file::StudyFile;
use super::folder::to_toml;
use super::run::Watcher;
use crate::recipe::ChoiceKey;
use crate::record::Recommendation;
use crate::session::{Control, Limits};
use crate::{Error, Result};
use candidates::check;
use schuss_data::Dataset;
use std::time::{Duration, Instant};
use work::Work;

/// Share of the time limit that is left for the conclusion.
const RESERVE: f64 = 0.03;
/// Most training samples of data whose validation split is drawn anew for every seed of the finals.
const SMALL: usize = 20_000;

/// Data to recommend a recipe for, and the means for it.
#[derive(Clone, Debug)]
pub struct Question {
    /// Data, and choices that all candidates share.
    pub file: StudyFile,
    /// Seed of the search; the finals have those that follow.
    pub seed: u64,
    /// Time at which the time limit begins.
    pub began: Instant,
    /// Time for everything, loading the data included.
    pub time_limit: Duration,
    /// Limits of the sessions.
    pub limits: Limits,
}

/// A recommendation, and the recipe as a study of one trial.
#[derive(Clone, Debug)]
pub struct Recommended {
    /// The recommendation.
    pub record: Recommendation,
    /// The recipe; `None` if no candidate could be evaluated.
    pub recipe: Option<StudyFile>,
}

impl Question {
    /// Loads the data, with a validation split: a tenth of the training samples, unless the data have one or the file sets
    /// another share. Every seed draws another one if the data are small.
    ///
    /// # Errors
    /// As for [`Workload::load`](crate::recipe::Workload::load).
    pub fn data(&self) -> Result<Dataset> {
        let file = StudyFile { chooses: true, ..self.file.clone() };
        let data = file.data(self.limits.memory)?;
        let drawn =
            data.held_out.as_ref().is_some_and(|held| held.drawn.iter().any(|name| name == "validation"));
        let is_small = data.train.resident().is_some() && data.train.len() <= SMALL;
        if !(drawn && is_small) {
            return Ok(data);
        }
        let mut workload = file.workload.clone();
        workload.choices.set(ChoiceKey::Resample, "true")?;
        StudyFile { workload, ..file }.data(self.limits.memory)?.with_one_test()
    }

    /// Recommends a recipe for `data`, which [`Self::data`] has loaded. `control` can interrupt it: the recommendation then
    /// rests on what is known by then. `watcher` is told what is going on.
    ///
    /// # Errors
    /// Usage errors for what was typed, and for too short a time; data errors for data without labels, with a single class,
    /// or with too few samples; any error of a trial.
    pub fn recommend(
        &self,
        data: &Dataset,
        control: &Control,
        watcher: &mut dyn Watcher,
    ) -> Result<Recommended> {
        check(data)?;
        let file = StudyFile { chooses: true, ..self.file.clone() };
        let ends = self.began + self.time_limit.mul_f64(1.0 - RESERVE);
        control.interrupt_after(ends.saturating_duration_since(Instant::now()))?;
        let work = Work { question: self, file: &file, data, ends, control };
        let entrants = work.search(watcher)?;
        let finals = work.finals(&entrants, watcher)?;
        work.conclude(&entrants, &finals)
    }
}

impl Recommended {
    /// Returns the recipe as a study file.
    ///
    /// # Errors
    /// A failure if there is no recipe.
    pub fn to_toml(&self) -> Result<String> {
        let recipe = self.recipe.as_ref().ok_or_else(|| Error::failure("no recipe could be evaluated"))?;
        to_toml(recipe)
    }
}
