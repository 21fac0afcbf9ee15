//! Record of a divergence, and how far the learning rate was past the stability bound.

use super::numbers::significant;
use serde::{Deserialize, Serialize};

/// Point at which a value of a trial became non-finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// Update, counted from 1; 0 if the initial weights already overflow.
    pub update: u64,
    /// Layer name, as in the model file.
    pub layer: String,
    /// The learning rate and the largest stable one; `None` for optimizers other than plain `sgd`, for layers and losses
    /// whose second derivatives are not known, and if it could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
}

/// Learning rate of a diverged trial relative to the largest at which descent over all samples is stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// Learning rate of the update that diverged.
    pub lr: f64,
    /// Largest eigenvalue of the Hessian of the training loss.
    pub sharpness: f64,
    /// Largest stable learning rate at this sharpness.
    pub largest_lr: f64,
    /// `lr` over `largest_lr`.
    pub ratio: f64,
    /// Form of descent that the bound belongs to.
    pub descent: DescentKind,
    /// Update whose weights were measured: those with the lowest evaluation loss, before they exploded.
    pub measured_at: u64,
    /// Number of training samples it was measured on: the first of epoch 0.
    pub samples: usize,
}

/// Form of descent that a stability bound belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DescentKind {
    /// Without momentum: 2 / λ.
    Plain,
    /// With momentum μ: 2 (1 + μ) / λ.
    HeavyBall,
    /// With Nesterov momentum, PyTorch's form: 2 (1 + μ) / ((1 + 2 μ) λ).
    Nesterov,
}

impl DescentKind {
    fn words(self) -> &'static str {
        match self {
            Self::Plain => "gradient descent, 2 / λ",
            Self::HeavyBall => "heavy-ball momentum, 2 (1 + μ) / λ",
            Self::Nesterov => "Nesterov momentum, 2 (1 + μ) / ((1 + 2 μ) λ)",
        }
    }
}

impl Stability {
    /// Returns the finding as a clause: `its learning rate 30 is 4.1 times the stability bound of ...`.
    pub fn words(&self) -> String {
        let [lr, ratio, largest, sharpness] =
            [self.lr, self.ratio, self.largest_lr, self.sharpness].map(|number| significant(number, 3));
        let place = match self.measured_at {
            0 => "at the initial weights".to_owned(),
            update => format!("at the weights after update {update}"),
        };
        let so = if self.ratio < 1.0 {
            "; batches can be sharper than the whole, and weights grow sharper later"
        } else {
            ""
        };
        format!(
            "its learning rate {lr} is {ratio} times the stability bound of {}, which is {largest} for sharpness λ = \
             {sharpness} {place}{so}",
            self.descent.words()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clause_says_how_far_past_which_bound_and_where_it_was_measured() {
        let mut found = Stability {
            lr: 30.0,
            sharpness: 0.4,
            largest_lr: 5.0,
            ratio: 6.0,
            descent: DescentKind::Plain,
            measured_at: 0,
            samples: 400,
        };
        assert_eq!(
            found.words(),
            "its learning rate 30.0 is 6.00 times the stability bound of gradient descent, 2 / λ, which is 5.00 for sharpness \
             λ = 0.400 at the initial weights"
        );
        (found.ratio, found.measured_at) = (0.5, 12);
        assert!(found.words().contains("after update 12; batches can be sharper"), "{}", found.words());
    }

    #[test]
    fn records_without_the_bound_are_read() {
        let old: Divergence = serde_json::from_str(r#"{"update":3,"layer":"0"}"#).unwrap();
        assert_eq!(old, Divergence { update: 3, layer: "0".to_owned(), stability: None });
    }
}
