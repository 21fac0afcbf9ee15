//! Charts of what instruments read at the ends of epochs: one per instrument and layer.

use super::Figure;
use super::seeds::{across_seeds, band, medians};
use crate::{
    chart::{
        Axis, Fineness,
        line::{LineChart, Series},
        scale::Spacing,
    },
    recipes::{Recipe, Run},
    text,
};
use schuss::instrument::{Chart, Instrument};
use schuss::record::{EvaluationPoint, Summary};
use std::collections::BTreeSet;

const SIZE: [f64; 2] = [420.0, 270.0];

/// Ratio of largest to smallest value above which an axis is logarithmic.
const LOG_RATIO: f64 = 20.0;

pub(super) fn figures(summary: &Summary, recipes: &[Recipe], fineness: Fineness) -> Vec<Figure> {
    let figures = |instrument: Instrument| {
        let (key, chart) = (instrument.key(), instrument.chart());
        let layers = chart.map(|chart| (layers(&key, recipes), chart));
        let figures = layers
            .into_iter()
            .flat_map(|(layers, chart)| layers.into_iter().map(move |layer| (layer, chart)));
        figures.map(move |(layer, chart)| figure(summary, recipes, &key, &layer, chart, fineness))
    };
    Instrument::all().into_iter().flat_map(figures).collect()
}

/// Returns the layers that the instrument has read, in order: by number, empty for the whole network.
fn layers(key: &str, recipes: &[Recipe]) -> Vec<String> {
    let rows = recipes.iter().flat_map(|recipe| &recipe.runs).flat_map(|run| &run.trial.epochs);
    let layer = |name: &String| match name.strip_prefix(key)? {
        "" => Some(String::new()),
        rest => rest.strip_prefix('.').map(str::to_owned),
    };
    let read: BTreeSet<String> = rows.flat_map(|row| row.metrics.keys().filter_map(layer)).collect();
    let mut layers: Vec<String> = read.into_iter().collect();
    layers.sort_by_key(|layer| layer.parse::<usize>().ok());
    layers
}

fn figure(
    summary: &Summary,
    recipes: &[Recipe],
    key: &str,
    layer: &str,
    chart: Chart,
    fineness: Fineness,
) -> Figure {
    let name = if layer.is_empty() { key.to_owned() } else { format!("{key}.{layer}") };
    let value = |point: &EvaluationPoint| {
        point.metrics.get(&name).copied().flatten().map(|value| chart.factor * value)
    };
    let samples = summary.data.counts.train.max(1) as f64;
    let series: Vec<Series> = recipes.iter().map(|recipe| series(recipe, samples, value)).collect();
    let several = recipes.iter().any(|recipe| recipe.runs.len() > 1);
    let bands = if several { " Line: median over seeds; band: their whole range." } else { "" };
    Figure {
        slug: name.replace(['_', '.'], "-"),
        subject: String::new(),
        title: if layer.is_empty() {
            chart.title.to_owned()
        } else {
            format!("{}, layer {layer}", chart.title)
        },
        caption: format!("{}{bands}", chart.caption),
        drawing: line_chart(series, chart).draw(fineness),
    }
}

fn series(recipe: &Recipe, samples: f64, value: impl Fn(&EvaluationPoint) -> Option<f64>) -> Series {
    let curves: Vec<Vec<EvaluationPoint>> = recipe.runs.iter().map(Run::epochs).collect();
    let rows = across_seeds(&curves, |point| point.samples as f64 / samples, value);
    Series {
        name: recipe.name.clone(),
        style: recipe.style,
        points: medians(&rows),
        band: band(&rows, recipe),
        marked: true,
        ..Series::default()
    }
}

fn line_chart(series: Vec<Series>, chart: Chart) -> LineChart {
    let values = series.iter().flat_map(|series| series.points.iter().map(|[_, y]| *y));
    let spacing = Spacing::for_values(values.filter(|value| value.is_finite()), LOG_RATIO);
    let log = if spacing == Spacing::Log { ", log" } else { "" };
    LineChart {
        size: SIZE,
        x: Axis { step: 1.0, ..Axis::new("epochs", Spacing::Linear, text::plain) },
        y: Axis::new(format!("{}{log}", chart.label), spacing, text::plain),
        series,
        levels: Vec::new(),
        named: true,
    }
}
