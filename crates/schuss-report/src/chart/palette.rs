//! Styles that distinguish series: colour, dashes and marker together, so that any one of them is enough.
//!
//! The first seven colours are Okabe and Ito's, the others are those of Tol's muted scheme that differ from them; all
//! remain distinguishable under every common kind of colour blindness. Dashes and markers change with every round of
//! colours.

use super::svg::{Path, Svg};
use std::fmt::Write as _;

/// Colours of a chart on a light or dark background.
pub(crate) struct Theme {
    ink: &'static str,
    quiet: &'static str,
    grid: &'static str,
    paper: &'static str,
    series: [&'static str; COLOURS],
}

const COLOURS: usize = 12;
const DASHES: [&str; 4] = ["none", "9 4", "2 3.5", "11 4 2 4"];

/// Dark ink on white; yellow, which cannot be seen on white, is left out.
pub(crate) const LIGHT: Theme = Theme {
    ink: "#1c2127",
    quiet: "#5a6470",
    grid: "#e6e9ec",
    paper: "#ffffff",
    series: [
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#3d4650", "#332288", "#999933",
        "#882255", "#44aa99", "#aa4499",
    ],
};

/// Light ink on near-black; blue is lighter to be visible, and yellow replaces black.
pub(crate) const DARK: Theme = Theme {
    ink: "#e8eaed",
    quiet: "#a3adb8",
    grid: "#2b3138",
    paper: "#14171b",
    series: [
        "#3a9bdc", "#f0833a", "#1fbf92", "#dc92bb", "#e69f00", "#8cccf2", "#f0e442", "#8f86e0", "#b9b957",
        "#d4608f", "#66c9bb", "#c97fc9",
    ],
};

/// CSS rules of charts except colours.
const SHAPES: &str = "svg text{font-size:13px}\
svg .small{font-size:11.5px}svg .name{font-size:13px}svg .strong{font-weight:600}\
svg .mid{text-anchor:middle}svg .end{text-anchor:end}\
svg .line{fill:none;stroke:currentColor;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}\
svg .thin{stroke-width:1.3}\
svg .band{fill:currentColor;fill-opacity:.2;stroke:none}\
svg .bar{fill:currentColor;stroke:none}\
svg .dot{fill:currentColor;stroke:none}\
svg .grid,svg .axis,svg .level,svg .whisker{fill:none;stroke-width:1}\
svg .level{stroke-dasharray:3 4;stroke-width:1.2}\
svg .whisker{stroke-width:1.6}\
svg .hollow{stroke:currentColor;stroke-width:1.8}\
svg .halo{stroke-width:4;stroke-linejoin:round;paint-order:stroke}\
svg .mark{stroke-width:1.2}\
svg .contour{fill:none;stroke-width:1}svg .k0{opacity:.9}svg .k1{opacity:.65}svg .k2{opacity:.45}svg .k3{opacity:.3}\
svg .start{stroke-width:1.8}svg .minimum{fill:none;stroke-width:2.4}";

/// Returns the CSS rules for shapes and dashes.
pub(crate) fn shapes() -> String {
    let mut css = SHAPES.to_owned();
    for (i, dash) in DASHES.iter().enumerate() {
        let _ = write!(css, "svg .d{i} .line{{stroke-dasharray:{dash}}}");
    }
    css
}

/// Returns the CSS rules for colours.
pub(crate) fn colours(theme: &Theme) -> String {
    let Theme { ink, quiet, grid, paper, series } = theme;
    let mut css = format!(
        "svg text{{fill:{ink}}}svg .quiet{{fill:{quiet}}}svg .grid{{stroke:{grid}}}\
         svg .axis,svg .level,svg .contour{{stroke:{quiet}}}svg .whisker{{stroke:{ink}}}svg .hollow{{fill:{paper}}}\
         svg .halo{{stroke:{paper}}}svg .mark{{fill:{ink};stroke:{paper}}}svg .paper{{fill:{paper}}}\
         svg .start{{fill:{paper};stroke:{ink}}}svg .minimum{{stroke:{ink}}}"
    );
    for (i, colour) in series.iter().enumerate() {
        let _ = write!(css, "svg .s{i}{{color:{colour}}}");
    }
    css
}

/// Returns the class of the group that draws series number `i`.
pub(crate) fn class(i: usize) -> String {
    format!("s{} d{}", i % COLOURS, (i + i / COLOURS) % DASHES.len())
}

/// Returns the class without dashes, for a series that is alone.
pub(crate) fn solid_class(i: usize) -> String {
    format!("s{}", i % COLOURS)
}

/// Returns the outline of the marker of series number `i`, relative to a point.
pub(crate) fn marker(i: usize) -> &'static str {
    const MARKERS: [&str; 5] = [
        "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
        "m-3.5-3.5h7v7h-7z",
        "m0-5l4.5 8h-9z",
        "m0-5l4.5 5l-4.5 5l-4.5-5z",
        "m0 5l4.5-8h-9z",
    ];
    MARKERS[i % MARKERS.len()]
}

/// Draws a short piece of the line of series number `i` with its marker, as in a legend.
pub(crate) fn swatch(svg: &mut Svg, i: usize, [x, y]: [f64; 2]) {
    svg.open_group(&class(i));
    svg.line("line", [x, y], [x + SWATCH, y]);
    let mut dot = Path::default();
    dot.stamp([x + SWATCH / 2.0, y], marker(i));
    svg.path("dot", &dot);
    svg.close_group();
}

/// Width of a swatch.
pub(crate) const SWATCH: f64 = 26.0;
