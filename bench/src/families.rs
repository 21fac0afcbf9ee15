//! Which shapes are measured: networks and updates that grow in one direction each.

use crate::laps::Task;

/// Shapes that grow in one direction, drawn as one chart.
#[derive(Clone, Debug)]
pub struct Family {
    /// File name of its chart without the ending, and its name in the CSV.
    pub slug: &'static str,
    /// What the chart is about.
    pub title: &'static str,
    /// What stays the same.
    pub subtitle: &'static str,
    /// What grows.
    pub axis: &'static str,
    /// One per line of the chart.
    pub lines: Vec<Line>,
}

/// Shapes in the order they grow, each next to its neighbours.
#[derive(Clone, Debug)]
pub struct Line {
    /// What tells it from the other lines.
    pub name: &'static str,
    /// From the smallest to the largest.
    pub shapes: Vec<Shape>,
}

/// One thing to measure.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Width, depth or samples per update.
    pub size: usize,
    /// What is trained.
    pub task: Task,
}

const SGD: &str = "sgd:lr=0.001";
const MOMENTUM: &str = "sgd:lr=0.0001,momentum=0.9";
const ADAM: &str = "adam:lr=0.00001";

/// Everything that is measured.
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
