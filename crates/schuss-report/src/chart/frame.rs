//! Parts common to all charts: axes with ticks and units, title and description for screen readers, frame.

use super::{
    labels,
    palette::{self, LIGHT},
    scale::{Bounds, Scale, Spacing, range},
    svg::{Anchor, Svg, px},
};
use crate::text::{escape, shorten};

/// Axis of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// Quantity shown, with its unit.
    pub(crate) label: String,
    pub(crate) spacing: Spacing,
    /// Range to show, if not derived from the values.
    pub(crate) bounds: Option<Bounds>,
    /// Minimum distance of ticks: 1 for counts.
    pub(crate) step: f64,
    /// Format of tick labels.
    pub(crate) number: fn(f64) -> String,
}

impl Axis {
    pub(crate) fn new(label: impl Into<String>, spacing: Spacing, number: fn(f64) -> String) -> Self {
        Self { label: label.into(), spacing, bounds: None, step: 0.0, number }
    }

    /// Returns a scale over the bounds if set, else over all values (and 0, if linear).
    pub(super) fn scale(&self, values: &[f64], start: f64, end: f64) -> Scale {
        match (self.spacing, self.bounds) {
            (Spacing::Linear, Some(bounds)) => Scale::linear(bounds, start, end),
            (Spacing::Linear, None) => {
                let range = range(values.iter().copied()).unwrap_or(Bounds { low: 0.0, high: 1.0 });
                Scale::linear(Bounds { low: range.low.min(0.0), high: range.high.max(0.0) }, start, end)
            }
            (Spacing::Log, Some(Bounds { low, high })) => Scale::log(&[low, high], start, end),
            (Spacing::Log, None) => Scale::log(values, start, end),
        }
    }

    /// Like `scale`, with some padding at both ends of a logarithmic axis, so that no line is hidden by its edge.
    pub(super) fn airy_scale(&self, values: &[f64], start: f64, end: f64) -> Scale {
        const AIR: f64 = 1.12;
        let mut values = values.to_vec();
        if self.spacing == Spacing::Log {
            values.retain(|value| *value > 0.0);
            if let Some(Bounds { low, high }) = range(values.iter().copied()) {
                values.extend([low / AIR, high * AIR]);
            }
        }
        self.scale(&values, start, end)
    }
}

/// Minimum pixels between ticks, on the x and y axis.
const TICKS_APART: [f64; 2] = [58.0, 44.0];

/// Rectangle that values are drawn in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Plot {
    /// Draws horizontal lines at the ticks of the y axis.
    pub(super) fn draw_grid(&self, svg: &mut Svg, y: &Axis, y_scale: &Scale) {
        for at in y_scale.ticks(y.step, TICKS_APART[1]).into_iter().filter_map(|tick| y_scale.position(tick))
        {
            svg.line("grid", [self.left, at], [self.right, at]);
        }
    }

    /// Draws ticks and axis labels; the label of the y axis is horizontal, above the axis.
    pub(super) fn draw_axes(&self, svg: &mut Svg, x: &Axis, x_scale: &Scale, y: &Axis, y_scale: &Scale) {
        for tick in y_scale.ticks(y.step, TICKS_APART[1]) {
            let Some(at) = y_scale.position(tick) else { continue };
            svg.text("quiet", Anchor::End, [self.left - 8.0, at + 4.5], &(y.number)(tick));
        }
        svg.line("axis", [self.left, self.bottom], [self.right, self.bottom]);
        for tick in x_scale.ticks(x.step, TICKS_APART[0]) {
            let Some(at) = x_scale.position(tick) else { continue };
            svg.line("axis", [at, self.bottom], [at, self.bottom + 5.0]);
            svg.text("quiet", Anchor::Middle, [at, self.bottom + 19.0], &(x.number)(tick));
        }
        svg.text("quiet", Anchor::Start, [2.0, 14.0], &y.label);
        svg.text("quiet", Anchor::End, [self.right, self.bottom + 38.0], &x.label);
    }
}

/// Finished chart, to be embedded in a page or written to its own file.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    /// CSS class of the element.
    pub(super) class: &'static str,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) body: String,
    /// Descriptions of the two scales, if values can be read back from the chart.
    pub(super) scales: Option<(String, String)>,
    /// Right edge of the part that must be visible on a narrow screen; names beyond it are repeated in a legend.
    pub(super) core: f64,
    /// Names and styles of series that are not named in the chart itself.
    pub(super) legend: Vec<(String, usize)>,
}

/// Height of title and subtitle above a standalone chart.
const HEADING: f64 = 58.0;

/// Space left and right of a standalone chart.
const MARGIN: f64 = 16.0;

impl Drawing {
    /// Returns the chart as part of a page, whose style sheet has the rules of `palette`; `id` is unique in the page.
    pub(crate) fn inline(&self, id: &str, title: &str, description: &str) -> String {
        let scales = match &self.scales {
            Some((x, y)) => format!(" data-x=\"{x}\" data-y=\"{y}\" tabindex=\"0\""),
            None => String::new(),
        };
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" style=\"--core:{core:.3}\" role=\"img\" \
             aria-labelledby=\"{id}t {id}d\"{scales}><title id=\"{id}t\">{title}</title>\
             <desc id=\"{id}d\">{description}</desc>{body}</svg>",
            class = self.class,
            width = px(self.width),
            height = px(self.height),
            core = self.width / self.core,
            title = escape(title),
            description = escape(description),
            body = self.body,
        )
    }

    /// Returns the chart as a file with title, legend and colours.
    pub(crate) fn standalone(&self, title: &str, subtitle: &str, description: &str) -> String {
        let legend = labels::table(&self.legend, self.width);
        let (width, height) = (self.width + 2.0 * MARGIN, HEADING + self.height + legend.height);
        let mut heading = Svg::default();
        heading.rect("paper", [0.0, 0.0], [width, height]);
        let fitting = (self.width / 9.0) as usize;
        heading.text("title", Anchor::Start, [MARGIN + 2.0, 28.0], &shorten(title, fitting));
        heading.text("quiet", Anchor::Start, [MARGIN + 2.0, 48.0], &shorten(subtitle, fitting * 9 / 8));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"sans-serif\" role=\"img\"><title>{title}</title>\
             <desc>{description}</desc><style>{shapes}{colours}svg .title{{font-size:17px}}</style>{heading}\
             <g transform=\"translate({MARGIN} {HEADING})\">{body}</g>\
             <g transform=\"translate({MARGIN} {below})\">{legend}</g></svg>\n",
            width = px(width),
            height = px(height),
            title = escape(title),
            description = escape(description),
            shapes = palette::shapes(),
            colours = palette::colours(&LIGHT),
            heading = heading.finish(),
            body = self.body,
            below = px(HEADING + self.height),
            legend = legend.body,
        )
    }
}
