//! Counts of predicted classes or labels during an evaluation.

use super::Engine;
use crate::loss::Targets;
use crate::metrics::{ClassCounts, LabelCounts, LabelScores};
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

    /// Returns empty counts of the same kind.
    fn emptied(&self, outputs: usize) -> Self {
        match self {
            Self::Classes(_) => Self::Classes(ClassCounts::new(outputs)),
            Self::Labels { bound, .. } => Self::Labels { counts: LabelCounts::new(outputs), bound: *bound },
            Self::Numbers => Self::Numbers,
        }
    }

    /// Returns the class predicted for every sample, if there is one.
    pub(super) fn only_class(&self) -> Option<usize> {
        if let Self::Classes(counts) = self { counts.only() } else { None }
    }
}

impl Engine {
    /// Clears the counts of the previous evaluation.
    pub(super) fn forget_answers(&mut self) {
        self.answers = self.answers.emptied(self.plan.outputs);
    }

    /// Counts the predictions for the first `rows` samples of the arena.
    pub(super) fn count_answers(&mut self, rows: usize) {
        let (arena, plan) = (&self.arena, &self.plan);
        for row in 0..rows {
            match &mut self.answers {
                Answers::Classes(counts) => {
                    counts.take(arena.labels[row] as usize, arena.output(plan, row));
                }
                Answers::Labels { counts, bound } => {
                    counts.take(arena.target(plan, row), arena.output(plan, row), *bound);
                }
                Answers::Numbers => return,
            }
        }
    }

    /// Returns the scores of a multi-label task in the last evaluation.
    pub(crate) fn label_scores(&self) -> Option<LabelScores> {
        if let Answers::Labels { counts, .. } = &self.answers { counts.scores(&self.labels) } else { None }
    }

    /// Returns the fraction of samples with the most common class or label combination in the last evaluation.
    pub(super) fn chance(&self, labels: Option<&LabelScores>) -> Option<f64> {
        match &self.answers {
            Answers::Classes(counts) => counts.chance(),
            _ => labels?.chance,
        }
    }

    /// Returns the class predicted for every sample of the last evaluation, if there is one.
    pub(super) fn only_class(&self) -> Option<usize> {
        self.answers.only_class()
    }
}

impl From<&LabelScores> for LabelQuality {
    fn from(scores: &LabelScores) -> Self {
        Self { label_accuracy: scores.label_accuracy, f1_macro: scores.f1_macro }
    }
}
