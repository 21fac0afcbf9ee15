//! Charts as SVG: lines and bands, bars, contours. This module is independent of training.

pub(crate) mod bars;
pub(crate) mod contour;
mod frame;
pub(crate) mod growth;
mod labels;
pub(crate) mod line;
mod marching;
pub(crate) mod palette;
mod polyline;
pub(crate) mod scale;
pub(crate) mod svg;

pub(crate) use frame::{Axis, Drawing};
pub(crate) use labels::DIRECT as DIRECT_LABELS;

/// Level of detail of charts, which determines the size of the page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fineness {
    /// Maximum error of lines, in pixels.
    pub(crate) tolerance: f64,
    /// Number of columns in which the losses of updates are aggregated.
    pub(crate) columns: usize,
    /// Maximum number of recipes drawn.
    pub(crate) recipes: usize,
}

impl Fineness {
    /// Detail of standalone files: nothing visible is left out.
    pub(crate) const FULL: Self = Self { tolerance: 0.1, columns: 360, recipes: usize::MAX };
}
