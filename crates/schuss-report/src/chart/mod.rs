//! Charts as SVG: lines and bands, bars, contours. They know pixels and numbers, nothing of training.

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

/// How finely to draw, which is what the size of the page depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fineness {
    /// Lines may be off by so many pixels.
    pub(crate) tolerance: f64,
    /// Columns in which the loss of every single update is gathered.
    pub(crate) columns: usize,
    /// Recipes drawn: the first so many.
    pub(crate) recipes: usize,
}

impl Fineness {
    /// For files of their own: nothing is left out that an eye could see.
    pub(crate) const FULL: Self = Self { tolerance: 0.1, columns: 360, recipes: usize::MAX };
}
