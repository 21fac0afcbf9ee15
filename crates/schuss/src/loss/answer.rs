//! What the outputs of a trained network say, which the loss decides that it was trained on.

use super::{Bce, Loss};
use crate::recipe::Targets;
use schuss_kernels::activation::{Identity, Sigmoid, activate};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::{Score, softmax};
use schuss_kernels::{Buffer, Team, padded};

/// From outputs to answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Outputs are logits of classes, or logarithms of their probabilities, which have the same softmax.
    Softmax,
    /// Every output is a logit by itself.
    Sigmoid,
    /// Outputs are answers.
    AsItIs,
}

impl Loss {
    /// From the outputs of a network trained on `targets` to its answers.
    pub(crate) fn answer(&self, targets: Targets) -> Answer {
        match (self, targets) {
            (Self::Bce(Bce { logits: true, .. }) | Self::Focal(_), _) => Answer::Sigmoid,
            (Self::Bce(_), _) | (_, Targets::Real | Targets::Input) => Answer::AsItIs,
            (Self::CrossEntropy(_) | Self::Nll(_) | Self::Kl(_), Targets::Class) => Answer::Softmax,
            (_, Targets::Class) => Answer::AsItIs,
        }
    }

    /// Whether the answers of a network trained on classes are probabilities.
    pub(crate) fn gives_probabilities(&self) -> bool {
        self.answer(Targets::Class) != Answer::AsItIs || matches!(self, Self::Bce(_))
    }

    /// Answers and scores, by this loss, of a network that is not being trained. Outputs and answers `[m, n]`, one label and one score per row.
    pub(crate) fn judge(
        &self,
        team: &mut Team,
        outputs: Matrix,
        labels: &[u32],
        answers: MatrixMut,
        scores: &mut [Score],
    ) {
        let ((rows, cols), answer) = (outputs.shape(), self.answer(Targets::Class));
        let to = answers.into_data();
        if answer == Answer::Softmax {
            softmax(team, outputs, labels, MatrixMut::new(to, rows, cols), scores); // scores of cross-entropy
            if !self.is_fused() {
                let mut delta = Buffer::zeros(rows * padded(cols));
                let delta = MatrixMut::new(&mut delta, rows, cols);
                self.compute(team, outputs, (labels, None), delta, scores);
            }
            return;
        }
        self.compute(team, outputs, (labels, None), MatrixMut::new(to, rows, cols), scores);
        answer.write(team, outputs, MatrixMut::new(to, rows, cols));
    }
}

impl Answer {
    /// The answers to outputs that are looked at one by one.
    pub(crate) fn write(self, team: &mut Team, outputs: Matrix, answers: MatrixMut) {
        match self {
            Self::Sigmoid => activate(team, Sigmoid, outputs, answers),
            _ => activate(team, Identity, outputs, answers),
        }
    }
}
