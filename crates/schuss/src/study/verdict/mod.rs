//! The verdict of a run: a pure function of its trials.
//!
//! Times to the target are [outcomes](outcome): known, censored or infinite. Each recipe has a [median] with an interval
//! free of assumptions and an expected time ([racer]); each [pair](comparison) of recipes is compared seed by seed, with
//! p-values adjusted over all pairs ([holm]); the [leader](ranking) is the recipe most probably [best]. Without a target
//! the values at the end of the budget are ranked in the same way. Intervals of calibrated times are widened by the
//! [noise] of the machine. A [course] has one look at all trials, or several at more and more seeds, which share the error;
//! the [design] says what else tests allow for.

mod best;
mod comparable;
mod comparison;
mod contrast;
mod course;
mod design;
mod evaluations;
mod firm;
mod fisher;
mod holm;
mod measure;
mod median;
mod noise;
mod outcome;
#[cfg(test)]
mod promises;
mod quality;
mod racer;
mod ranking;
pub(super) mod recipe;
mod seed_varies;
mod seeds_needed;
mod sentences;
mod sign_flip;
mod student;
#[cfg(test)]
pub(super) mod tests;
mod tie;
mod tuned;

pub use tie::Tie;

pub(super) use median::{fewest, middle, ranks_to_leave_out};

use crate::record::{
    Firm, Interval, IntervalKind, Measure, PairOutcome, PairVerdict, RecipeVerdict, Summary, Verdict,
};
use course::{Course, Race, Standing};
use design::Design;
use outcome::Outcome;
use racer::Racer;
use recipe::{Recipe, recipes};

pub(in crate::study) use design::LEVEL;

impl Verdict {
    /// Returns the verdict on the trials of a run, where recipes that differ by no more than `tie` count as equal.
    /// Recipes that were tuned are compared at their best, and in `same_rate` at the same learning rate.
    pub fn of(summary: &Summary, tie: Tie) -> Self {
        let recipes = recipes(&summary.trials);
        match &summary.tuning {
            Some(tuning) => tuned::verdict(summary, tuning, &recipes, tie),
            None => Self::among(summary, recipes, tie),
        }
    }

    /// Returns the verdict on some recipes of a run.
    fn among(summary: &Summary, recipes: Vec<Recipe>, tie: Tie) -> Self {
        let tie = tie.fraction();
        let by = Measure::of(&recipes);
        let own_budgets = summary.study.own_budgets;
        let unlike = comparable::unlike(&recipes, own_budgets);
        let target = recipes.first().and_then(|recipe| comparable::target(recipe.first()));
        let target = target.filter(|_| unlike != Some("targets"));
        let (design, merged) = (Design::of(summary), summary.study.merged);
        let race = Race { recipes: &recipes, by, tie, design, own_budgets, merged };
        let course = Course::of(race, &summary.study.looks);
        let counted = course.counted(&recipes);
        let mut verdict = ranked(&counted, race, course.standing.clone(), unlike.is_none());
        if unlike.is_none() {
            verdict.firm = firm::firm(&course.last(&recipes), by, target.as_ref(), race.design);
            verdict.quality = quality::verdicts(&counted, race, &course);
            verdict.orders_disagree = quality::orders_disagree(&verdict);
        }
        verdict.target = target;
        verdict.resolution = evaluations::resolution(&counted, by);
        verdict.seed_varies = seed_varies::words(summary.data.resampled.as_ref());
        verdict.quality.iter_mut().for_each(|other| other.seed_varies.clone_from(&verdict.seed_varies));
        verdict.spending = (!summary.study.looks.is_empty()).then(|| course.spending(race));
        verdict.sentences = sentences::Words { summary, recipes: &counted, verdict: &verdict, unlike }.all();
        verdict
    }

    /// Returns the recipes: the leader, then the others by their medians, and by how many trials got there.
    pub fn ranked(&self) -> Vec<&RecipeVerdict> {
        let is_other = |recipe: &RecipeVerdict| self.leader.as_ref() != Some(&recipe.name);
        let cost = |recipe: &RecipeVerdict| recipe.median.map_or(f64::INFINITY, |m| self.by.sign() * m);
        let mut ranked: Vec<&RecipeVerdict> = self.recipes.iter().collect();
        ranked.sort_by(|a, b| {
            let order = is_other(a).cmp(&is_other(b)).then(cost(a).total_cmp(&cost(b)));
            order.then(b.reached.cmp(&a.reached))
        });
        ranked
    }

    /// Returns the comparison of a recipe with another, as seen from the first.
    pub fn pair(&self, a: &str, b: &str) -> Option<PairVerdict> {
        let is_pair = |pair: &&PairVerdict| [&*pair.a, &*pair.b] == [a, b] || [&*pair.a, &*pair.b] == [b, a];
        let pair = self.pairs.iter().find(is_pair)?.clone();
        Some(if pair.a == a { pair } else { pair.reversed() })
    }
}

/// Returns the verdict on recipes in this order, if they can be ranked.
fn ranked(recipes: &[Recipe], race: Race, standing: Standing, is_ranked: bool) -> Verdict {
    let Race { by, tie, design, .. } = race;
    let racers = ranking::racers(recipes, by);
    let got_there = racers.iter().any(|racer| racer.counts().reached > 0);
    let entry = |((recipe, racer), p_best): ((&Recipe, &Racer), &Option<f64>)| RecipeVerdict {
        p_best: p_best.filter(|_| is_ranked && got_there),
        ..alone(recipe, racer, by, design)
    };
    let entries = recipes.iter().zip(&racers).zip(&standing.p_best).map(entry);
    let leader = standing.leader.filter(|_| is_ranked);
    let mut verdict = Verdict {
        schema: 1,
        level: LEVEL,
        by,
        target: None,
        tie,
        recipes: entries.collect(),
        pairs: if is_ranked { standing.pairs() } else { vec![] },
        leader: leader.map(|leader| recipes[leader].name.to_owned()),
        sure: false,
        ties: vec![],
        firm: Firm::default(),
        resolution: None,
        noise: noise::noise(recipes.iter().flat_map(|recipe| recipe.trials.iter().copied())),
        seed_varies: String::new(),
        orders_disagree: None,
        spending: None,
        same_rate: None,
        quality: vec![],
        sentences: vec![],
    };
    let Some(leader) = leader else { return verdict };
    let others = || (0..recipes.len()).filter(|index| *index != leader);
    verdict.sure = others().all(|other| standing.outcome(leader, other).keeps_lead());
    let ties = others().filter(|other| standing.outcome(leader, *other) == PairOutcome::Equal);
    verdict.ties = ties.map(|index| recipes[index].name.to_owned()).collect();
    verdict
}

/// Returns the figures of a recipe by itself.
fn alone(recipe: &Recipe, racer: &Racer, by: Measure, design: Design) -> RecipeVerdict {
    let outcomes = racer.outcomes();
    let has_level = outcomes.len() >= median::fewest(design.median_error());
    RecipeVerdict {
        name: recipe.name.to_owned(),
        config_id: recipe.config_id.to_owned(),
        trials: recipe.trials.len(),
        reached: racer.counts().reached,
        median: median::median(&outcomes).map(|median| by.sign() * median),
        interval: interval(by, &outcomes, design).map(|ends| {
            let error = if has_level { racer.common_error() } else { 0.0 };
            ends.widened((noise::Z * error).exp())
        }),
        interval_kind: if has_level { IntervalKind::Confidence } else { IntervalKind::Range },
        expected: if by.is_time() { racer.expected() } else { None },
        p_best: None,
        last: quality::last(recipe),
    }
}

/// Returns the interval of a median in the order of the measure. Of accuracies, whose worst end is the lower one, there is
/// none if that end is unknown.
fn interval(by: Measure, outcomes: &[Outcome], design: Design) -> Option<Interval> {
    let ends = median::interval(outcomes, design.median_error())?;
    if by.sign() > 0.0 {
        return Some(Interval { low: ends.low, high: ends.high });
    }
    Some(Interval { low: -ends.high?, high: Some(-ends.low) })
}
