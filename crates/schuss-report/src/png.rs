//! Conversion of SVG to PNG with resvg and an embedded font, so that charts look the same everywhere.

use resvg::{tiny_skia, usvg};
use schuss_data::{Error, Result};
use std::sync::Arc;

/// Subset of DejaVu Sans: Latin, Greek, and the signs used in charts. Its licence is in the same folder.
const FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

/// Pixels per unit of the drawing.
const ZOOM: f32 = 2.0;

/// Renderer with a font that is parsed once.
pub(crate) struct Renderer {
    options: usvg::Options<'static>,
}

impl Renderer {
    pub(crate) fn new() -> Self {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        let mut options = usvg::Options { font_family: "DejaVu Sans".to_owned(), ..usvg::Options::default() };
        options.fontdb = Arc::new(fonts);
        Self { options }
    }

    /// Renders the SVG of a chart as PNG.
    pub(crate) fn png(&self, svg: &str) -> Result<Vec<u8>> {
        let broken = |reason: String| Error::failure(format!("a chart could not be drawn as PNG: {reason}"));
        let tree = usvg::Tree::from_str(svg, &self.options).map_err(|error| broken(error.to_string()))?;
        let size = tree.size();
        let (width, height) = ((size.width() * ZOOM).ceil() as u32, (size.height() * ZOOM).ceil() as u32);
        let mut pixels = tiny_skia::Pixmap::new(width, height)
            .ok_or_else(|| broken(format!("{width} x {height} pixels are too many")))?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| broken(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_drawn_with_the_embedded_font() {
        let svg = |text: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"90\" height=\"30\" font-family=\"sans-serif\"><text y=\"20\">{text}</text></svg>"
            )
        };
        let renderer = Renderer::new();
        let [empty, text] = ["", "η ≥ ½ w₁ m̂"].map(|text| renderer.png(&svg(text)).unwrap());
        assert!(text.starts_with(b"\x89PNG") && text.len() > empty.len() + 200);
    }
}
