//! SVG output: text is escaped, coordinates are rounded to a tenth of a pixel.

use crate::text::escape;
use std::fmt::Write as _;

/// Formats a coordinate to a tenth of a pixel, in as few characters as possible.
pub(crate) fn px(value: f64) -> String {
    let tenths = (value * 10.0).round() as i64;
    let (sign, size) = (if tenths < 0 { "-" } else { "" }, tenths.unsigned_abs());
    match (size / 10, size % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, tenth) => format!("{sign}.{tenth}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}

/// Anchor point of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Contents of an `svg` element under construction.
#[derive(Debug, Default)]
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// Opens a group of this class; `close_group` ends it.
    pub(crate) fn open_group(&mut self, class: &str) {
        let _ = write!(self.text, "<g class=\"{class}\">");
    }

    /// Opens the group of one series, which carries its name for read-outs.
    pub(crate) fn open_series(&mut self, class: &str, name: &str) {
        let _ = write!(self.text, "<g class=\"{class}\" data-name=\"{}\">", escape(name));
    }

    pub(crate) fn close_group(&mut self) {
        self.text.push_str("</g>");
    }

    pub(crate) fn path(&mut self, class: &str, path: &Path) {
        if !path.0.is_empty() {
            let _ = write!(self.text, "<path class=\"{class}\" d=\"{}\"/>", path.0);
        }
    }

    pub(crate) fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        self.path(class, &Path::through(&[from, to]));
    }

    pub(crate) fn rect(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
        let (x, y, width, height) = (px(x), px(y), px(width), px(height));
        let _ = write!(
            self.text,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        );
    }

    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, [x, y]: [f64; 2], text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " mid",
            Anchor::End => " end",
        };
        let (x, y) = (px(x), px(y));
        let _ =
            write!(self.text, "<text class=\"{class}{anchor}\" x=\"{x}\" y=\"{y}\">{}</text>", escape(text));
    }

    /// Draws a name and, after some space, its figure in bold.
    pub(crate) fn name_and_figure(&mut self, [x, y]: [f64; 2], name: &str, figure: &str) {
        let (x, y, name, figure) = (px(x), px(y), escape(name), escape(figure));
        let _ = write!(
            self.text,
            "<text class=\"name\" x=\"{x}\" y=\"{y}\">{name}<tspan class=\"strong\" dx=\"12\">{figure}</tspan></text>"
        );
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Attribute `d` of a path, in absolute coordinates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(String);

impl Path {
    pub(crate) fn through(points: &[[f64; 2]]) -> Self {
        let mut path = Self::default();
        path.add(points);
        path
    }

    /// Adds a piece that is not joined to the previous one.
    pub(crate) fn add(&mut self, points: &[[f64; 2]]) {
        for (i, [x, y]) in points.iter().enumerate() {
            let lead = match i {
                0 => "M",
                1 => "L",
                _ => " ",
            };
            let _ = write!(self.0, "{lead}{} {}", px(*x), px(*y));
        }
    }

    /// Adds a closed piece.
    pub(crate) fn add_closed(&mut self, points: &[[f64; 2]]) {
        if !points.is_empty() {
            self.add(points);
            self.0.push('z');
        }
    }

    /// Adds a shape given relative to a point, e.g. `m-4-4h8v8h-8z`.
    pub(crate) fn stamp(&mut self, [x, y]: [f64; 2], shape: &str) {
        let _ = write!(self.0, "M{} {}{shape}", px(x), px(y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_rounded_to_tenths_and_never_minus_zero() {
        assert_eq!([px(0.04), px(-0.04), px(-0.26), px(12.0), px(12.34)], ["0", "0", "-.3", "12", "12.3"]);
    }

    #[test]
    fn names_are_escaped_in_attributes_and_in_content() {
        let mut svg = Svg::default();
        svg.open_series("s0", "\"><script>");
        svg.text("t", Anchor::Start, [0.0, 0.0], "<b>");
        let text = svg.finish();
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
    }
}
