//! Networks: a description, its parameters in one flat buffer, and the checked plan that runs it.

mod answers;
mod arena;
mod deviation;
#[cfg(test)]
mod golden;
mod init;
mod layer;
mod layout;
mod model;
mod model_file;
mod params;
mod plan;
mod predictor;
mod units;

pub use answers::{LabelScore, LabelScores};
pub use deviation::Deviation;
pub use init::Init;
pub use layer::Layer;
pub use layout::{Entry, Layout, Role};
pub use model::Model;
pub use model_file::{ModelFile, load_weights, save};
pub use params::Params;
pub use plan::Plan;
pub use predictor::{Answer, Judged, Prediction, Predictor};

pub(crate) use answers::{ClassCounts, LabelCounts};
pub(crate) use arena::{Arena, MICROBATCH, take_classes};
pub(crate) use deviation::Sums;
pub(crate) use layer::{Gradients, Mode, VectorGradients};
pub(crate) use plan::{Dense, Perceptron};
pub(crate) use units::Units;
