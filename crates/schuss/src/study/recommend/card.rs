//! The conclusion: which recipe is recommended, how sure that is, and what would change it.

use super::finalist::Finalist;
use super::finals::{Raced, Weights};
use super::halving::{Entrant, Track};
use crate::Result;
use crate::network::{ModelFile, Predictor, Scores};
use crate::record::numbers::plural;
use crate::record::{
    CandidateRecord, Certainty, Comparison, EvaluationPoint, Measure, PairOutcome, PairVerdict,
    QualityRecord, RecommendedRecipe, Status, TestRecord, Verdict,
};
use crate::study::verdict::middle;
use schuss_data::Dataset;

/// Choice among finalists.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) certainty: Certainty,
}

/// Chooses the leader, or the linear baseline if that equals it, or if the two are not told apart and its mean loss is higher by
/// no more than a tie; `None` if there is no leader.
pub(super) fn choose(verdict: &Verdict, linear: Option<&str>) -> Option<Choice> {
    let leader = verdict.leader.clone()?;
    let against = linear.filter(|linear| *linear != leader).and_then(|linear| verdict.pair(&leader, linear));
    let Some(pair) = against else {
        let certainty = if verdict.sure { Certainty::Sure } else { Certainty::Undecided };
        return Some(Choice { name: leader, certainty });
    };
    Some(match pair.outcome {
        PairOutcome::Equal => Choice { name: pair.b, certainty: Certainty::Tie },
        PairOutcome::Undecided if is_within_tie(verdict, &pair) => {
            Choice { name: pair.b, certainty: Certainty::Undecided }
        }
        PairOutcome::Better if verdict.sure => Choice { name: leader, certainty: Certainty::Sure },
        PairOutcome::Better => Choice { name: leader, certainty: Certainty::AboveBaseline },
        _ => Choice { name: leader, certainty: Certainty::Undecided },
    })
}

/// Returns true if the loss of the second recipe of a pair is higher by no more than a tie.
fn is_within_tie(verdict: &Verdict, pair: &PairVerdict) -> bool {
    let of_pair = verdict.recipes.iter().filter(|recipe| [&pair.a, &pair.b].contains(&&recipe.name));
    let lower = of_pair.filter_map(|recipe| recipe.median).fold(f64::INFINITY, f64::min);
    pair.difference.is_some_and(|difference| difference <= verdict.tie * lower)
}

/// Returns the comparisons of a recipe with another, by loss and by accuracy.
pub(super) fn comparisons(verdict: &Verdict, name: &str, other: &str) -> Vec<Comparison> {
    let all = std::iter::once(verdict).chain(&verdict.quality);
    let of = |verdict: &Verdict| Some(Comparison { by: verdict.by, pair: verdict.pair(name, other)? });
    if name == other { vec![] } else { all.filter_map(of).collect() }
}

/// Returns the comparison with the best of the others.
pub(super) fn runner_up(verdict: &Verdict, name: &str) -> Option<PairVerdict> {
    let ranked = verdict.ranked();
    let other = ranked.iter().find(|recipe| recipe.name != name)?;
    verdict.pair(name, &other.name)
}

/// Returns the conditions under which another recipe would be chosen.
pub(super) fn flips(verdict: &Verdict, choice: &Choice) -> Vec<String> {
    let moved = [
        (&verdict.firm.budget_minus_5, "with 5 % less training"),
        (&verdict.firm.budget_plus_5, "with 5 % more"),
    ];
    let moved = moved.into_iter().filter_map(|(name, how)| Some((name.as_ref()?, how)));
    let by_accuracy = verdict.quality.iter().filter(|other| other.by == Measure::EvalAccuracy);
    let by_accuracy =
        by_accuracy.filter_map(|other| Some((other.leader.as_ref()?, "by accuracy instead of loss")));
    let leader = verdict.leader.as_ref().unwrap_or(&choice.name);
    let leads = moved.chain(by_accuracy).filter(|(name, _)| *name != leader);
    let leads = leads.map(|(name, how)| format!("{how}, {name} leads"));
    let others = verdict.recipes.iter().filter_map(|recipe| verdict.pair(&choice.name, &recipe.name));
    let open = others.filter(|pair| pair.outcome == PairOutcome::Undecided).map(|pair| open(&pair));
    leads.chain(open).collect()
}

/// Returns a sentence about a recipe that is not told apart from the choice.
fn open(pair: &PairVerdict) -> String {
    match pair.seeds_needed {
        Some(more) => format!("about {} may put {} ahead", plural(more, "more seed"), pair.b),
        None => format!("{} is too close for any number of seeds to tell", pair.b),
    }
}

/// Shares of the way to the final value at which qualities stand.
const SHARES: [f64; 3] = [0.5, 0.9, 0.99];

/// Returns the time of a recipe to some qualities between `from`, the baseline's value, and its own at the end. `curves` are
/// its evaluations, one list per seed.
pub(super) fn qualities(curves: &[&[EvaluationPoint]], by: Measure, from: Option<f64>) -> Vec<QualityRecord> {
    let metric = if by == Measure::EvalAccuracy { "eval_accuracy" } else { "eval_loss" };
    let median = |value: &dyn Fn(&[EvaluationPoint]) -> Option<f64>| {
        let mut values: Vec<f64> = curves.iter().map(|curve| value(curve).unwrap_or(f64::INFINITY)).collect();
        values.sort_by(f64::total_cmp);
        middle(&values).filter(|value| value.is_finite())
    };
    let start = median(&|curve| curve.first()?.value(metric));
    let Some((end, start)) = median(&|curve| curve.last()?.value(metric)).zip(start) else { return vec![] };
    let sign = by.sign();
    let from = from.filter(|from| sign * from > sign * end && sign * from < sign * start).unwrap_or(start);
    let reached = |value: f64| {
        median(&|curve| {
            let met =
                |point: &&EvaluationPoint| point.value(metric).is_some_and(|at| sign * at <= sign * value);
            curve.iter().find(met).map(|point| point.train_seconds)
        })
    };
    let values = SHARES.map(|share| readable(from + share * (end - from), by));
    let quality = |value: f64| Some(QualityRecord { by, value, seconds: reached(value)? });
    let mut found: Vec<QualityRecord> = values.into_iter().filter_map(quality).collect();
    found.dedup_by(|later, earlier| later.value == earlier.value);
    found
}

/// Rounds a quality to the easier side: accuracies to a tenth of a percent, losses to three digits.
fn readable(value: f64, by: Measure) -> f64 {
    if by == Measure::EvalAccuracy {
        return (1000.0 * value).floor() / 1000.0;
    }
    let unit = 10_f64.powi(value.abs().max(f64::MIN_POSITIVE).log10().floor() as i32 - 2);
    let rounded = (value / unit).ceil() * unit;
    format!("{rounded:.2e}").parse().unwrap_or(rounded)
}

/// Evaluates the weights of the chosen recipe on the test split.
///
/// # Errors
/// If samples cannot be read.
pub(super) fn test(weights: &Weights, data: &Dataset, threads: usize) -> Result<TestRecord> {
    let Weights { trial, params } = weights;
    let data = data.for_seed(trial.seed)?;
    let mut predictor = Predictor::new(ModelFile::of(trial, &data), params.clone(), threads)?;
    let (loss, accuracy, metrics) = match predictor.evaluate(&data)? {
        Scores::Classes(scores) => (scores.loss, Some(scores.accuracy), scores.metrics),
        Scores::Labels(scores) => (scores.loss, None, scores.metrics),
        Scores::Numbers(scores) => (scores.loss, None, scores.metrics),
        Scores::Images(scores) => (f64::NAN, None, scores.metrics),
    };
    Ok(TestRecord { seed: trial.seed, loss, accuracy, metrics })
}

/// Returns the record of the recipe, with the seconds of its trainings in the finals, if there were any.
pub(super) fn recipe(finalist: &Finalist, raced: Option<&Raced>, data: &Dataset) -> RecommendedRecipe {
    let trial = &finalist.planned.trial;
    let ended = raced.into_iter().flat_map(|raced| raced.ended(&trial.name));
    let mut seconds: Vec<f64> = ended.map(|(record, _)| record.train_seconds).collect();
    seconds.sort_by(f64::total_cmp);
    RecommendedRecipe {
        name: trial.name.clone(),
        network: trial.model.to_string(),
        parameters: trial.plan(data).map_or(0, |plan| plan.layout.parameters()),
        update: trial.recipe.update.to_string(),
        optimizer: trial.recipe.optimizer.to_string(),
        schedule: trial.recipe.schedule.to_string(),
        loss: trial.recipe.loss.to_string(),
        epochs: trial.budget.epochs,
        max_updates: trial.budget.max_updates,
        train_seconds: middle(&seconds).unwrap_or(finalist.time.as_secs_f64()),
        still_falling: finalist.still_falling,
    }
}

/// Returns the record of a candidate of the search.
pub(super) fn candidate(entrant: &Entrant) -> CandidateRecord {
    let Track { best, updates, train_seconds, ended, .. } = &entrant.track;
    let loss = entrant.track.loss();
    let best = best.as_ref().filter(|_| loss.is_finite());
    CandidateRecord {
        name: entrant.candidate.planned.trial.name.clone(),
        loss: Some(loss).filter(|loss| loss.is_finite()),
        accuracy: best.and_then(|best| best.eval_accuracy),
        epoch: best.map(|best| best.epoch),
        updates: *updates,
        train_seconds: *train_seconds,
        diverged: *ended == Some(Status::Diverged),
    }
}
