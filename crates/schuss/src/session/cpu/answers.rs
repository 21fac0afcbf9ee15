//! Counts of predicted classes or labels during an evaluation.

use crate::loss::Targets;
use crate::metrics::{ClassCounts, LabelCounts, LabelScores};
use crate::network::{Arena, Plan};
use crate::recipe::Trial;
use crate::record::LabelQuality;
use schuss_data::Dataset;

/// Counts of predictions.
#[derive(Clone)]
pub(super) enum Answers {
    Classes(ClassCounts),
    /// Outputs above `bound` predict 1.
    Labels {
        counts: LabelCounts,
        bound: f32,
    },
    /// Predictions are numbers and are not counted.
    Numbers,
}

impl Answers {
    /// Creates empty counts for `outputs` outputs of a trial on `data`.
    pub(super) fn of(trial: &Trial, data: &Dataset, outputs: usize) -> Self {
        match (trial.targets, trial.recipe.loss.label_bound()) {
            (Targets::Class, _) => Self::Classes(ClassCounts::new(outputs)),
            (Targets::Real, Some(bound)) if !data.labels.is_empty() => {
                Self::Labels { counts: LabelCounts::new(outputs), bound }
            }
            _ => Self::Numbers,
        }
    }

    /// Clears the counts.
    pub(super) fn clear(&mut self, outputs: usize) {
        match self {
            Self::Classes(counts) => *counts = ClassCounts::new(outputs),
            Self::Labels { counts, .. } => *counts = LabelCounts::new(outputs),
            Self::Numbers => {}
        }
    }

    /// Counts the predictions for the first `rows` samples of the arena.
    pub(super) fn count(&mut self, arena: &Arena, plan: &Plan, rows: usize) {
        for row in 0..rows {
            match self {
                Self::Classes(counts) => counts.take(arena.labels[row] as usize, arena.output(plan, row)),
                Self::Labels { counts, bound } => {
                    counts.take(arena.target(plan, row), arena.output(plan, row), *bound);
                }
                Self::Numbers => return,
            }
        }
    }

    /// Returns the scores of a multi-label task with these label names.
    pub(super) fn label_scores(&self, names: &[String]) -> Option<LabelScores> {
        if let Self::Labels { counts, .. } = self { counts.scores(names) } else { None }
    }

    /// Returns the fraction of samples with the most common class or combination of labels.
    pub(super) fn chance(&self, labels: Option<&LabelScores>) -> Option<f64> {
        match self {
            Self::Classes(counts) => counts.chance(),
            _ => labels?.chance,
        }
    }

    /// Returns the class predicted for every sample, if there is one.
    pub(super) fn only_class(&self) -> Option<usize> {
        if let Self::Classes(counts) = self { counts.only() } else { None }
    }
}

impl From<&LabelScores> for LabelQuality {
    fn from(scores: &LabelScores) -> Self {
        Self { label_accuracy: scores.label_accuracy, f1_macro: scores.f1_macro }
    }
}
