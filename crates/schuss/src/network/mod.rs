//! Networks: a description, its parameters in one flat buffer, and the checked plan that runs it.

mod arena;
#[cfg(test)]
mod golden;
mod init;
mod layer;
mod layout;
mod matching;
mod model;
mod model_file;
mod noise;
mod params;
mod plan;
mod predictor;
mod scores;
mod units;

pub use init::Init;
pub use layer::{ActivationVisitor, Custom, CustomLayer, CustomWeights, Layer};
pub use layout::{Entry, Layout, Role};
pub use model::Model;
pub use model_file::{ModelFile, load_weights, save};
pub use noise::Noise;
pub use params::Params;
pub use plan::{Plan, Stage};
pub use predictor::{ClassPrediction, NumberPrediction, Predictor, PreparedPicture};
pub use scores::{ClassScores, ImageScores, Mistake, Scores, WithLoss};

pub(crate) use arena::{Arena, MICROBATCH, gather_inputs, take_classes};
pub(crate) use layer::{Bend, Gradients, Mode, RateSums, Tangent, VectorGradients, Weights};
pub(crate) use plan::{Dense, Perceptron};
pub(crate) use units::Units;
