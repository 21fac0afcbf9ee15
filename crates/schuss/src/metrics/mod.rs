//! Measures of outputs: classes, labels, deviations of numbers, reconstructed images.

mod classes;
mod deviation;
mod labels;
mod quality;
mod reconstructions;

pub use classes::{Confusion, ConfusionMatrix};
pub use deviation::Deviation;
pub use labels::{LabelScore, LabelScores};
pub use reconstructions::Reconstructions;

pub(crate) use classes::ClassCounts;
pub(crate) use deviation::Sums;
pub(crate) use labels::LabelCounts;
pub(crate) use quality::Quality;
