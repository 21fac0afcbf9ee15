//! Line charts: lines with markers, bands, labelled levels and marks.

use super::{
    Axis, Drawing, Fineness,
    frame::Plot,
    labels::{self, Label},
    palette,
    polyline::simplify,
    scale::Scale,
    svg::{Anchor, Path, Svg},
};

/// Line chart of several series.
#[derive(Clone, Debug)]
pub(crate) struct LineChart {
    pub(crate) size: [f64; 2],
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    pub(crate) levels: Vec<Level>,
    /// True if series are named in the chart.
    pub(crate) named: bool,
}

/// Line with its band and marks. Points whose value is not finite leave a gap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) style: usize,
    pub(crate) points: Vec<[f64; 2]>,
    /// x, lower and upper edge.
    pub(crate) band: Vec<[f64; 3]>,
    /// True if points have markers.
    pub(crate) marked: bool,
    /// Values printed elsewhere, drawn hollow.
    pub(crate) printed: Vec<[f64; 2]>,
    pub(crate) marks: Vec<Mark>,
}

/// Horizontal reference line.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// Labelled point.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at: [f64; 2],
    pub(crate) kind: MarkKind,
    pub(crate) label: String,
}

/// Shape of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// Arrow pointing down at the line, at its best point.
    TurnsDown,
    /// Cross at the end of the line.
    Ends,
}

impl MarkKind {
    fn outline(self) -> &'static str {
        match self {
            Self::TurnsDown => "m0-6l5.5-9h-11z",
            Self::Ends => "m0-2.4l4-4l2.4 2.4l-4 4l4 4l-2.4 2.4l-4-4l-4 4l-2.4-2.4l4-4l-4-4l2.4-2.4z",
        }
    }
}

/// Maximum number of markers per line: a dozen if there are few lines, three if there are many.
const MARKERS: [usize; 2] = [11, 2];

impl LineChart {
    pub(crate) fn draw(&self, fineness: Fineness) -> Drawing {
        let plot = self.plot();
        let x = self.x.scale(&self.values(|[x, _]| x), plot.left, plot.right);
        let y = self.y.airy_scale(&self.values(|[_, y]| y), plot.bottom, plot.top);
        let mut svg = Svg::default();
        plot.draw_grid(&mut svg, &self.y, &y);
        plot.draw_axes(&mut svg, &self.x, &x, &self.y, &y);
        self.levels.iter().for_each(|level| level.draw(&mut svg, &plot, &y));
        let markers = MARKERS[usize::from(self.series.len() > labels::DIRECT)];
        let pen = Pen { x, y, tolerance: fineness.tolerance, markers };
        let class =
            |style| if self.series.len() > 1 { palette::class(style) } else { palette::solid_class(style) };
        self.series.iter().for_each(|series| pen.series(&mut svg, &class(series.style), series));
        self.levels.iter().for_each(|level| level.label(&mut svg, &plot, &pen.y)); // on top, to stay readable
        self.draw_marks(&mut svg, &pen, &plot);
        if self.direct() {
            labels::beside(&mut svg, self.labels(&y, &plot), plot.right, plot.top, plot.bottom);
        }
        self.drawing(svg, &pen, &plot)
    }

    /// Draws marks; labels that would overlap are written once.
    fn draw_marks(&self, svg: &mut Svg, pen: &Pen, plot: &Plot) {
        let mut labelled: Vec<[f64; 2]> = Vec::new();
        for mark in self.series.iter().flat_map(|series| &series.marks) {
            let Some(at) = pen.point(mark.at) else { continue };
            let crowded = labelled.iter().any(|[x, y]| (x - at[0]).abs() < 70.0 && (y - at[1]).abs() < 13.0);
            mark.draw(svg, at, (!crowded).then_some(plot));
            labelled.push(at);
        }
    }

    fn drawing(&self, svg: Svg, pen: &Pen, plot: &Plot) -> Drawing {
        let unnamed = self.named && !self.direct();
        let legend = self.series.iter().map(|series| (series.name.clone(), series.style));
        Drawing {
            class: "chart",
            width: self.size[0],
            height: self.size[1],
            body: svg.finish(),
            scales: Some((pen.x.describe(), pen.y.describe())),
            core: if self.direct() { plot.right + labels::GAP - 1.5 } else { self.size[0] },
            legend: legend.filter(|_| unnamed).collect(),
        }
    }

    fn plot(&self) -> Plot {
        let margin = if self.direct() { labels::MARGIN } else { 30.0 };
        Plot { left: 58.0, right: self.size[0] - margin, top: 30.0, bottom: self.size[1] - 46.0 }
    }

    fn direct(&self) -> bool {
        self.named && self.series.len() <= labels::DIRECT
    }

    /// Returns all values that must fit along an axis.
    fn values(&self, coordinate: fn([f64; 2]) -> f64) -> Vec<f64> {
        let band =
            |series: &Series| series.band.iter().flat_map(|&[x, a, b]| [[x, a], [x, b]]).collect::<Vec<_>>();
        let drawn = self.series.iter().flat_map(|series| {
            series.points.iter().copied().chain(band(series)).chain(series.printed.iter().copied())
        });
        let levels = self.levels.iter().map(|level| [f64::NAN, level.value]);
        drawn.filter(|[_, y]| y.is_finite()).chain(levels).map(coordinate).collect()
    }

    fn labels(&self, y: &Scale, plot: &Plot) -> Vec<Label<'_>> {
        let end = |series: &Series| series.points.iter().rev().find_map(|point| y.position(point[1]));
        let middle = (plot.top + plot.bottom) / 2.0;
        let labels = self.series.iter().map(|series| Label {
            name: &series.name,
            style: series.style,
            y: end(series).unwrap_or(middle),
        });
        labels.collect()
    }
}

impl Level {
    fn draw(&self, svg: &mut Svg, plot: &Plot, y: &Scale) {
        let Some(at) = y.position(self.value) else { return };
        svg.line("level", [plot.left, at], [plot.right, at]);
    }

    fn label(&self, svg: &mut Svg, plot: &Plot, y: &Scale) {
        let Some(at) = y.position(self.value) else { return };
        svg.text("quiet small halo", Anchor::End, [plot.right - 4.0, at - 5.0], &self.label);
    }
}

/// Maps values to pixels with two scales and draws them.
struct Pen {
    x: Scale,
    y: Scale,
    tolerance: f64,
    markers: usize,
}

impl Pen {
    fn point(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        Some([self.x.position(x)?, self.y.position(y)?])
    }

    fn series(&self, svg: &mut Svg, class: &str, series: &Series) {
        svg.open_series(class, &series.name);
        svg.path("band", &self.band(&series.band));
        svg.path("line", &self.line(&series.points));
        if series.marked {
            svg.path("dot", &self.markers(series));
        }
        let mut printed = Path::default();
        for point in series.printed.iter().filter_map(|point| self.point(*point)) {
            printed.stamp(point, palette::marker(series.style));
        }
        svg.path("hollow", &printed);
        svg.close_group();
    }

    fn line(&self, points: &[[f64; 2]]) -> Path {
        let pixels: Vec<_> = points.iter().map(|point| self.point(*point)).collect();
        let mut path = Path::default();
        for piece in pixels.split(Option::is_none) {
            let piece: Vec<[f64; 2]> = piece.iter().copied().flatten().collect();
            path.add(&simplify(&piece, self.tolerance));
        }
        path
    }

    /// Returns the outline of a band: along the upper edge and back along the lower.
    fn band(&self, band: &[[f64; 3]]) -> Path {
        let edge = |i: usize| -> Vec<[f64; 2]> {
            let points: Vec<_> =
                band.iter().filter_map(|column| self.point([column[0], column[i]])).collect();
            simplify(&points, self.tolerance)
        };
        let mut outline = edge(2);
        outline.extend(edge(1).into_iter().rev());
        let mut path = Path::default();
        path.add_closed(&outline);
        path
    }

    fn markers(&self, series: &Series) -> Path {
        let points: Vec<_> = series.points.iter().filter_map(|point| self.point(*point)).collect();
        let stride = points.len().saturating_sub(1).div_ceil(self.markers).max(1);
        let mut path = Path::default();
        for (i, point) in points.iter().enumerate() {
            if i % stride == 0 || i + 1 == points.len() {
                path.stamp(*point, palette::marker(series.style));
            }
        }
        path
    }
}

impl Mark {
    /// Draws a mark with its label on the side with more room in the plot; without a label if there is no plot.
    fn draw(&self, svg: &mut Svg, [x, y]: [f64; 2], plot: Option<&Plot>) {
        let mut path = Path::default();
        path.stamp([x, y], self.kind.outline());
        svg.path("mark", &path);
        let Some(plot) = plot else { return };
        let (anchor, dx) =
            if x > (plot.left + plot.right) / 2.0 { (Anchor::End, -9.0) } else { (Anchor::Start, 9.0) };
        let dy = if self.kind == MarkKind::TurnsDown { -7.0 } else { 4.0 };
        svg.text("small halo", anchor, [x + dx, y + dy], &self.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chart::scale::Spacing, text};

    fn chart(series: Vec<Series>) -> LineChart {
        LineChart {
            size: [640.0, 340.0],
            x: Axis::new("epochs", Spacing::Linear, text::plain),
            y: Axis::new("loss", Spacing::Log, text::plain),
            series,
            levels: vec![Level { value: 2.3, label: "chance".into() }],
            named: true,
        }
    }

    #[test]
    fn values_that_are_not_finite_leave_a_gap_and_no_trace_in_the_file() {
        let points = vec![[0.0, 1.0], [1.0, f64::NAN], [2.0, f64::INFINITY], [3.0, 0.5], [f64::NAN, 0.2]];
        let body =
            chart(vec![Series { name: "a".into(), points, ..Series::default() }]).draw(Fineness::FULL).body;
        assert!(!body.contains("NaN") && !body.contains("inf"), "{body}");
        assert_eq!(body.matches("class=\"line\" d=\"M").count(), 2, "the series and its swatch: {body}");
    }

    #[test]
    fn the_label_of_a_level_lies_on_top_of_all_lines() {
        let points = vec![[0.0, 1.0], [1.0, 3.0]];
        let body =
            chart(vec![Series { name: "a".into(), points, ..Series::default() }]).draw(Fineness::FULL).body;
        assert!(body.find(">chance<").unwrap() > body.find("class=\"line\"").unwrap(), "{body}");
    }

    #[test]
    fn a_chart_without_any_series_still_has_axes() {
        let body = chart(Vec::new()).draw(Fineness::FULL).body;
        assert!(body.contains("epochs") && body.contains("loss"));
    }

    #[test]
    fn many_series_are_named_below_and_not_beside() {
        let series = |i| Series {
            name: format!("series {i}"),
            style: i,
            points: vec![[0.0, 1.0]],
            ..Series::default()
        };
        let drawing = chart((0..40).map(series).collect()).draw(Fineness::FULL);
        assert_eq!(drawing.legend.len(), 40);
        assert!(!drawing.body.contains(">series 7<"));
        assert!(drawing.standalone("t", "s", "d").contains(">series 7<"));
    }
}
