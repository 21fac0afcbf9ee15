//! Contour charts of error surfaces: level lines and descent paths.

use super::{
    Axis, Drawing, Fineness,
    frame::Plot,
    labels::{self, Label},
    marching::Grid,
    palette,
    polyline::simplify,
    scale::{Bounds, Scale, Spacing, range},
    svg::{Anchor, Path, Svg},
};
use crate::text;

/// Surface with descent paths.
#[derive(Clone, Debug)]
pub(crate) struct ContourChart<'a> {
    pub(crate) x: Bounds,
    pub(crate) y: Bounds,
    /// Points per side of the grid.
    pub(crate) size: usize,
    /// Heights, row after row from the bottom.
    pub(crate) values: &'a [f64],
    pub(crate) minima: &'a [[f64; 2]],
    pub(crate) paths: Vec<Track<'a>>,
}

/// Descent path.
#[derive(Clone, Debug)]
pub(crate) struct Track<'a> {
    pub(crate) name: &'a str,
    pub(crate) style: usize,
    /// Name of the start.
    pub(crate) start: &'a str,
    pub(crate) points: &'a [[f64; 2]],
}

const SIZE: [f64; 2] = [640.0, 500.0];
const LEVELS: i32 = 16;

impl ContourChart<'_> {
    pub(crate) fn draw(&self, fineness: Fineness) -> Drawing {
        let plot = Plot { left: 58.0, right: SIZE[0] - labels::MARGIN, top: 30.0, bottom: SIZE[1] - 46.0 };
        let mut svg = Svg::default();
        let pen = Pen {
            x: Scale::linear(self.x, plot.left, plot.right),
            y: Scale::linear(self.y, plot.bottom, plot.top),
            tolerance: fineness.tolerance,
        };
        let axis = |name: &str| Axis::new(name, Spacing::Linear, text::plain);
        self.draw_levels(&mut svg, &pen);
        plot.draw_axes(&mut svg, &axis("w₁"), &pen.x, &axis("w₂"), &pen.y);
        self.paths.iter().for_each(|track| pen.track(&mut svg, track));
        self.draw_points(&mut svg, &pen);
        self.draw_legend(&mut svg, &plot);
        Drawing {
            class: "chart",
            width: SIZE[0],
            height: SIZE[1],
            body: svg.finish(),
            scales: None,
            core: plot.right + labels::GAP - 1.5,
            legend: Vec::new(),
        }
    }

    /// Returns the levels: heights above the lowest point that grow by a constant factor, over four decades.
    pub(crate) fn levels(&self) -> Vec<f64> {
        let Some(Bounds { low, high }) = range(self.values.iter().copied()) else { return Vec::new() };
        let above = |i: i32| (high - low) * 10f64.powf(-4.0 * f64::from(i) / f64::from(LEVELS));
        (1..=LEVELS).rev().map(|i| low + above(i)).collect()
    }

    fn draw_levels(&self, svg: &mut Svg, pen: &Pen) {
        if self.values.len() != self.size * self.size || self.size < 2 {
            return;
        }
        let grid = Grid { size: self.size, values: self.values };
        let cells = (self.size - 1) as f64;
        let along = |side: Bounds, at: f64| side.low + (side.high - side.low) * at / cells;
        for (i, level) in self.levels().into_iter().enumerate() {
            let mut path = Path::default();
            for line in grid.level_lines(level) {
                let points: Vec<_> =
                    line.iter().map(|[x, y]| [along(self.x, *x), along(self.y, *y)]).collect();
                path.add(&pen.pixels(&points));
            }
            svg.path(&format!("contour k{}", i * 4 / LEVELS as usize), &path);
        }
    }

    /// Draws starts as rings with their names, minima as crosses.
    fn draw_points(&self, svg: &mut Svg, pen: &Pen) {
        let mut named: Vec<&str> = Vec::new();
        for track in &self.paths {
            let Some([x, y]) = track.points.first().and_then(|point| pen.point(*point)) else { continue };
            if !named.contains(&track.start) {
                named.push(track.start);
                let mut ring = Path::default();
                ring.stamp([x, y], "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0");
                svg.path("start", &ring);
                let name = text::shorten(track.start, 24);
                svg.text("small strong halo", Anchor::Start, [x + 9.0, y - 7.0], &name);
            }
        }
        for point in self.minima.iter().filter_map(|point| pen.point(*point)) {
            let mut cross = Path::default();
            cross.stamp(point, "m-5.5 0h11m-5.5-5.5v11");
            svg.path("minimum", &cross);
        }
    }

    fn draw_legend(&self, svg: &mut Svg, plot: &Plot) {
        let mut labels: Vec<Label> = Vec::new();
        for track in &self.paths {
            if !labels.iter().any(|label| label.style == track.style) {
                let y = plot.top + 12.0 + 24.0 * labels.len() as f64;
                labels.push(Label { name: track.name, style: track.style, y });
            }
        }
        let x = plot.right + labels::GAP;
        labels::beside(svg, labels, plot.right, plot.top, plot.bottom - 60.0);
        let mut ring = Path::default();
        ring.stamp([x + 13.0, plot.bottom - 34.0], "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0");
        svg.path("start", &ring);
        svg.text("name", Anchor::Start, [x + 32.0, plot.bottom - 29.5], "start");
        let mut cross = Path::default();
        cross.stamp([x + 13.0, plot.bottom - 10.0], "m-5.5 0h11m-5.5-5.5v11");
        svg.path("minimum", &cross);
        svg.text("name", Anchor::Start, [x + 32.0, plot.bottom - 5.5], "minimum");
    }
}

/// Maps values to pixels of the plot and draws them.
struct Pen {
    x: Scale,
    y: Scale,
    tolerance: f64,
}

impl Pen {
    fn point(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        Some([self.x.position(x)?, self.y.position(y)?])
    }

    fn pixels(&self, points: &[[f64; 2]]) -> Vec<[f64; 2]> {
        let pixels: Vec<_> = points.iter().map_while(|point| self.point(*point)).collect();
        simplify(&pixels, self.tolerance)
    }

    /// Draws a path, up to its first non-finite point.
    fn track(&self, svg: &mut Svg, track: &Track) {
        svg.open_series(&palette::class(track.style), track.name);
        let pixels = self.pixels(track.points);
        svg.path("line", &Path::through(&pixels));
        if let Some(end) = pixels.last() {
            let mut dot = Path::default();
            dot.stamp(*end, palette::marker(track.style));
            svg.path("dot", &dot);
        }
        svg.close_group();
    }
}
