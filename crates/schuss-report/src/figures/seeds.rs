//! Values of a recipe over its seeds at every point of training.

use crate::{
    chart::scale::{Bounds, range},
    recipes::{Recipe, median},
};
use schuss::record::EvaluationPoint;

/// Values at one point of training over all seeds of a recipe.
pub(super) struct Row {
    x: f64,
    low: f64,
    median: f64,
    high: f64,
}

/// Returns coordinate and value at every point of the curves of a recipe's seeds.
pub(super) fn across_seeds(
    curves: &[Vec<EvaluationPoint>],
    x: impl Fn(&EvaluationPoint) -> f64,
    value: impl Fn(&EvaluationPoint) -> Option<f64>,
) -> Vec<Row> {
    let longest = curves.iter().map(Vec::len).max().unwrap_or(0);
    let row = |i: usize| {
        let here: Vec<&EvaluationPoint> = curves.iter().filter_map(|curve| curve.get(i)).collect();
        let values: Vec<f64> = here.iter().filter_map(|point| value(point)).collect();
        let range = range(values.iter().copied());
        let Bounds { low, high } = range.unwrap_or(Bounds { low: f64::NAN, high: f64::NAN });
        Row {
            x: median(here.iter().map(|point| x(point)).collect()).unwrap_or(f64::NAN),
            low,
            median: median(values).unwrap_or(f64::NAN),
            high,
        }
    };
    (0..longest).map(row).collect()
}

/// Returns the line through the medians.
pub(super) fn medians(rows: &[Row]) -> Vec<[f64; 2]> {
    rows.iter().map(|row| [row.x, row.median]).collect()
}

/// Returns the band of all seeds, if the recipe has several.
pub(super) fn band(rows: &[Row], recipe: &Recipe) -> Vec<[f64; 3]> {
    let several = rows.iter().filter(|row| recipe.runs.len() > 1 && row.low.is_finite());
    several.map(|row| [row.x, row.low, row.high]).collect()
}
