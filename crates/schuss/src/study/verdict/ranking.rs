//! Recipes ranked by one measure.

use super::best;
use super::comparison::{Comparison, Decision, compare, decide};
use super::design::Design;
use super::holm;
use super::median;
use super::noise;
use super::racer::Racer;
use super::recipe::Recipe;
use super::seeds_needed::{Bar, seeds_needed};
use crate::record::{Measure, PairOutcome, PairVerdict, Test};

/// Largest number of recipes for which every pair is listed.
const LISTED: usize = 64;

/// Comparison of two recipes of a ranking.
pub(super) struct Pair {
    pub(super) places: [usize; 2],
    pub(super) verdict: PairVerdict,
}

/// Recipes with their outcomes, and which of them leads.
pub(super) struct Ranking {
    pub(super) by: Measure,
    pub(super) racers: Vec<Racer>,
    pub(super) p_best: Vec<f64>,
    pub(super) leader: Option<usize>,
    design: Design,
}

impl Ranking {
    pub(super) fn of(recipes: &[Recipe], by: Measure, design: Design) -> Self {
        Self::among(racers(recipes, by), by, design)
    }

    /// Ranks recipes by outcomes that need not be those of their trials.
    pub(super) fn among(racers: Vec<Racer>, by: Measure, design: Design) -> Self {
        let p_best = best::probabilities(&racers, design);
        let leader = leader(&racers, &p_best, by);
        Self { by, racers, p_best, leader, design }
    }

    /// Compares the recipes pair by pair: all of them, or each with the leader if there are many. p-values are adjusted
    /// for so many `tests`, and for the looks.
    pub(super) fn pairs(&self, names: &[&str], tie: f64, tests: usize) -> Vec<Pair> {
        let n = self.racers.len();
        let listed = |(a, b): &(usize, usize)| {
            n <= LISTED || self.leader.is_some_and(|leader| [*a, *b].contains(&leader))
        };
        let places = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).filter(listed);
        let scale = self.by.scale();
        let compared =
            places.map(|(a, b)| (a, b, compare(&self.racers[a], &self.racers[b], scale, self.design)));
        let compared: Vec<(usize, usize, Comparison)> = compared.collect();
        let p_values: Vec<Option<f64>> = compared.iter().map(|(.., found)| found.p).collect();
        let adjusted = holm::adjusted(&p_values, tests);
        let pair = |((a, b, found), p): (&(usize, usize, Comparison), &Option<f64>)| Pair {
            places: [*a, *b],
            verdict: self.pair([*a, *b], found, *p, names, tie),
        };
        compared.iter().zip(&adjusted).map(pair).collect()
    }

    fn pair(
        &self,
        [a, b]: [usize; 2],
        found: &Comparison,
        p: Option<f64>,
        names: &[&str],
        tie: f64,
    ) -> PairVerdict {
        let by = self.by;
        let tie = self.tie(a, b, tie);
        let (design, level) = (self.design, self.design.level());
        let decision = decide(found, p, tie, level);
        // Holm's factor for this pair
        let tests = p.zip(found.p).map_or(1.0, |(p, raw)| if raw > 0.0 { (p / raw).max(1.0) } else { 1.0 });
        let bar = Bar { tie, design, tests: tests.round() as usize };
        let is_open = decision == Decision::Undecided;
        let more = is_open.then(|| seeds_needed(&self.racers[a], &self.racers[b], found, bar)).flatten();
        let mean = found.contrast.map(|contrast| contrast.mean);
        // differences that are all the same do not show how far they vary
        let has_width = |[low, high]: &[f64; 2]| found.test != Some(Test::Signs) || low < high;
        let ends = found.contrast.and_then(|contrast| contrast.interval(level)).filter(has_width);
        let signed = |[low, high]: [f64; 2]| if by.sign() < 0.0 { [-high, -low] } else { [low, high] };
        PairVerdict {
            a: names[a].to_owned(),
            b: names[b].to_owned(),
            wins: found.wins,
            losses: found.losses,
            ties: found.ties,
            ratio: mean.filter(|_| by.is_time()).map(f64::exp),
            difference: mean.filter(|_| !by.is_time()).map(|mean| by.sign() * mean),
            interval: ends.map(|ends| if by.is_time() { ends.map(f64::exp) } else { signed(ends) }),
            p: p.map(|p| (p * design.looks as f64).min(1.0)),
            test: found.test,
            sign_flip: found.sign_flip,
            outcome: outcome(decision, by),
            seeds_needed: more,
        }
    }

    /// Returns the half-width of a tie on the scale of the comparison: of log times, or of values relative to the
    /// better one.
    fn tie(&self, a: usize, b: usize, tie: f64) -> f64 {
        if self.by.is_time() {
            return (1.0 + tie).ln();
        }
        let badness = |racer: &Racer| median::median(&racer.outcomes()).map(|median| self.by.badness(median));
        let pair = [a, b].map(|index| badness(&self.racers[index]).unwrap_or(0.0));
        tie * pair[0].min(pair[1])
    }
}

/// Returns the outcomes of recipes, with the error that calibrated times share.
pub(super) fn racers(recipes: &[Recipe], by: Measure) -> Vec<Racer> {
    let noise = noise::noise(recipes.iter().flat_map(|recipe| recipe.trials.iter().copied()));
    let racer = |recipe| {
        let shared_error = noise::shared_error(recipe, noise).filter(|_| by == Measure::TrainSeconds);
        Racer { shared_error, ..by.racer(recipe) }
    };
    recipes.iter().map(racer).collect()
}

/// Returns the recipe with the largest probability of being the best, and among equal ones that with the lowest expected
/// time or median; `None` unless there are several recipes and one of them got there, and if all were there from the start.
fn leader(racers: &[Racer], p_best: &[f64], by: Measure) -> Option<usize> {
    let mut outcomes = racers.iter().flat_map(Racer::outcomes);
    let is_over = by.is_time() && outcomes.all(|outcome| outcome.reached() == Some(0.0));
    if racers.len() < 2 || is_over {
        return None;
    }
    let got_there = |index: &usize| racers[*index].counts().reached > 0;
    let cost = |index: usize| {
        let racer = &racers[index];
        let cost = if by.is_time() { racer.expected() } else { median::median(&racer.outcomes()) };
        cost.unwrap_or(f64::INFINITY)
    };
    let better = |a: &usize, b: &usize| p_best[*b].total_cmp(&p_best[*a]).then(cost(*a).total_cmp(&cost(*b)));
    (0..racers.len()).filter(got_there).min_by(better)
}

fn outcome(decision: Decision, by: Measure) -> PairOutcome {
    match (decision, by.is_time()) {
        (Decision::Equal, _) => PairOutcome::Equal,
        (Decision::Undecided, _) => PairOutcome::Undecided,
        (Decision::Better, true) => PairOutcome::Faster,
        (Decision::Worse, true) => PairOutcome::Slower,
        (Decision::Better, false) => PairOutcome::Better,
        (Decision::Worse, false) => PairOutcome::Worse,
    }
}
