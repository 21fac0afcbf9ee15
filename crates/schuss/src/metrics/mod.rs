//! Measures of outputs: labels, deviations of numbers, reconstructed images.

mod deviation;
mod labels;
mod quality;
mod reconstructions;

pub use deviation::Deviation;
pub use labels::{LabelScore, LabelScores};
pub use reconstructions::Reconstructions;

pub(crate) use deviation::Sums;
pub(crate) use labels::{ClassCounts, LabelCounts};
pub(crate) use quality::Quality;
