use super::{RowLoss, Target, class_weights};
use crate::Result;
use crate::spec::{Choice, below_one};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Math;
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
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        let (max, sum) = largest_and_sum(z);
        let asked = |index: usize| self.asked(target, z.len(), index);
        let all: f64 = (0..z.len()).map(asked).sum();
        let mut loss = 0.0;
        for (index, (&z, delta)) in z.iter().zip(delta).enumerate() {
            let above = f64::from(z) - max;
            *delta = (Math::exp(above) / sum * all - asked(index)) as f32;
            loss += asked(index) * (Math::ln(sum) - above);
        }
        loss
    }

    fn has_curvature(&self) -> bool {
        true
    }

    /// Σ q times p ⊙ v − p pᵀ v.
    fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
        let (max, sum) = largest_and_sum(z);
        let all: f64 = (0..z.len()).map(|index| self.asked(target, z.len(), index)).sum();
        let probability = |z: f32| Math::exp(f64::from(z) - max) / sum;
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
    fn asked(&self, target: Target, classes: usize, class: usize) -> f64 {
        let spread = self.label_smoothing / classes as f64;
        let q = (1.0 - self.label_smoothing).mul_add(target.at(class), spread);
        q * class_weights::of(&self.class_weights, class)
    }
}

/// Returns the largest logit and Σ e^(z − largest).
pub(super) fn largest_and_sum(z: &[f32]) -> (f64, f64) {
    let max = f64::from(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    (max, z.iter().map(|&z| Math::exp(f64::from(z) - max)).sum())
}
