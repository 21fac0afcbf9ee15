use super::{Row, RowLoss, class_weights};
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
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        row.sum(|row, at| {
            let asked = row.target(at) * row.pick(&self.class_weights, at);
            row.set_slope(at, -asked);
            -(asked * row.output(at))
        })
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
