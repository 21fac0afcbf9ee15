//! Horizontal bar charts: one bar per series, with its name and value above it.

use super::{
    Drawing, palette,
    scale::{Bounds, Scale, range},
    svg::{Anchor, Path, Svg},
};
use crate::text::shorten;

/// Bar chart starting at 0.
#[derive(Clone, Debug)]
pub(crate) struct BarChart {
    /// Quantity shown, with its unit.
    pub(crate) label: String,
    pub(crate) bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) style: usize,
    /// Value; if none, only the word is drawn.
    pub(crate) value: Option<f64>,
    /// Range over seeds.
    pub(crate) range: Option<Bounds>,
    /// Value printed elsewhere, drawn hollow.
    pub(crate) printed: Option<f64>,
    /// Value as text.
    pub(crate) word: String,
}

const WIDTH: f64 = 640.0;
const LEFT: f64 = 4.0;
const RIGHT: f64 = 630.0;
const TOP: f64 = 28.0;
const ROW: f64 = 48.0;
const THICKNESS: f64 = 14.0;

impl BarChart {
    pub(crate) fn draw(&self) -> Drawing {
        let shown = |bar: &Bar| [bar.value, bar.range.map(|range| range.high), bar.printed];
        let largest = range(self.bars.iter().flat_map(shown).flatten());
        let high = largest.map_or(1.0, |range| range.high.max(0.0));
        let scale = Scale::linear(Bounds { low: 0.0, high }, LEFT, RIGHT);
        let mut svg = Svg::default();
        svg.text("quiet", Anchor::Start, [LEFT, 14.0], &self.label);
        for (i, bar) in self.bars.iter().enumerate() {
            bar.draw(&mut svg, &scale, TOP + ROW * i as f64);
        }
        Drawing {
            class: "chart bars",
            width: WIDTH,
            height: TOP + ROW * self.bars.len() as f64 + 4.0,
            body: svg.finish(),
            scales: None,
            core: WIDTH,
            legend: Vec::new(),
        }
    }
}

impl Bar {
    fn draw(&self, svg: &mut Svg, scale: &Scale, top: f64) {
        svg.name_and_figure([LEFT, top + 18.0], &shorten(&self.name, 40), &self.word);
        let y = top + 24.0 + THICKNESS / 2.0;
        let at = |value: Option<f64>| value.and_then(|value| scale.position(value));
        svg.open_group(&palette::class(self.style));
        svg.line("grid", [LEFT, y], [RIGHT, y]);
        if let Some(end) = at(self.value) {
            // keep very short bars visible
            svg.rect("bar", [LEFT, y - THICKNESS / 2.0], [(end - LEFT).max(1.5), THICKNESS]);
        }
        if let Some(x) = at(self.printed) {
            let mut path = Path::default();
            path.stamp([x, y], palette::marker(self.style));
            svg.path("start", &path);
        }
        svg.close_group();
        self.draw_range(svg, scale, y);
    }

    fn draw_range(&self, svg: &mut Svg, scale: &Scale, y: f64) {
        let ends = self.range.map(|range| (scale.position(range.low), scale.position(range.high)));
        let Some((Some(low), Some(high))) = ends else { return };
        svg.line("whisker", [low, y], [high, y]);
        for x in [low, high] {
            svg.line("whisker", [x, y - 4.0], [x, y + 4.0]);
        }
    }
}
