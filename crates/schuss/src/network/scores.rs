//! Results of evaluating a model on data. Serialised, they are what `schuss eval --json` prints.

use crate::metrics::{ConfusionMatrix, Deviation, ImageQuality, LabelScores};
use serde::Serialize;
use std::collections::BTreeMap;

/// Result of evaluating a model on data, by the kind of its predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scores {
    /// One class per sample.
    Classes(ClassScores),
    /// Several labels per sample, each 0 or 1.
    Labels(WithLoss<LabelScores>),
    /// Numbers, in the units of the data.
    Numbers(WithLoss<Deviation>),
    /// Images reconstructed by an autoencoder.
    Images(ImageScores),
}

/// Scores together with the mean of the loss that the model was trained with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WithLoss<T> {
    /// Mean loss, in the units of the data if they were scaled for training.
    pub loss: f64,
    /// Spec of the loss.
    pub loss_name: String,
    /// Scores.
    #[serde(flatten)]
    pub scores: T,
    /// Metrics by name, as in the records of training.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// Scores of predicted classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    /// Fraction of samples whose class was predicted.
    pub accuracy: f64,
    /// Accuracy of always predicting the most common class.
    pub chance: f64,
    /// Class predicted for every sample, if there is only one.
    pub only_class: Option<String>,
    /// Mean of the loss that the model was trained with.
    pub loss: f64,
    /// Spec of the loss.
    pub loss_name: String,
    /// Number of samples.
    pub samples: u64,
    /// Names of the classes, in the order of the matrix.
    pub classes: Vec<String>,
    /// Number of samples by true and predicted class.
    pub confusion: ConfusionMatrix,
    /// Mistakes with the largest loss, largest first; at most 8.
    pub worst: Vec<Mistake>,
    /// Metrics by name, as in the records of training.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// Misclassified sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// Index of the sample in its split.
    pub index: usize,
    /// Name of its class.
    #[serde(rename = "true")]
    pub actual: String,
    /// Name of the predicted class.
    pub predicted: String,
    /// Probability of the predicted class, if the loss turns outputs into probabilities.
    pub probability: Option<f64>,
    /// Loss of the sample.
    pub loss: f64,
}

/// Scores of reconstructed images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageScores {
    /// Errors and similarity, the means over images.
    #[serde(flatten)]
    pub quality: ImageQuality,
    /// Number of images.
    pub samples: usize,
    /// Metrics by name, as in the records of training.
    pub metrics: BTreeMap<String, Option<f64>>,
}
