//! A recipe for some data, found within a time limit.
//!
//! Candidates ([`candidates`]) train under successive halving on the clock ([`halving`]), within a [`plan`] of the time. The
//! best of them and a linear baseline run heats, if there is time for them, and finals with paired seeds ([`finals`]), whose
//! verdict decides ([`card`]).

mod candidates;
mod card;
mod finals;
mod halving;
mod plan;
#[cfg(test)]
mod tests;

use super::file::StudyFile;
use super::folder::to_toml;
use super::plan::Study;
use super::run::{Means, Watcher, counts};
use super::seeds::Seeds;
use super::tune::judged;
use crate::recipe::{ChoiceKey, Choices, Group, Trial};
use crate::record::numbers::{plural, seconds};
use crate::record::{Certainty, Measure, Recommendation};
use crate::session::{Control, Limits};
use crate::{Error, Place, Result};
use candidates::{Candidate, Menu, check};
use card::Choice;
use finals::{Finalist, Raced, finalists, fit, judge, qualified, race};
use halving::{Entrant, Field};
use plan::{Plan, SEEDS};
use schuss_data::Dataset;
use std::time::{Duration, Instant};

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
        let raced = work.finals(&entrants, watcher)?;
        work.conclude(&entrants, raced)
    }
}

/// A recommendation in progress.
struct Work<'a> {
    question: &'a Question,
    file: &'a StudyFile,
    data: &'a Dataset,
    /// Time at which training ends.
    ends: Instant,
    control: &'a Control,
}

/// Finals and their recipes.
struct Finals {
    finalists: Vec<Finalist>,
    raced: Option<Raced>,
}

impl Work<'_> {
    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Searches the best candidates.
    fn search(&self, watcher: &mut dyn Watcher) -> Result<Vec<Entrant>> {
        let (time, judged) = (self.left(), judged(self.data));
        let mut menu = Menu::new(self.file, self.data);
        let (shortest, networks) = self.pilots(&menu, &judged, time)?;
        menu.keep(networks);
        let plan = Plan::new(time, shortest).ok_or_else(|| self.too_short(shortest))?;
        let candidates: Vec<Candidate> = menu
            .candidates(plan.rungs[0].candidates)?
            .into_iter()
            .map(|it| it.with_seed(self.question.seed))
            .collect();
        watcher.note(&format!(
            "searching among {}, each for up to {} s, by the loss on the validation split",
            plural(candidates.len(), "recipe"),
            seconds(plan.longest.as_secs_f64())
        ));
        let live = plan.rungs.get(1).map_or(usize::MAX, |next| next.candidates.saturating_add(2)); // and the baseline, one on trial
        let live = live.min(candidates.len());
        let limits = self.question.limits.for_turns(live, self.data);
        let field = Field { data: &judged, limits, control: self.control };
        let mut entrants = field.search(candidates, &plan, |live, level| {
            let place = format!("rung {} of {}", level + 1, plan.rungs.len());
            watcher.note(&format!("{place}: {}", standing(live)));
        })?;
        match finals::first_refusal(&mut entrants) {
            Some(error) if entrants.iter().all(|entrant| entrant.track.spent.is_zero()) => Err(error),
            _ => Ok(entrants),
        }
    }

    /// Measures how long a candidate of every network takes to show anything. Returns the longest of these times, with some
    /// room, and the number of networks that the time is enough for.
    fn pilots(&self, menu: &Menu, judged: &Dataset, time: Duration) -> Result<(Duration, usize)> {
        let field = Field { data: judged, limits: self.question.limits, control: self.control };
        let (mut shortest, mut networks) = (Duration::ZERO, 0);
        for (index, sample) in menu.samples()?.iter().enumerate() {
            let pilot = pilot(&field, sample, time)?;
            if pilot <= plan::longest(time) {
                (shortest, networks) = (shortest.max(pilot), index);
            } else if index < 2 {
                return Err(self.too_short(pilot));
            } else {
                break;
            }
        }
        Ok((shortest, networks))
    }

    fn too_short(&self, shortest: Duration) -> Error {
        let loading = self.question.time_limit.saturating_sub(self.left()).min(self.question.time_limit);
        let needed = (loading + plan::least(shortest)).as_secs_f64() / (1.0 - RESERVE);
        let needed = seconds(needed.max(1.0).ceil());
        let what = format!(
            "the time limit is too short to try even one recipe: that takes at least about {needed} s"
        );
        Error::usage(what)
            .at(Place::flag("time-limit"))
            .advise(format!("--time-limit {}s", needed.replace(',', "")))
    }

    /// Runs heats, if there is time for them, and the finals, if there is something to compare.
    fn finals(&self, entrants: &[Entrant], watcher: &mut dyn Watcher) -> Result<Finals> {
        let mut recipes = qualified(entrants, self.data);
        let mut seed = self.question.seed;
        if let Some(heats) = finals::heats(&recipes, self.left()).filter(|_| !self.control.interrupted()) {
            let seeds = following(&mut seed, *SEEDS.start());
            watcher.note(&format!(
                "heats of {} with {}",
                plural(heats.len(), "recipe"),
                plural(seeds.len(), "seed")
            ));
            let judged = judge(&heats, &self.race(&heats, seeds, watcher)?, self.data);
            recipes = if judged.is_empty() { recipes } else { judged };
        }
        let mut finalists = finalists(recipes)?;
        if finalists.len() < 2 || self.control.interrupted() {
            return Ok(Finals { finalists, raced: None });
        }
        let seeds = fit(&mut finalists, self.left());
        let seeds = following(&mut seed, seeds);
        let names: Vec<&str> =
            finalists.iter().map(|finalist| finalist.planned.trial.name.as_str()).collect();
        watcher.note(&format!("finals with {}: {}", plural(seeds.len(), "seed"), names.join("; ")));
        let raced = self.race(&finalists, seeds, watcher)?;
        Ok(Finals { finalists, raced: Some(raced) })
    }

    /// Races recipes with these seeds.
    fn race(&self, recipes: &[Finalist], seeds: Vec<u64>, watcher: &mut dyn Watcher) -> Result<Raced> {
        let study = Study::of(recipes.iter().map(|recipe| recipe.planned.trial.clone()), self.data)?;
        let study = Study { workload: self.file.workload_of(self.data), ..study };
        let means = Means { data: self.data, limits: self.question.limits, control: self.control };
        race(&study, recipes, seeds, means, watcher)
    }

    fn conclude(&self, entrants: &[Entrant], finals: Finals) -> Result<Recommended> {
        let Finals { finalists, raced } = finals;
        let verdict = raced.as_ref().and_then(|raced| raced.finished.summary.verdict.clone());
        let linear = finalists.iter().find(|finalist| finalist.is_linear);
        let linear = linear.map(|finalist| finalist.planned.trial.name.clone());
        let choice = verdict.as_ref().and_then(|verdict| card::choose(verdict, linear.as_deref()));
        let choice = choice.or_else(|| untested(entrants));
        let chosen = choice
            .as_ref()
            .and_then(|choice| finalists.iter().find(|finalist| finalist.planned.trial.name == choice.name));
        let interrupted = self.control.interrupted() && !self.control.time_is_up();
        let mut record = Recommendation {
            schema: 1,
            data: self.data.origin.clone(),
            counts: counts(self.data),
            time_limit: self.question.time_limit.as_secs_f64(),
            seconds: 0.0,
            interrupted,
            recipe: chosen.map(|chosen| card::recipe(chosen, raced.as_ref(), self.data)),
            baseline: linear,
            certainty: choice.as_ref().map_or(Certainty::Untested, |choice| choice.certainty),
            gain: vec![],
            runner_up: None,
            flips: vec![],
            qualities: vec![],
            test: None,
            seeds: vec![],
            verdict: None,
            candidates: entrants.iter().map(card::candidate).collect(),
        };
        if let (Some(verdict), Some(choice), Some(raced)) = (verdict, choice, &raced) {
            self.compare(&mut record, verdict, &choice, raced)?;
        }
        record.seconds = self.question.began.elapsed().as_secs_f64();
        Ok(Recommended { recipe: chosen.map(|chosen| self.recipe(&chosen.planned.trial)), record })
    }

    /// Enters what the finals show of the choice.
    fn compare(
        &self,
        record: &mut Recommendation,
        verdict: crate::record::Verdict,
        choice: &Choice,
        raced: &Raced,
    ) -> Result<()> {
        let name = choice.name.as_str();
        let baseline = record.baseline.clone().unwrap_or_default();
        record.gain = card::comparisons(&verdict, name, &baseline);
        record.runner_up = card::runner_up(&verdict, name);
        record.flips = card::flips(&verdict, choice);
        let summary = &raced.finished.summary;
        let is_ours =
            |index: &usize| summary.trials[*index].name == name && summary.trials[*index].status.is_end();
        let ours: Vec<usize> = (0..summary.trials.len()).filter(is_ours).collect();
        let curves: Vec<_> =
            ours.iter().map(|index| raced.finished.traces[*index].evaluations.as_slice()).collect();
        let by = if summary.data.classes > 0 { Measure::EvalAccuracy } else { Measure::EvalLoss };
        let final_of =
            verdict.recipes.iter().find(|recipe| recipe.name == baseline).map(|recipe| recipe.last);
        let from = final_of
            .and_then(|last| if by == Measure::EvalAccuracy { last.eval_accuracy } else { last.eval_loss });
        record.qualities = card::qualities(&curves, by, from.map(|spread| spread.median));
        record.seeds = ours.iter().map(|index| summary.trials[*index].seed).collect();
        record.verdict = Some(verdict);
        let weights = raced.weights.get(name);
        record.test = weights
            .map(|weights| card::test(weights, self.data, self.question.limits.threads))
            .transpose()?;
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

/// Measures how long a candidate takes to show anything, with some room; twice if it seems to take too long, since something
/// else may have had the machine.
fn pilot(field: &Field, sample: &Candidate, time: Duration) -> Result<Duration> {
    const ROOM: u32 = 2;
    let measure = || field.pilot(sample, plan::pilots(time)).map(|measured| ROOM * measured);
    let first = measure()?;
    if first <= plan::longest(time) { Ok(first) } else { Ok(first.min(measure()?)) }
}

/// Returns so many seeds that follow `last`, which becomes the last of them.
fn following(last: &mut u64, count: usize) -> Vec<u64> {
    let mut next = || {
        *last = last.wrapping_add(1);
        *last
    };
    (0..count).map(|_| next()).collect()
}

impl Candidate {
    fn with_seed(mut self, seed: u64) -> Self {
        self.planned.trial.seed = seed;
        self
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

/// Returns the candidate with the lowest loss in the search, if there is one.
fn untested(entrants: &[Entrant]) -> Option<Choice> {
    let tried = entrants.iter().filter(|entrant| entrant.track.loss().is_finite());
    let best = tried.min_by(|a, b| a.track.loss().total_cmp(&b.track.loss()))?;
    Some(Choice { name: best.candidate.planned.trial.name.clone(), certainty: Certainty::Untested })
}

/// Returns the absolute path of data that are a path, and other data as they are.
fn anywhere(data: &str) -> String {
    match std::path::absolute(data) {
        Ok(path) if std::path::Path::new(data).exists() => path.display().to_string(),
        _ => data.to_owned(),
    }
}

/// Returns a sentence on the best candidates after a rung.
fn standing(live: &[Entrant]) -> String {
    let best = |is_linear: bool| live.iter().find(|entrant| entrant.candidate.is_linear == is_linear);
    let words = |entrant: &Entrant| {
        let loss = crate::record::numbers::loss(entrant.track.loss());
        format!("{} has a loss of {loss}", entrant.candidate.planned.trial.name)
    };
    let both: Vec<String> = [best(false), best(true)].into_iter().flatten().map(words).collect();
    format!("{}; {} go on", both.join(", "), live.len())
}
