//! Conversion of a trained network's outputs to answers, which depends on the loss it was trained on.

use super::{Bce, Loss};
use crate::loss::Targets;
use schuss_kernels::activation::{Identity, Sigmoid, activate};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::{Score, softmax};
use schuss_kernels::{Buffer, Team, padded};

/// Conversion of outputs to answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Outputs are class logits, or log-probabilities, which have the same softmax.
    Softmax,
    /// Every output is a separate logit.
    Sigmoid,
    /// Outputs are the answers.
    AsItIs,
}

impl Loss {
    /// Returns the conversion of outputs to answers for a network trained on `targets`.
    pub(crate) fn answer(&self, targets: Targets) -> Answer {
        match (self, targets) {
            (Self::Bce(Bce { logits: true, .. }) | Self::Focal(_), _) => Answer::Sigmoid,
            (Self::Bce(_), _) | (_, Targets::Real | Targets::Input) => Answer::AsItIs,
            (Self::CrossEntropy(_) | Self::Nll(_) | Self::Kl(_), Targets::Class) => Answer::Softmax,
            (_, Targets::Class) => Answer::AsItIs,
        }
    }

    /// Returns true if the answers of a network trained on classes are probabilities.
    pub(crate) fn gives_probabilities(&self) -> bool {
        self.answer(Targets::Class) != Answer::AsItIs || matches!(self, Self::Bce(_))
    }

    /// Writes answers and scores under this loss, outside of training. Outputs and answers are `[m, n]`, with one label
    /// and one score per row.
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
                self.compute(team, outputs, labels, None, delta, scores);
            }
            return;
        }
        self.compute(team, outputs, labels, None, MatrixMut::new(to, rows, cols), scores);
        answer.write(team, outputs, MatrixMut::new(to, rows, cols));
    }
}

impl Answer {
    /// Writes the answers for outputs that are converted one by one.
    pub(crate) fn write(self, team: &mut Team, outputs: Matrix, answers: MatrixMut) {
        match self {
            Self::Sigmoid => activate(team, Sigmoid, outputs, answers),
            _ => activate(team, Identity, outputs, answers),
        }
    }
}
