//! Charts of the loss of every update, for trials that recorded it.

use super::Figure;
use crate::{
    chart::{
        Axis, Fineness,
        line::{LineChart, Series},
        scale::{Bounds, Spacing, range},
    },
    recipes::{Recipe, Run},
    text,
};
use schuss::study::curve::{Column, envelope, running_mean};

const SIZE: [f64; 2] = [420.0, 270.0];

/// Smallest loss shown on a logarithmic axis, as a fraction of the largest.
const DEPTH: f64 = 1e-4;

pub(super) fn figures(recipes: &[Recipe], fineness: Fineness) -> Vec<Figure> {
    let kept = |run: &Run| run.trace.is_some_and(|trace| !trace.losses.is_empty());
    let bounds = bounds(recipes);
    let several = recipes.iter().any(|recipe| recipe.runs.len() > 1);
    let mut figures = Vec::new();
    for recipe in recipes {
        for run in recipe.runs.iter().filter(|run| kept(run)) {
            figures.push(figure(recipe, run, bounds, several, fineness, figures.len()));
        }
    }
    figures
}

/// Returns a common range for all charts, so that they can be compared.
fn bounds(recipes: &[Recipe]) -> Bounds {
    let traces = recipes.iter().flat_map(|recipe| recipe.runs.iter().filter_map(|run| run.trace));
    let losses = traces.flat_map(|trace| trace.losses.iter().map(|loss| f64::from(*loss)));
    let range = range(losses.filter(|loss| *loss > 0.0));
    let Bounds { low, high } = range.unwrap_or(Bounds { low: 0.1, high: 1.0 });
    Bounds { low: low.max(high * DEPTH), high }
}

fn figure(
    recipe: &Recipe,
    run: &Run,
    bounds: Bounds,
    several: bool,
    fineness: Fineness,
    number: usize,
) -> Figure {
    let losses = run.trace.map_or(&[][..], |trace| &trace.losses);
    let window = (losses.len() / 100).max(1);
    let seed = if several { format!(", seed {}", run.trial.seed) } else { String::new() };
    let count = |number: usize| text::count(number as u64);
    let mut caption = format!("{} updates", count(losses.len()));
    if window > 1 {
        caption +=
            &format!("; band: from the least to the largest loss; line: mean of the last {}", count(window));
    }
    caption += ".";
    if losses.iter().any(|loss| f64::from(*loss) < bounds.low) {
        caption += " Losses below the axis are drawn on its edge.";
    }
    Figure {
        slug: format!("losses-{:02}-{}", number + 1, text::slug(&format!("{}{seed}", recipe.name))),
        subject: "Loss of every update".to_owned(),
        title: format!("{}{seed}", recipe.name),
        caption,
        drawing: chart(recipe, losses, window, bounds, fineness).draw(fineness),
    }
}

fn chart(recipe: &Recipe, losses: &[f32], window: usize, bounds: Bounds, fineness: Fineness) -> LineChart {
    let columns = envelope(losses, fineness.columns);
    let means = running_mean(losses, window);
    let middle = |from: usize, to: usize| (from + to + 1) as f64 / 2.0;
    let band = |c: &Column| [middle(c.from, c.to), f64::from(c.min), f64::from(c.max)];
    let spacing = Spacing::for_values([bounds.low, bounds.high].into_iter(), 20.0);
    let label = if spacing == Spacing::Log { "loss of each update, log" } else { "loss of each update" };
    let y_bounds = if spacing == Spacing::Log { bounds } else { Bounds { low: 0.0, ..bounds } };
    LineChart {
        size: SIZE,
        x: Axis { step: 1.0, ..Axis::new("weight updates", Spacing::Linear, text::plain) },
        y: Axis { bounds: Some(y_bounds), ..Axis::new(label, spacing, text::plain) },
        series: vec![Series {
            name: recipe.name.clone(),
            style: recipe.style,
            points: columns.iter().map(|c| [c.to as f64, means[c.to - 1]]).collect(),
            band: columns.iter().map(band).collect(),
            ..Series::default()
        }],
        levels: Vec::new(),
        named: false,
    }
}
