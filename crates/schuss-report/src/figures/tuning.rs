//! Charts of a tuning: loss and time to the target against learning rate.

use super::Figure;
use crate::{
    chart::{
        Axis, Drawing, Fineness,
        line::{LineChart, Series},
        scale::Spacing,
    },
    recipes::median,
    text,
};
use schuss::record::{Bounds, JudgedBy, ProbePoint, Summary, TrialRecord, TunedRecipe, TuningRecord};

/// Name of the choice on the horizontal axis.
const RATE: &str = "lr";

pub(super) fn figures(summary: &Summary, fineness: Fineness) -> Vec<Figure> {
    let Some(tuning) = &summary.tuning else { return vec![] };
    let charts = [loss(tuning, summary, fineness), time(tuning, summary, fineness)];
    charts.into_iter().flatten().collect()
}

/// Draws the losses of the shortest probes, which cover all rates, and those of the race.
fn loss(tuning: &TuningRecord, summary: &Summary, fineness: Fineness) -> Option<Figure> {
    let value = |probe: &ProbePoint| probe.loss.filter(|_| probe.rung == 0);
    let last = |trial: &TrialRecord| trial.epochs.last().and_then(|row| row.eval_loss);
    let mut series = series(tuning, fineness, value);
    for (line, recipe) in series.iter_mut().zip(&tuning.recipes) {
        line.printed = raced(tuning, recipe, summary, last);
        line.band = basin(recipe, JudgedBy::Loss, &line.points);
    }
    chart(series, "validation loss", fineness).map(|drawing| Figure {
        slug: "tuning-loss".to_owned(),
        subject: String::new(),
        title: "Loss against learning rate".to_owned(),
        caption: format!(
            "Loss on the validation split at the end of the shortest probes; hollow: at the end of the race, median over \
             seeds.{}",
            good_rates(tuning, JudgedBy::Loss, "at which longer probes end with at most 10 % more than the lowest loss")
        ),
        drawing,
    })
}

/// Returns the sentence of a caption on the good basins of the recipes that were judged by a measure.
fn good_rates(tuning: &TuningRecord, measure: JudgedBy, meaning: &str) -> String {
    let judged = tuning.recipes.iter().filter(|recipe| recipe.judged_by == measure);
    let good = judged.filter_map(|recipe| {
        let Bounds { low, high } = recipe.good_rates?;
        let [from, to, width] = [low, high, high / low].map(|value| text::significant(value, 2));
        Some(format!("{} {from} to {to}, {width}-fold", recipe.name))
    });
    let good: Vec<String> = good.collect();
    if good.is_empty() {
        return String::new();
    }
    format!(" Shaded: good rates, {meaning}: {}.", good.join("; "))
}

/// Returns the band of the good basin of a recipe that was judged by a measure: from the lowest value to 10 % above it.
fn basin(recipe: &TunedRecipe, measure: JudgedBy, points: &[[f64; 2]]) -> Vec<[f64; 3]> {
    let lowest = points.iter().map(|[_, value]| *value).fold(f64::INFINITY, f64::min);
    let good = recipe.good_rates.filter(|_| recipe.judged_by == measure);
    let ends = good.map_or(vec![], |good| vec![good.low, good.high]);
    ends.into_iter().map(|rate| [rate, lowest, 1.1 * lowest]).collect()
}

/// Draws the seconds to the target of all probes that reached it, and those of the race.
fn time(tuning: &TuningRecord, summary: &Summary, fineness: Fineness) -> Option<Figure> {
    let mut series = series(tuning, fineness, |probe| probe.target_seconds);
    let to_target = |trial: &TrialRecord| trial.target.as_ref().and_then(|target| target.seconds);
    for (line, recipe) in series.iter_mut().zip(&tuning.recipes) {
        line.printed = raced(tuning, recipe, summary, to_target);
        line.band = basin(recipe, JudgedBy::Target, &line.points);
    }
    chart(series, "seconds of training to the target", fineness).map(|drawing| Figure {
        slug: "tuning-seconds".to_owned(),
        subject: String::new(),
        title: "Seconds to the target against learning rate".to_owned(),
        caption: format!(
            "Probes that reached the target; hollow: the race, median over seeds where all reached it.{}",
            good_rates(tuning, JudgedBy::Target, "with at most 10 % more than the shortest time")
        ),
        drawing,
    })
}

/// Returns the rates at which a recipe raced, each with the median of its trials; without those of which a trial has no
/// value.
fn raced(
    tuning: &TuningRecord,
    recipe: &TunedRecipe,
    summary: &Summary,
    value: impl Fn(&TrialRecord) -> Option<f64>,
) -> Vec<[f64; 2]> {
    let best = recipe.chosen.get(RATE).map(|rate| (Some(&recipe.at_best), *rate));
    let same = tuning.same_rate.map(|rate| (recipe.at_same_rate.as_ref(), rate));
    let point = |(name, rate): (Option<&String>, f64)| {
        let trials = summary.trials.iter().filter(|trial| Some(&trial.name) == name);
        let values: Option<Vec<f64>> = trials.map(&value).collect();
        Some([rate, median(values?)?])
    };
    best.into_iter().chain(same).filter_map(point).collect()
}

/// Returns the line of every recipe, without probes that have no value.
fn series(
    tuning: &TuningRecord,
    fineness: Fineness,
    value: impl Fn(&ProbePoint) -> Option<f64>,
) -> Vec<Series> {
    let line = |(style, recipe): (usize, &TunedRecipe)| {
        let point = |probe: &ProbePoint| Some([*probe.values.get(RATE)?, value(probe)?]);
        let mut points: Vec<[f64; 2]> = recipe.probes.iter().filter_map(point).collect();
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        Series { name: recipe.name.clone(), style, points, marked: true, ..Series::default() }
    };
    tuning.recipes.iter().take(fineness.recipes).enumerate().map(line).collect()
}

fn chart(series: Vec<Series>, label: &str, fineness: Fineness) -> Option<Drawing> {
    let points = series.iter().flat_map(|line| line.points.iter().chain(&line.printed));
    let values: Vec<f64> = points.map(|point| point[1]).collect();
    if values.is_empty() {
        return None;
    }
    let spacing = Spacing::for_values(values.into_iter(), 20.0);
    let log = if spacing == Spacing::Log { ", log" } else { "" };
    let y = Axis::new(format!("{label}{log}"), spacing, text::plain);
    let x = Axis::new("learning rate, log", Spacing::Log, text::plain);
    Some(LineChart { size: [640.0, 350.0], x, y, series, levels: vec![], named: true }.draw(fineness))
}
