use super::{Row, RowLoss};
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use schuss_kernels::Math;
use serde::{Deserialize, Serialize};

/// Kullback-Leibler divergence of outputs that are log-probabilities (from a `log-softmax` layer) and targets that are
/// probabilities.
///
/// ```text
/// ℓ = Σ t (ln t − z), 0 ln 0 = 0        ∂ℓ/∂z = −t
/// ```
///
/// Classes are one-hot, which makes it equal to `nll`. `torch.nn.KLDivLoss(reduction="batchmean")`: sum over outputs,
/// mean over samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Kl {}

impl Choice for Kl {
    const NAME: &'static str = "kl";
}

impl RowLoss for Kl {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        row.sum(|row, at| {
            let t = row.target(at);
            row.set_slope(at, -t);
            row.where_positive(t, || t * (t.ln() - row.output(at)))
        })
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn last_layers(&self) -> &'static [&'static str] {
        &["log-softmax", "log-sigmoid"]
    }
}
