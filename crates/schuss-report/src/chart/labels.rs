//! Names of series: beside the ends of their lines, or in a legend below the chart.

use super::{
    palette::{self, SWATCH},
    svg::{Anchor, Svg},
};
use crate::text::shorten;

/// Maximum number of series named beside their lines.
pub(crate) const DIRECT: usize = 8;
/// Width of the margin for direct labels.
pub(super) const MARGIN: f64 = 196.0;

/// Part of the margin that stays free, for half a tick label.
pub(super) const GAP: f64 = 20.0;

const LINE: f64 = 15.5;
/// Maximum characters per line of a direct label.
const CHARACTERS: usize = 17;

/// Name of a series and its preferred height.
pub(super) struct Label<'a> {
    pub(super) name: &'a str,
    pub(super) style: usize,
    pub(super) y: f64,
}

/// Draws labels between `top` and `bottom`, as near to their preferred heights as possible without overlap.
pub(super) fn beside(svg: &mut Svg, mut labels: Vec<Label>, x: f64, top: f64, bottom: f64) {
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    let texts: Vec<Vec<String>> = labels.iter().map(|label| wrap(label.name)).collect();
    let heights: Vec<f64> = texts.iter().map(|lines| lines.len() as f64 * LINE + 5.0).collect();
    let wanted: Vec<f64> = labels.iter().map(|label| label.y).collect();
    for ((label, lines), y) in labels.iter().zip(&texts).zip(stack(&wanted, &heights, top, bottom)) {
        palette::swatch(svg, label.style, [x + GAP, y]);
        for (i, line) in lines.iter().enumerate() {
            let offset = 4.5 + (i as f64 - (lines.len() - 1) as f64 / 2.0) * LINE;
            svg.text("name", Anchor::Start, [x + GAP + 6.0 + SWATCH, y + offset], line);
        }
    }
}

/// Returns the centres of boxes of the given heights, in order, near the wanted positions and without overlap.
fn stack(wanted: &[f64], heights: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut centres = wanted.to_vec();
    let mut edge = top;
    for (centre, height) in centres.iter_mut().zip(heights) {
        *centre = centre.max(edge + height / 2.0);
        edge = *centre + height / 2.0;
    }
    let mut edge = bottom.max(top + heights.iter().sum::<f64>());
    for (centre, height) in centres.iter_mut().zip(heights).rev() {
        *centre = centre.min(edge - height / 2.0);
        edge = *centre - height / 2.0;
    }
    centres
}

/// Splits a name into one or two lines, after a comma, a space or the like if there is one.
fn wrap(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= CHARACTERS {
        return vec![name.to_owned()];
    }
    let breaks = |c: &char| matches!(c, ' ' | ',' | '+' | '/' | ';' | '-' | '_');
    let cut = characters[..CHARACTERS].iter().rposition(breaks).map_or(CHARACTERS, |i| i + 1);
    let rest: String = characters[cut..].iter().collect();
    let first: String = characters[..cut].iter().collect();
    vec![first.trim_end().to_owned(), shorten(&rest, CHARACTERS)]
}

/// Legend and its height.
pub(super) struct Table {
    pub(super) body: String,
    pub(super) height: f64,
}

/// Draws a legend in columns across a chart.
pub(super) fn table(series: &[(String, usize)], width: f64) -> Table {
    const COLUMN: f64 = 205.0;
    const ROW: f64 = 20.0;
    let columns = ((width / COLUMN) as usize).max(1);
    let mut svg = Svg::default();
    for (i, (name, style)) in series.iter().enumerate() {
        let (x, y) = (16.0 + COLUMN * (i % columns) as f64, 14.0 + ROW * (i / columns) as f64);
        palette::swatch(&mut svg, *style, [x, y]);
        svg.text("small", Anchor::Start, [x + SWATCH + 8.0, y + 4.0], &shorten(name, 22));
    }
    let rows = series.len().div_ceil(columns) as f64;
    Table { body: svg.finish(), height: if rows > 0.0 { rows * ROW + 16.0 } else { 0.0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_touch_even_when_all_are_wanted_at_one_place() {
        let heights = [20.0; 8];
        let centres = stack(&[250.0; 8], &heights, 20.0, 260.0);
        assert!(centres.windows(2).all(|pair| pair[1] - pair[0] >= 20.0 - 1e-9), "{centres:?}");
        assert!(centres[0] >= 30.0 && centres[7] <= 250.0, "{centres:?}");
    }

    #[test]
    fn long_names_are_broken_at_a_comma_and_shortened() {
        assert_eq!(wrap("Adam"), ["Adam"]);
        assert_eq!(wrap("sgd:lr=0.0001,momentum=0.9"), ["sgd:lr=0.0001,", "momentum=0.9"]);
        assert_eq!(wrap(&"x".repeat(50)), ["x".repeat(17), format!("{}…", "x".repeat(16))]);
    }
}
