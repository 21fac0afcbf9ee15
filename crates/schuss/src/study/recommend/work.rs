//! The course of a recommendation: pilots, search, heats and finals, all against one deadline.

use super::candidates::{Candidate, Menu};
use super::finalist::Finalist;
use super::finals::{Raced, finalists, fit, race};
use super::halving::{Entrant, Field, first_refusal};
use super::heats::{heats, judge, qualified};
use super::plan::{self, Plan, SEEDS};
use super::{Question, RESERVE};
use crate::record::numbers::{loss, plural, seconds};
use crate::session::Control;
use crate::study::StudyFile;
use crate::study::plan::Study;
use crate::study::run::{Means, Watcher};
use crate::study::tune::judged;
use crate::{Error, Place, Result};
use schuss_data::{Dataset, Split};
use std::time::{Duration, Instant};

/// Most samples that candidates of the search are judged by, so that evaluations take little of their time.
const JUDGED: usize = 2_000;

/// A recommendation in progress.
pub(super) struct Work<'a> {
    pub(super) question: &'a Question,
    pub(super) file: &'a StudyFile,
    pub(super) data: &'a Dataset,
    /// Time at which training ends.
    pub(super) ends: Instant,
    pub(super) control: &'a Control,
}

/// Finals and their recipes.
pub(super) struct Finals {
    pub(super) finalists: Vec<Finalist>,
    /// Results; `None` if there were none to run, or no time.
    pub(super) raced: Option<Raced>,
}

impl Work<'_> {
    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Searches the best candidates.
    ///
    /// # Errors
    /// Usage errors for what was typed, and for too short a time; any error of a session.
    pub(super) fn search(&self, watcher: &mut dyn Watcher) -> Result<Vec<Entrant>> {
        let (time, judged) = (self.left(), judged_by_few(self.data)?);
        let mut menu = Menu::new(self.file, self.data);
        let (shortest, networks) = self.pilots(&menu, &judged, time)?;
        menu.keep(networks);
        let plan = Plan::new(time, shortest).ok_or_else(|| self.too_short(shortest))?;
        let candidates = menu.candidates(plan.rungs[0].candidates)?;
        let candidates: Vec<Candidate> =
            candidates.into_iter().map(|candidate| candidate.with_seed(self.question.seed)).collect();
        watcher.note(&announcement(candidates.len(), &plan));
        let limits = self.question.limits.for_turns(plan.live(candidates.len()), self.data);
        let field = Field { data: &judged, limits, control: self.control };
        let mut entrants = field.search(candidates, &plan, |live, level| {
            watcher.note(&format!("rung {} of {}: {}", level + 1, plan.rungs.len(), standing(live)));
        })?;
        match first_refusal(&mut entrants) {
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
            let is_needed = index < 2; // the baseline and the smallest network
            if pilot <= if is_needed { plan::longest(time) } else { plan::brief(time) } {
                (shortest, networks) = (shortest.max(pilot), index);
            } else if is_needed {
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
    ///
    /// # Errors
    /// Any error of a trial.
    pub(super) fn finals(&self, entrants: &[Entrant], watcher: &mut dyn Watcher) -> Result<Finals> {
        let qualified = qualified(entrants, self.data);
        let mut seed = self.question.seed;
        let judged = match heats(&qualified, self.left()) {
            Some(heats) if !self.control.interrupted() => self.heats(&heats, &mut seed, watcher)?,
            _ => vec![],
        };
        let is_judged = !judged.is_empty() && !self.control.interrupted();
        let mut finalists = finalists(if is_judged { judged } else { qualified })?;
        if finalists.len() < 2 || self.control.interrupted() {
            return Ok(Finals { finalists, raced: None });
        }
        let count = fit(&mut finalists, self.left());
        let names: Vec<&str> = finalists.iter().map(Finalist::name).collect();
        watcher.note(&format!("finals with {}: {}", plural(count, "seed"), names.join("; ")));
        let raced = self.race(&finalists, following(&mut seed, count), watcher)?;
        Ok(Finals { finalists, raced: Some(raced) })
    }

    /// Runs heats and returns their recipes, best network first.
    fn heats(&self, heats: &[Finalist], seed: &mut u64, watcher: &mut dyn Watcher) -> Result<Vec<Finalist>> {
        let seeds = following(seed, *SEEDS.start());
        let recipes = plural(heats.len(), "recipe");
        watcher.note(&format!("heats of {recipes} with {}", plural(seeds.len(), "seed")));
        Ok(judge(heats, &self.race(heats, seeds, watcher)?, self.data))
    }

    /// Races recipes with these seeds.
    fn race(&self, recipes: &[Finalist], seeds: Vec<u64>, watcher: &mut dyn Watcher) -> Result<Raced> {
        let study = Study::of(recipes.iter().map(|recipe| recipe.planned.trial.clone()), self.data)?;
        let study = Study { workload: self.file.workload_of(self.data), ..study };
        let means = Means { data: self.data, limits: self.question.limits, control: self.control };
        race(&study, recipes, seeds, means, watcher)
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

/// Returns the data of the search: the validation split in place of the test split, and of a large one a part, evenly spaced.
///
/// # Errors
/// If samples cannot be read.
pub(super) fn judged_by_few(data: &Dataset) -> Result<Dataset> {
    let judged = judged(data);
    let len = judged.test.len() as u64;
    if judged.test.len() <= JUDGED {
        return Ok(judged);
    }
    let indices: Vec<u64> = (0..JUDGED as u64).map(|index| index * len / JUDGED as u64).collect();
    let few = Split::from(judged.test.read(&indices)?);
    Ok(Dataset { test: few, ..judged })
}

/// Returns a sentence on what is going to be searched.
fn announcement(candidates: usize, plan: &Plan) -> String {
    format!(
        "searching among {}, each for up to {} s, by the loss on the validation split",
        plural(candidates, "recipe"),
        seconds(plan.longest.as_secs_f64())
    )
}

/// Returns a sentence on the best candidates after a rung.
fn standing(live: &[Entrant]) -> String {
    let best = |is_linear: bool| live.iter().find(|entrant| entrant.candidate.is_linear == is_linear);
    let words = |entrant: &Entrant| {
        format!("{} has a loss of {}", entrant.candidate.planned.trial.name, loss(entrant.track.loss()))
    };
    let both: Vec<String> = [best(false), best(true)].into_iter().flatten().map(words).collect();
    format!("{}; {} go on", both.join(", "), live.len())
}
