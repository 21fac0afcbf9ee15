//! Measures of predictions: classes, labels, deviations of numbers, reconstructed images.
//!
//! Every evaluation begins the metrics of its task anew with [`Metrics::begin`], feeds them all predictions, and ends
//! with an [`Evaluation`](crate::record::Evaluation). A metric is one file and its row in the table below.

mod classes;
mod custom;
mod deviation;
mod image_quality;
mod labels;
mod loss_groups;
mod metric;
mod reconstructions;

pub use classes::{Confusion, ConfusionMatrix};
#[cfg(test)]
pub(crate) use custom::READINGS;
pub use custom::{Custom, CustomMetric, CustomTally};
pub use deviation::Deviation;
pub use image_quality::ImageQuality;
pub use labels::{LabelScore, LabelScores};
pub use metric::{LabelTask, Metrics, Prediction, Task};
pub use reconstructions::Reconstructions;

pub(crate) use deviation::Sums;
pub(crate) use image_quality::ImageSums;
pub(crate) use labels::LabelCounts;
pub(crate) use loss_groups::LossGroups;

use metric::Row;

/// The metrics that are measured wherever they apply.
static METRICS: &[Row] = &[classes::ROW, labels::ROW, deviation::ROW, image_quality::ROW];
