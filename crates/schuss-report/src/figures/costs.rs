//! Charts of training time: seconds per epoch, to the target, per further point of accuracy.

use super::Figure;
use crate::{
    chart::{
        Axis, Fineness,
        bars::{Bar, BarChart},
        line::{LineChart, Series},
        scale::{Bounds, Spacing},
    },
    recipes::{Recipe, epoch_seconds, median, target_seconds},
    tables::target_words,
    text::{self, seconds},
};
use schuss::record::{Spread, Status, Summary};
use schuss::study::curve::seconds_per_point;

pub(super) fn figures(summary: &Summary, recipes: &[Recipe], fineness: Fineness) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(per_epoch(recipes));
    figures.extend(to_target(summary, recipes));
    figures.extend(per_point(summary, recipes, fineness));
    figures
}

fn per_epoch(recipes: &[Recipe]) -> Option<Figure> {
    let bar = |recipe: &Recipe| {
        let value = recipe.median(epoch_seconds);
        let printed = recipe.runs.first().and_then(|run| run.trial.reference_seconds);
        let mut word = text::or_none(value, |value| format!("{} s", seconds(value)));
        if let Some(printed) = printed {
            word += &format!("  (lecture {} s)", seconds(printed));
        }
        bar(recipe, value, recipe.range(epoch_seconds), printed, word)
    };
    let bars: Vec<Bar> = recipes.iter().map(bar).collect();
    let printed = bars.iter().any(|bar| bar.printed.is_some());
    let note = if printed { " Hollow: printed in the lecture, measured on its own machine." } else { "" };
    bars.iter().any(|bar| bar.value.is_some()).then(|| Figure {
        slug: "seconds-per-epoch".to_owned(),
        subject: String::new(),
        title: "Seconds per epoch".to_owned(),
        caption: format!("Median over epochs; evaluation is not counted.{note}"),
        drawing: BarChart { label: "seconds of training per epoch".to_owned(), bars }.draw(),
    })
}

fn bar(
    recipe: &Recipe,
    value: Option<f64>,
    range: Option<Bounds>,
    printed: Option<f64>,
    word: String,
) -> Bar {
    Bar { name: recipe.name.clone(), style: recipe.style, value, range, printed, word }
}

/// Draws the median seconds to the target, with misses at infinity.
fn to_target(summary: &Summary, recipes: &[Recipe]) -> Option<Figure> {
    let target = recipes.iter().flat_map(|recipe| &recipe.runs).find_map(|run| run.trial.target.as_ref())?;
    let bar = |recipe: &Recipe| {
        let times = recipe.runs.iter().map(|run| target_seconds(run.trial));
        let reached = times.clone().flatten().count();
        let infinite = times.map(|time| time.unwrap_or(f64::INFINITY));
        let value =
            Spread::of(infinite.collect()).map(|spread| spread.median).filter(|time| time.is_finite());
        let time = value.map(|value| format!("{} s", seconds(value)));
        let misses = match recipe.runs.len() {
            n if n == reached => None,
            1 if recipe.diverged() => Some("diverged".to_owned()),
            _ if reached == 0 => Some("not reached".to_owned()),
            n => Some(format!("reached by {reached} of {n} seeds")),
        };
        let word = time.into_iter().chain(misses).collect::<Vec<_>>().join(", ");
        let range = if reached == recipe.runs.len() { recipe.range(target_seconds) } else { None };
        bar(recipe, value, range, None, word)
    };
    let words = target_words(target, &summary.data.eval_split);
    Some(Figure {
        slug: "seconds-to-target".to_owned(),
        subject: String::new(),
        title: format!("Seconds to {words}"),
        caption: "Seconds of training until the first evaluation that meets the target.".to_owned(),
        drawing: BarChart {
            label: format!("seconds of training to {words}"),
            bars: recipes.iter().map(bar).collect(),
        }
        .draw(),
    })
}

fn per_point(summary: &Summary, recipes: &[Recipe], fineness: Fineness) -> Option<Figure> {
    let split = &summary.data.eval_split;
    let series: Vec<Series> = recipes.iter().map(costs).collect();
    let values: Vec<f64> =
        series.iter().flat_map(|series| series.points.iter().map(|point| point[1])).collect();
    if !values.iter().any(|value| value.is_finite()) {
        return None;
    }
    let spacing = Spacing::for_values(values.into_iter(), 20.0);
    let log = if spacing == Spacing::Log { ", log" } else { "" };
    let y = Axis::new(format!("seconds per point of {split} accuracy{log}"), spacing, text::plain);
    let x = Axis { step: 1.0, ..Axis::new("epochs", Spacing::Linear, text::plain) };
    let chart = LineChart { size: [640.0, 350.0], x, y, series, levels: Vec::new(), named: true };
    Some(Figure {
        slug: "seconds-per-point".to_owned(),
        subject: String::new(),
        title: "Seconds per further point of accuracy".to_owned(),
        caption: format!(
            "Training seconds of an epoch divided by the accuracy points (1 % of the {split} split) it gained; a gap where it gained none."
        ),
        drawing: chart.draw(fineness),
    })
}

/// Returns, for each epoch, the median over the seeds that gained accuracy.
fn costs(recipe: &Recipe) -> Series {
    let costs: Vec<_> = recipe
        .runs
        .iter()
        .filter(|run| run.trial.status != Status::Failed)
        .map(|run| seconds_per_point(&run.trial.epochs))
        .collect();
    let last =
        recipe.runs.iter().filter_map(|run| run.trial.epochs.last()).map(|row| row.epoch).max().unwrap_or(0);
    let at = |epoch: u32| {
        let seconds =
            costs.iter().flatten().filter(|cost| cost.epoch == epoch).filter_map(|cost| cost.seconds);
        [f64::from(epoch), median(seconds.collect()).unwrap_or(f64::NAN)]
    };
    Series {
        name: recipe.name.clone(),
        style: recipe.style,
        points: (1..=last).map(at).collect(),
        marked: true,
        ..Series::default()
    }
}
