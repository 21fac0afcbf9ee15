//! Shapes to measure: networks and updates that grow in one dimension each.

use crate::laps::Task;

/// Shapes that grow in one dimension, drawn as one chart.
#[derive(Clone, Debug)]
pub struct Family {
    /// File name of the chart without extension, and name in the CSV.
    pub slug: &'static str,
    /// Title of the chart.
    pub title: &'static str,
    /// Fixed settings.
    pub subtitle: &'static str,
    /// Label of the growing dimension.
    pub axis: &'static str,
    /// Lines of the chart.
    pub lines: Vec<Line>,
}

/// Shapes in ascending order, so that neighbours are adjacent.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name that distinguishes it from the other lines.
    pub name: &'static str,
    /// Shapes from the smallest to the largest.
    pub shapes: Vec<Shape>,
}

/// One configuration to measure.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Width, depth or samples per update.
    pub size: usize,
    /// Training task.
    pub task: Task,
}

const SGD: &str = "sgd:lr=0.001";
const MOMENTUM: &str = "sgd:lr=0.0001,momentum=0.9";
const ADAM: &str = "adam:lr=0.00001";

/// Returns all families to measure.
pub fn all() -> [Family; 3] {
    [width(), depth(), samples()]
}

fn width() -> Family {
    let sizes = (6..=12).map(|power| 1 << power);
    Family {
        slug: "width",
        title: "Time per sample against width",
        subtitle: "784-w-w-10, 100 samples per update",
        axis: "width w of both hidden layers",
        lines: vec![line("sgd", sizes, |w| task(&format!("784-{w}-{w}-10"), 100, SGD))],
    }
}

fn depth() -> Family {
    Family {
        slug: "depth",
        title: "Time per sample against depth",
        subtitle: "784-256-…-256-10, 100 samples per update",
        axis: "hidden layers",
        lines: vec![line("sgd", 1..=8, |d| task(&format!("784{}-10", "-256".repeat(d)), 100, SGD))],
    }
}

fn samples() -> Family {
    let of = |name, optimizer: &'static str| {
        let sizes = (0..=13).map(|power| 1 << power);
        line(name, sizes, move |n| task("784-400-256-10", n, optimizer))
    };
    Family {
        slug: "samples-per-update",
        title: "Time per sample against samples per update",
        subtitle: "784-400-256-10",
        axis: "samples per update",
        lines: vec![of("sgd", SGD), of("momentum 0.9", MOMENTUM), of("adam", ADAM)],
    }
}

fn line(name: &'static str, sizes: impl Iterator<Item = usize>, task: impl Fn(usize) -> Task) -> Line {
    Line { name, shapes: sizes.map(|size| Shape { size, task: task(size) }).collect() }
}

fn task(model: &str, samples: usize, optimizer: &str) -> Task {
    Task { model: model.into(), update: format!("batch:{samples}"), optimizer: optimizer.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_grows_from_shape_to_shape_over_the_range_promised() {
        let ends = all().map(|family| {
            let shapes = &family.lines[0].shapes;
            assert!(family.lines.iter().all(|line| line.shapes.windows(2).all(|w| w[0].size < w[1].size)));
            (shapes[0].size, shapes[shapes.len() - 1].size)
        });
        assert_eq!(ends, [(64, 4_096), (1, 8), (1, 8_192)]);
    }
}
