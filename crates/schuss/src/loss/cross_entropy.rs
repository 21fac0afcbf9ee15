use super::row::{Numbers, Row};
use super::{RowLoss, Target, class_weights};
use crate::Result;
use crate::spec::{Choice, below_one};
use documented::{Documented, DocumentedFields};
use schuss_kernels::{Lane, Math};
use serde::{Deserialize, Serialize};

/// Softmax and cross-entropy with class targets.
///
/// ```text
/// p = eᶻ / Σ eᶻ
/// q = (1 − s) onehot(class) + s / n        s: label smoothing, n: classes
/// ℓ = − Σ q ln p        ∂ℓ/∂z = p − q
/// ```
///
/// With class weights c, the terms of class k are multiplied by cₖ, and sums over samples are divided by the sum of the
/// weights of their classes; if that sum is 0, so are loss and gradient (PyTorch: NaN). The largest logit is subtracted
/// first, so that no finite logit overflows. `torch.nn.CrossEntropyLoss`, whose `weight` is `class_weights` here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// Fraction s of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// One weight per class, `1:2:0.5`; all 1 by default.
    pub class_weights: Vec<f64>,
}

impl Choice for CrossEntropy {
    const NAME: &'static str = "cross-entropy";

    fn check(&self) -> Result<()> {
        below_one(&[("label_smoothing", self.label_smoothing)])?;
        class_weights::check(&self.class_weights)
    }
}

impl RowLoss for CrossEntropy {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let Softmax { largest, sum } = Softmax::of(row);
        let all = row.sum(|row, at| self.asked(row, at));
        let entropy = sum.ln();
        row.sum(|row, at| {
            let (above, asked) = (row.output(at) - largest, self.asked(row, at));
            row.set_slope(at, above.exp() / sum * all - asked);
            asked * (entropy - above)
        })
    }

    fn has_curvature(&self) -> bool {
        true
    }

    /// Σ q times p ⊙ v − p pᵀ v.
    fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
        let mut row = Numbers { z, target, delta: &mut [] };
        let softmax = Softmax::of(&mut row);
        let all = row.sum(|row, at| self.asked(row, at));
        let probability = |z: f32| softmax.probability(z);
        let pairs = z.iter().zip(direction);
        let mean: f64 = pairs.clone().map(|(&z, &rate)| probability(z) * f64::from(rate)).sum();
        for (to, (&z, &rate)) in to.iter_mut().zip(pairs) {
            *to = (all * probability(z) * (f64::from(rate) - mean)) as f32;
        }
    }

    fn weight(&self, class: usize) -> f64 {
        class_weights::of(&self.class_weights, class)
    }

    fn check_classes(&self, classes: usize) -> Result<()> {
        class_weights::check_count(&self.class_weights, classes)
    }
}

impl CrossEntropy {
    /// Returns the target q of a class, times its weight.
    fn asked<R: Row>(&self, row: &R, class: R::Place) -> R::Lane {
        let spread = R::Lane::splat(self.label_smoothing / row.outputs() as f64);
        let q = R::Lane::splat(1.0 - self.label_smoothing).mul_add(row.target(class), spread);
        q * row.pick(&self.class_weights, class)
    }
}

/// Largest logit, and Σ e^(z − largest).
pub(super) struct Softmax<L> {
    largest: L,
    sum: L,
}

impl<L: Math> Softmax<L> {
    pub(super) fn of<R: Row<Lane = L>>(row: &mut R) -> Self {
        let largest = row.largest();
        Self { largest, sum: row.sum(|row, at| (row.output(at) - largest).exp()) }
    }
}

impl Softmax<f64> {
    /// Returns the softmax of a row of numbers.
    pub(super) fn of_numbers(z: &[f32]) -> Self {
        Self::of(&mut Numbers::of(z))
    }

    /// Returns the probability of the class with logit z.
    pub(super) fn probability(&self, z: f32) -> f64 {
        Math::exp(f64::from(z) - self.largest) / self.sum
    }

    /// Returns the logarithm of that probability.
    #[cfg(test)]
    pub(super) fn ln_probability(&self, z: f32) -> f64 {
        f64::from(z) - self.largest - Math::ln(self.sum)
    }
}
