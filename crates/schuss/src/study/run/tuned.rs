//! The part of a run before its race: tuning, or taking up a tuning that has ended.

use super::{RunFolder, Study, Watcher};
use crate::record::numbers::significant;
use crate::record::{TrialRecord, TunedRecipe, TuningRecord};
use crate::session::{Control, Limits};
use crate::study::tune::{self, Prober, Tune, search, tuned};
use crate::{Error, Result};
use schuss_data::Dataset;

/// Data of a run, and what it has of the machine.
#[derive(Clone, Copy)]
pub(in crate::study) struct Means<'a> {
    pub(in crate::study) data: &'a Dataset,
    pub(in crate::study) limits: Limits,
    pub(in crate::study) control: &'a Control,
}

/// A study that is ready to race.
pub(super) struct Tuned {
    pub(super) study: Study,
    /// Record of the tuning; `None` if there was none, or if it was interrupted.
    pub(super) record: Option<TuningRecord>,
    pub(super) probes: Vec<TrialRecord>,
    /// True if the tuning has not ended, so that there is no race yet.
    pub(super) is_interrupted: bool,
    /// Error of a probe, or of writing, that interrupted the tuning.
    pub(super) error: Option<Error>,
}

impl Tuned {
    /// Tunes the recipes of a study, if it asks for that and the run in `folder` has not done it before.
    ///
    /// # Errors
    /// If probes of an earlier part of the run cannot be read. An error of a probe is in `error`, beside the probes that
    /// ended before.
    pub(super) fn of(
        study: &Study,
        means: Means,
        fingerprint: &str,
        folder: Option<&mut RunFolder>,
        watcher: &mut dyn Watcher,
    ) -> Result<Self> {
        let before = folder.as_ref().map(|folder| folder.tuning()).transpose()?.flatten();
        if before.is_none() && study.tune.is_none() {
            return Ok(Self::untouched(study));
        }
        let run = folder.as_ref().map(|folder| folder.path().to_owned());
        let mut prober = Prober::new(study, means, fingerprint, run.as_deref())?;
        let mut tuned = Self { is_interrupted: true, ..Self::untouched(study) };
        tuned.error = tuned.tune(before, &mut prober, folder, watcher).err();
        tuned.probes = prober.into_records();
        Ok(tuned)
    }

    /// Tunes, unless there is a record from `before`, and sets the study that races; leaves it as it is if interrupted.
    fn tune(
        &mut self,
        before: Option<TuningRecord>,
        prober: &mut Prober,
        folder: Option<&mut RunFolder>,
        watcher: &mut dyn Watcher,
    ) -> Result<()> {
        let Some(tune) = self.study.tune.clone() else {
            (self.record, self.is_interrupted) = (before, false);
            return Ok(());
        };
        let found = match before {
            Some(record) => Some(record),
            None => {
                watcher.note(&announcement(&self.study, &tune));
                search(prober, &tune, tune::record)?
            }
        };
        let Some(record) = found else { return Ok(()) };
        let racing = tuned(&self.study, &record)?;
        if let Some(folder) = folder {
            folder.write_tuning(&record)?;
            folder.write_study(&racing.to_file(prober.data))?;
        }
        record.recipes.iter().for_each(|recipe| watcher.note(&result(recipe)));
        (self.study, self.record, self.is_interrupted) = (racing, Some(record), false);
        Ok(())
    }

    /// Returns a study as it is.
    fn untouched(study: &Study) -> Self {
        Self { study: study.clone(), record: None, probes: vec![], is_interrupted: false, error: None }
    }
}

/// Returns a sentence about what is going to be tuned.
fn announcement(study: &Study, tune: &Tune) -> String {
    let recipes = study.trials.len();
    let who = if recipes == 1 { "the recipe".to_owned() } else { format!("{recipes} recipes") };
    let has_target = study.trials.iter().any(|planned| planned.trial.budget.target.is_some());
    let target = if has_target { ", or their time to the target where they reach it" } else { "" };
    format!("tuning {} of {who}, by the loss of short trials on the validation split{target}", tune.names())
}

/// Returns a sentence about what was chosen for a recipe.
fn result(recipe: &TunedRecipe) -> String {
    let TunedRecipe { name, at_best, good_rates, inside, cost, .. } = recipe;
    let good = good_rates.map(|good| {
        let [low, high] = [good.low, good.high].map(|rate| significant(rate, 2));
        format!(", good from {low} to {high}")
    });
    let edge = if *inside { "" } else { "; still better values may lie beyond those tried" };
    format!("{name}: {} probes choose {at_best}{}{edge}", cost.probes, good.unwrap_or_default())
}

/// Refuses to tune without a split to judge probes by.
///
/// # Errors
/// A usage error if there is no validation split.
pub(in crate::study) fn refuse_without_validation(data: &Dataset) -> Result<()> {
    if data.validation.is_some() {
        return Ok(());
    }
    Err(Error::usage("tuning needs a validation split, since the test split must not decide")
        .advise("data with one: --validation 0.1"))
}
