use super::{RowLoss, Target, class_weights};
use crate::Result;
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Negative log-likelihood, on outputs that are log-probabilities: after a `log-softmax` layer the same as
/// `cross-entropy` on logits.
///
/// ```text
/// ℓ = − z_class        ∂ℓ/∂z = − onehot(class)
/// ```
///
/// With class weights c both are multiplied by c_class, and sums over samples are divided by the sum of the weights of
/// their classes; if that sum is 0, so are loss and gradient (PyTorch: NaN). `torch.nn.NLLLoss`, whose `weight` is
/// `class_weights` here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Nll {
    /// One weight per class, `1:2:0.5`; all 1 by default.
    pub class_weights: Vec<f64>,
}

impl Choice for Nll {
    const NAME: &'static str = "nll";

    fn check(&self) -> Result<()> {
        class_weights::check(&self.class_weights)
    }
}

impl RowLoss for Nll {
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        let mut loss = 0.0;
        for (index, (&z, delta)) in z.iter().zip(delta).enumerate() {
            let asked = target.at(index) * class_weights::of(&self.class_weights, index);
            loss -= asked * f64::from(z);
            *delta = -asked as f32;
        }
        loss
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn weight(&self, class: usize) -> f64 {
        class_weights::of(&self.class_weights, class)
    }

    fn check_classes(&self, classes: usize) -> Result<()> {
        class_weights::check_count(&self.class_weights, classes)
    }

    fn last_layers(&self) -> &'static [&'static str] {
        &["log-softmax"]
    }
}
