//! The end of a recommendation: its record, and the recipe as a study file.

use super::Recommended;
use super::card::{self, Choice};
use super::finalist::Finalist;
use super::finals::Raced;
use super::halving::Entrant;
use super::work::{Finals, Work};
use crate::Result;
use crate::recipe::{Choices, Group, Trial};
use crate::record::{Certainty, FinalValues, Measure, Recommendation, Spread, Trace, TrialRecord, Verdict};
use crate::study::StudyFile;
use crate::study::run::counts;
use crate::study::seeds::Seeds;
use std::path::Path;

impl Work<'_> {
    /// Draws the conclusion.
    ///
    /// # Errors
    /// If test samples cannot be read.
    pub(super) fn conclude(&self, entrants: &[Entrant], finals: &Finals) -> Result<Recommended> {
        let choice = finals.choice(entrants);
        let chosen = choice.as_ref().and_then(|choice| finals.finalist(&choice.name));
        let mut record = Recommendation {
            schema: 1,
            data: self.data.origin.clone(),
            counts: counts(self.data),
            time_limit: self.question.time_limit.as_secs_f64(),
            interrupted: self.control.interrupted() && !self.control.time_is_up(),
            recipe: chosen.map(|chosen| card::recipe(chosen, finals.raced.as_ref(), self.data)),
            baseline: finals.baseline().map(str::to_owned),
            certainty: choice.as_ref().map_or(Certainty::Untested, |choice| choice.certainty),
            candidates: entrants.iter().map(card::candidate).collect(),
            ..Recommendation::default()
        };
        if let (Some(choice), Some(raced)) = (&choice, &finals.raced) {
            self.enter_finals(&mut record, choice, raced)?;
        }
        record.seconds = self.question.began.elapsed().as_secs_f64();
        Ok(Recommended { recipe: chosen.map(|chosen| self.recipe(&chosen.planned.trial)), record })
    }

    /// Enters what the finals show of the choice.
    fn enter_finals(&self, record: &mut Recommendation, choice: &Choice, raced: &Raced) -> Result<()> {
        let Some(verdict) = raced.finished.summary.verdict.clone() else { return Ok(()) };
        let (name, baseline) = (choice.name.as_str(), record.baseline.as_deref().unwrap_or_default());
        let by = if self.data.classes.is_empty() { Measure::EvalLoss } else { Measure::EvalAccuracy };
        let own: Vec<_> = raced.ended(name).collect();
        let curves: Vec<_> = own.iter().map(|(_, trace)| trace.evaluations.as_slice()).collect();
        record.qualities = card::qualities(&curves, by, last(&verdict, baseline, by));
        record.seeds = own.iter().map(|(trial, _)| trial.seed).collect();
        record.gain = card::comparisons(&verdict, name, baseline);
        record.runner_up = card::runner_up(&verdict, name);
        record.flips = card::flips(&verdict, choice);
        let weights = raced.weights.get(name);
        let test = weights.map(|weights| card::test(weights, self.data, self.question.limits.threads));
        record.test = test.transpose()?;
        record.verdict = Some(verdict);
        Ok(())
    }

    /// Returns the recipe as a study of one trial, which can be trained anywhere.
    fn recipe(&self, trial: &Trial) -> StudyFile {
        let choices = Choices::of(trial);
        let of_group = |group: Group| choices.clone().only(|key| key.row().group == group);
        let mut workload = self.file.workload_of(self.data).effective(self.data).without_trial();
        workload.choices = of_group(Group::Workload).over(&workload.choices);
        StudyFile {
            title: format!("Recommended for {}", self.data.name),
            seeds: Some(Seeds::Listed(vec![self.question.seed])),
            workload: workload.on(&anywhere(&self.data.name)),
            recipe: of_group(Group::Recipe),
            budget: of_group(Group::Budget),
            ..StudyFile::default()
        }
    }
}

impl Finals {
    /// Returns the choice by the verdict of the finals, else the finalist with the lowest loss in the search.
    fn choice(&self, entrants: &[Entrant]) -> Option<Choice> {
        let verdict = self.raced.as_ref().and_then(|raced| raced.finished.summary.verdict.as_ref());
        verdict.and_then(|verdict| card::choose(verdict, self.baseline())).or_else(|| self.untested(entrants))
    }

    fn untested(&self, entrants: &[Entrant]) -> Option<Choice> {
        let of = |entrant: &Entrant| self.finalist(&entrant.candidate.planned.trial.name).is_some();
        let tried = entrants.iter().filter(|entrant| entrant.track.loss().is_finite() && of(entrant));
        let best = tried.min_by(|a, b| a.track.loss().total_cmp(&b.track.loss()))?;
        Some(Choice { name: best.candidate.planned.trial.name.clone(), certainty: Certainty::Untested })
    }

    fn finalist(&self, name: &str) -> Option<&Finalist> {
        self.finalists.iter().find(|finalist| finalist.name() == name)
    }

    /// Returns the name of the linear baseline.
    fn baseline(&self) -> Option<&str> {
        self.finalists.iter().find(|finalist| finalist.is_linear).map(Finalist::name)
    }
}

impl Raced {
    /// Returns the trials of a recipe that ran to their end, with their recordings.
    pub(super) fn ended(&self, name: &str) -> impl Iterator<Item = (&TrialRecord, &Trace)> {
        let all = self.finished.summary.trials.iter().zip(&self.finished.traces);
        all.filter(move |(trial, _)| trial.name == name && trial.status.is_end())
    }
}

/// Returns the median of a recipe at the end of the finals.
fn last(verdict: &Verdict, name: &str, by: Measure) -> Option<f64> {
    let FinalValues { eval_loss, eval_accuracy } =
        verdict.recipes.iter().find(|recipe| recipe.name == name)?.last;
    let spread = if by == Measure::EvalAccuracy { eval_accuracy } else { eval_loss };
    spread.map(|Spread { median, .. }| median)
}

/// Returns the absolute path of data that are a path, and other data as they are.
fn anywhere(data: &str) -> String {
    match std::path::absolute(data) {
        Ok(path) if Path::new(data).exists() => path.display().to_string(),
        _ => data.to_owned(),
    }
}
