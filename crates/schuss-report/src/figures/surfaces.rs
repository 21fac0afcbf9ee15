//! Error surfaces with descent paths, and the moments of Adam along its path.

use super::Figure;
use crate::{
    chart::{
        Axis, Fineness,
        contour::{ContourChart, Track},
        line::{LineChart, Series},
        scale::{Bounds, Spacing},
    },
    text,
};
use schuss::record::{PathRecord, SurfaceRecord};

pub(super) fn figures(surfaces: &[SurfaceRecord], fineness: Fineness) -> Vec<Vec<Figure>> {
    surfaces.iter().map(|surface| surface_figures(surface, fineness)).collect()
}

fn surface_figures(surface: &SurfaceRecord, fineness: Fineness) -> Vec<Figure> {
    let mut figures = vec![contours(surface, fineness), descent(surface, fineness)];
    if let Some(path) = surface.paths.iter().find(|path| !path.m_hat.is_empty()) {
        figures.extend(adam(surface, path, fineness));
    }
    figures
}

/// Paths of the same name share a style.
fn style(surface: &SurfaceRecord, path: &PathRecord) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for path in &surface.paths {
        if !names.contains(&path.name.as_str()) {
            names.push(&path.name);
        }
    }
    names.iter().position(|name| *name == path.name).unwrap_or(0)
}

fn contours(surface: &SurfaceRecord, fineness: Fineness) -> Figure {
    let track = |path| track(surface, path);
    let chart = ContourChart {
        x: Bounds { low: surface.w1[0], high: surface.w1[1] },
        y: Bounds { low: surface.w2[0], high: surface.w2[1] },
        size: surface.size,
        values: &surface.values,
        minima: &surface.minima,
        paths: surface.paths.iter().map(track).collect(),
    };
    Figure {
        slug: format!("surface-{}", text::slug(&surface.name)),
        subject: surface.title.clone(),
        title: "Contours and descent paths".to_owned(),
        caption: format!(
            "{}. {}; the marker at the end of a path is its last update.",
            surface.equation.trim_end_matches('.'),
            level_words(&chart.levels()),
        ),
        drawing: chart.draw(fineness),
    }
}

/// Returns a description of the level lines.
fn level_words(levels: &[f64]) -> String {
    match levels {
        [low, .., high] => format!(
            "{} level lines from J = {} (strong) to {} (faint), their heights above the lowest point growing by a constant factor",
            levels.len(),
            text::significant(*low, 2),
            text::significant(*high, 2)
        ),
        _ => "No level lines".to_owned(),
    }
}

fn track<'a>(surface: &SurfaceRecord, path: &'a PathRecord) -> Track<'a> {
    Track { name: &path.name, style: style(surface, path), start: &path.start, points: &path.points }
}

/// Draws J after every update, or after some of the epochs; one series per path.
fn descent(surface: &SurfaceRecord, fineness: Fineness) -> Figure {
    let starts = surface.paths.iter().any(|path| path.start != surface.paths[0].start);
    let series = |path: &PathRecord| Series {
        name: if starts { format!("{}, {}", path.name, path.start) } else { path.name.clone() },
        style: style(surface, path),
        points: path.values.iter().enumerate().map(|(i, value)| [path.steps(i) as f64, *value]).collect(),
        ..Series::default()
    };
    let values = surface.paths.iter().flat_map(|path| &path.values).copied();
    let all_positive = values.clone().all(|value| value > 0.0);
    let spacing = if all_positive { Spacing::for_values(values, 20.0) } else { Spacing::Linear };
    let log = if spacing == Spacing::Log { ", log" } else { "" };
    let when = if surface.paths.iter().all(|path| path.reached.is_empty()) {
        format!("every {}", surface.along.trim_end_matches('s'))
    } else {
        format!("some of the {}", surface.along)
    };
    Figure {
        slug: format!("surface-{}-error", text::slug(&surface.name)),
        subject: surface.title.clone(),
        title: format!("Error after {when}"),
        caption: format!("J at the weights after {when}."),
        drawing: LineChart {
            size: [640.0, 350.0],
            x: axis(&surface.along),
            y: Axis::new(format!("J(w₁, w₂){log}"), spacing, text::plain),
            series: surface.paths.iter().map(series).collect(),
            levels: Vec::new(),
            named: true,
        }
        .draw(fineness),
    }
}

fn axis(label: &str) -> Axis {
    Axis { step: 1.0, ..Axis::new(label, Spacing::Linear, text::plain) }
}

/// Draws the two moments and the effective step, for both weights.
fn adam(surface: &SurfaceRecord, path: &PathRecord, fineness: Fineness) -> [Figure; 3] {
    let of = format!("{} from {}", path.name, path.start);
    let figure = |key: &str, title: &str, label: &str, caption: &str, values: &[[f64; 2]]| Figure {
        slug: format!("surface-{}-{key}", text::slug(&surface.name)),
        subject: surface.title.clone(),
        title: format!("{title} ({of})"),
        caption: caption.to_owned(),
        drawing: pair(label, values, fineness),
    };
    [
        figure(
            "m-hat",
            "First moment m̂",
            "m̂",
            "Mean of recent gradients, corrected for its start at 0.",
            &path.m_hat,
        ),
        figure(
            "v-hat",
            "Second moment v̂",
            "v̂",
            "Mean of recent squared gradients, corrected likewise.",
            &path.v_hat,
        ),
        figure(
            "effective-step",
            "Effective step",
            "η / (√v̂ + ε)",
            "Factor of m̂ in an update: large where gradients have been small.",
            &path.effective_step,
        ),
    ]
}

fn pair(label: &str, values: &[[f64; 2]], fineness: Fineness) -> crate::chart::Drawing {
    let series = |axis: usize, name: &str| Series {
        name: name.to_owned(),
        style: axis,
        points: values.iter().enumerate().map(|(i, pair)| [(i + 1) as f64, pair[axis]]).collect(),
        ..Series::default()
    };
    let all: Vec<f64> = values.iter().flatten().copied().collect();
    let positive = all.iter().all(|value| *value > 0.0);
    let spacing = if positive { Spacing::for_values(all.into_iter(), 100.0) } else { Spacing::Linear };
    let log = if spacing == Spacing::Log { ", log" } else { "" };
    LineChart {
        size: [460.0, 270.0],
        x: axis("updates"),
        y: Axis::new(format!("{label}{log}"), spacing, text::plain),
        series: vec![series(0, "w₁"), series(1, "w₂")],
        levels: Vec::new(),
        named: true,
    }
    .draw(fineness)
}
