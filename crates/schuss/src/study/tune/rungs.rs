//! Successive halving: rungs of probes, each longer and for fewer points, with equal numbers for every recipe.

use super::Tune;
use super::probes::Prober;
use super::search::{Point, Search};
use super::space::{Space, refuse_replaced};
use crate::recipe::{Budget, Trial};
use crate::record::{Status, TrialRecord};
use crate::study::plan::{Planned, Study};
use crate::{Cause, Error, Result};
use schuss_data::Dataset;

/// A rung: probes of the same length, as a share of the trial's budget.
struct Rung {
    share: u64,
    /// Fewest updates, if the trial has as many.
    fewest: u64,
    /// Probes at points that the search asks for.
    searched: usize,
    /// Maximum number of probes beyond, until every recipe's best point is inside (and resolved, on the last rung).
    extra: usize,
    /// Distance below which points are not told apart, in powers of ten.
    finest: f64,
    /// Seeds that every point is probed with; none of them is one of the race.
    seeds: Vec<u64>,
}

/// Number of best points that go on to the next rung.
const CARRIED: usize = 3;
/// Multiply-adds of a moment, some hundredths of a second: probes are not made shorter than that.
const MOMENT: u64 = 100_000_000;
/// Number of seeds on the last rung if trials take only a moment.
const MANY_SEEDS: usize = 6;

/// Returns the rungs of a search: a sixteenth of the budget, and a quarter. If trials take only a moment, probes are whole
/// trials, and the last rung searches finely and with many seeds.
fn rungs(tune: &Tune, is_brief: bool, race: &[u64]) -> [Rung; 2] {
    let searched = 2 * tune.keys.len();
    let (seeds, finest, extra) =
        if is_brief { (tune.seeds.max(MANY_SEEDS), 2e-4, 24) } else { (tune.seeds, 0.06, 8) };
    let mut free = (FIRST_SEED..).filter(|seed| !race.contains(seed));
    let mut take = |count: usize| free.by_ref().take(count).collect();
    [
        Rung { share: 16, fewest: 3, searched, extra: 8, finest: 0.06, seeds: take(tune.seeds) },
        Rung { share: 4, fewest: 5, searched, extra, finest, seeds: take(seeds) },
    ]
}

/// First seed of probes.
const FIRST_SEED: u64 = 1_000_001;

/// Number of Sobol points that the first rung begins with: all multiples of an eighth of the range for one dimension.
fn first_points(dimensions: usize) -> u32 {
    (1 << (dimensions + 2)) - 1
}

/// A recipe that is tuned, and its searches, one per rung.
pub(in crate::study) struct Racer<'a> {
    pub(super) planned: &'a Planned,
    pub(super) space: &'a Space,
    pub(super) searches: Vec<Search<'a>>,
    /// Probes of all points of all rungs, in order; one per seed.
    pub(super) probes: Vec<Vec<TrialRecord>>,
}

impl Racer<'_> {
    /// Returns the best point of the last rung.
    ///
    /// # Errors
    /// A failure if nothing was probed.
    pub(super) fn best(&self) -> Result<&Point> {
        let best = self.searches.last().and_then(Search::best);
        best.ok_or_else(|| Error::failure("a recipe was tuned without probes"))
    }

    /// Returns the probes of the last rung's points.
    pub(super) fn last_probes(&self) -> Vec<&[TrialRecord]> {
        let points = self.searches.last().map_or(0, |search| search.points.len());
        self.probes[self.probes.len() - points..].iter().map(Vec::as_slice).collect()
    }

    /// Returns the best points of the last rung, best first.
    fn carried(&self) -> Vec<Vec<f64>> {
        let ranked = self.searches.last().map_or_else(Vec::new, Search::ranked);
        ranked.into_iter().take(CARRIED).map(|point| point.at.clone()).collect()
    }

    /// Returns the points of all rungs so far.
    fn known(&self) -> Vec<Vec<f64>> {
        self.searches.iter().flat_map(|search| &search.points).map(|point| point.at.clone()).collect()
    }

    /// Returns the trial that probes a point: the beginning of the recipe's own trial.
    fn probe(&self, point: &[f64], rung: &Rung, data: &Dataset) -> Result<Trial> {
        let trial = self.space.trial(&self.planned.trial, point)?;
        let budget = Budget {
            max_updates: Some(length(&trial, rung, data)?),
            beyond_target: trial.budget.target.is_some(),
            stop: None,
            early_stop: None,
            ..trial.budget
        };
        Ok(Trial { budget, instruments: vec![], ..trial }) // which read the race alone
    }

    /// Returns true if the recipe's own trial takes only a moment.
    fn is_brief(&self, data: &Dataset) -> Result<bool> {
        let trial = &self.planned.trial;
        Ok(trial.updates(data.train.len()) <= updates_in_a_moment(trial, data)?)
    }
}

/// Returns the number of updates of a probe.
fn length(trial: &Trial, rung: &Rung, data: &Dataset) -> Result<u64> {
    let all = trial.updates(data.train.len());
    let moment = updates_in_a_moment(trial, data)?;
    Ok(all.div_ceil(rung.share).max(moment.max(rung.fewest).min(all)))
}

fn updates_in_a_moment(trial: &Trial, data: &Dataset) -> Result<u64> {
    let samples = trial.recipe.update.samples(data.train.len()) as u64;
    let work = trial.plan(data)?.work_per_sample() as u64 * samples;
    Ok(MOMENT / work.max(1))
}

/// Checks that a study can be tuned.
///
/// # Errors
/// Usage errors: a recipe without one of the choices, or whose schedule replaces it, recipes that differ only in them, no
/// seed, and time that counts without a target.
pub(in crate::study) fn check(study: &Study, tune: &Tune, data: &Dataset) -> Result<()> {
    if tune.seeds == 0 {
        return Err(Error::usage("tuning needs at least one seed"));
    }
    if tune.counts && study.trials.iter().all(|planned| planned.trial.budget.target.is_none()) {
        return Err(Error::usage("--count-tuning counts in the time to a target, and there is none")
            .because(Cause::NoEffect)
            .advise("--target 'eval_accuracy>=0.97'"));
    }
    refuse_same(&study.trials, &spaces(study, tune, data)?)
}

fn spaces(study: &Study, tune: &Tune, data: &Dataset) -> Result<Vec<Space>> {
    let space = |planned: &Planned| {
        tune.keys.iter().try_for_each(|key| refuse_replaced(*key, &planned.trial))?;
        Space::new(tune, &planned.trial, data)
    };
    study.trials.iter().map(space).collect()
}

/// Probes every recipe and draws the conclusion; `None` if interrupted.
///
/// # Errors
/// Usage errors before the first probe, and any error of a probe or of the conclusion.
pub(in crate::study) fn search<T>(
    prober: &mut Prober,
    tune: &Tune,
    conclude: fn(&[Racer], &Tune) -> Result<T>,
) -> Result<Option<T>> {
    let (study, data) = (prober.study, prober.data);
    let spaces = spaces(study, tune, data)?;
    let racer = |(planned, space)| Racer { planned, space, searches: vec![], probes: vec![] };
    let mut racers: Vec<Racer> = study.trials.iter().zip(&spaces).map(racer).collect();
    let is_brief = racers.iter().map(|racer| racer.is_brief(data)).collect::<Result<Vec<bool>>>()?;
    let rungs = rungs(tune, is_brief.into_iter().all(|is_brief| is_brief), &study.seeds);
    for (level, rung) in rungs.iter().enumerate() {
        let mut climb = Climb { prober, rung, is_last: level + 1 == rungs.len() };
        if climb.all(&mut racers)?.is_none() {
            return Ok(None);
        }
    }
    conclude(&racers, tune).map(Some)
}

/// Refuses recipes that are the same once they are tuned.
fn refuse_same(trials: &[Planned], spaces: &[Space]) -> Result<()> {
    let mut ids: Vec<(String, &str)> = vec![];
    for (planned, space) in trials.iter().zip(spaces) {
        let id = space.trial(&planned.trial, &space.sobol(1))?.config_id();
        if let Some((_, other)) = ids.iter().find(|(other, _)| *other == id) {
            let name = &planned.trial.name;
            let what = format!("`{other}` and `{name}` differ only in what --tune chooses");
            return Err(Error::usage(what).advise("leave one of them out, or name fewer choices in --tune"));
        }
        ids.push((id, &planned.trial.name));
    }
    Ok(())
}

/// One rung, for all recipes.
struct Climb<'p, 'a> {
    prober: &'p mut Prober<'a>,
    rung: &'p Rung,
    is_last: bool,
}

impl Climb<'_, '_> {
    /// Runs the rung's probes; `None` if interrupted.
    fn all(&mut self, racers: &mut [Racer]) -> Result<Option<()>> {
        let first: Vec<Vec<Vec<f64>>> = racers.iter().map(Self::first).collect();
        for racer in racers.iter_mut() {
            let (space, known) = (racer.space, racer.known());
            racer.searches.push(Search { space, known, points: vec![], finest: self.rung.finest });
        }
        let count = first.iter().map(Vec::len).min().unwrap_or(0);
        for index in 0..count {
            let points = first.iter().map(|points| points[index].clone()).collect();
            if self.round(racers, points)?.is_none() {
                return Ok(None);
            }
        }
        for round in 0..self.rung.searched + self.rung.extra {
            if round >= self.rung.searched && self.is_done(racers) {
                break;
            }
            let next = racers.iter().filter_map(|racer| racer.searches.last()?.next()).collect();
            if self.round(racers, next)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    /// Returns the points that a recipe begins the rung with.
    fn first(racer: &Racer) -> Vec<Vec<f64>> {
        if racer.searches.is_empty() {
            (1..=first_points(racer.space.0.len())).map(|index| racer.space.sobol(index)).collect()
        } else {
            racer.carried()
        }
    }

    /// Returns true if no recipe needs a further probe.
    fn is_done(&self, racers: &[Racer]) -> bool {
        let is_done = if self.is_last { Search::is_resolved } else { Search::is_enclosed };
        racers.iter().all(|racer| racer.searches.last().is_none_or(is_done))
    }

    /// Probes one point per recipe; `None` if interrupted.
    fn round(&mut self, racers: &mut [Racer], points: Vec<Vec<f64>>) -> Result<Option<()>> {
        let (rung, data) = (self.rung, self.prober.data);
        let trials = racers.iter().zip(&points).map(|(racer, point)| racer.probe(point, rung, data));
        let trials: Vec<Trial> = trials.collect::<Result<_>>()?;
        let Some(records) = self.prober.run(&trials, &rung.seeds)? else { return Ok(None) };
        for (((racer, at), trial), records) in racers.iter_mut().zip(points).zip(&trials).zip(records) {
            let (loss, to_target) =
                (mean_loss(&records), epochs_to_target(trial, &records, data.train.len()));
            racer.searches.last_mut().into_iter().for_each(|search| {
                search.points.push(Point { at: at.clone(), loss, to_target });
            });
            racer.probes.push(records);
        }
        Ok(Some(()))
    }
}

/// Returns the mean loss of probes of a point, infinite if one diverged.
pub(super) fn mean_loss(probes: &[TrialRecord]) -> f64 {
    probes.iter().map(loss).sum::<f64>() / probes.len() as f64
}

/// Returns the expected number of epochs until the target of a trial on `train` samples: those of all its probes, over the
/// number of probes that reached it; `None` if none did, or all did before the first update, which no choice changes.
fn epochs_to_target(trial: &Trial, probes: &[TrialRecord], train: usize) -> Option<f64> {
    let reached = |probe: &TrialRecord| probe.target.as_ref().and_then(|target| target.updates);
    let hits = probes.iter().filter_map(reached).count();
    let updates: u64 = probes.iter().map(|probe| reached(probe).unwrap_or(probe.updates)).sum();
    let samples = updates as f64 * trial.recipe.update.samples(train) as f64;
    (hits > 0 && updates > 0).then(|| samples / (train * hits) as f64)
}

/// Returns the loss that a probe is judged by, infinite if it diverged.
pub(super) fn loss(record: &TrialRecord) -> f64 {
    let last = record.epochs.last().and_then(|row| row.eval_loss);
    last.filter(|loss| record.status != Status::Diverged && loss.is_finite()).unwrap_or(f64::INFINITY)
}
