use super::curve::{Anneal, counts};
use crate::Result;
use crate::spec::{Choice, non_negative};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Constant: the optimizer's own value, or a multiple of it for the first updates.
///
/// ```text
/// η(t) = η factor   for t < total_iters
/// η(t) = η          after
/// ```
///
/// Keys as in `torch.optim.lr_scheduler.ConstantLR`, whose defaults are factor 1/3 and total_iters 5. Here the default
/// factor is 1, so that `constant` really is constant, and without total_iters the factor applies to every update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Constant {
    /// Multiple of the optimizer's value.
    pub factor: f64,
    /// Number of updates to apply the factor for.
    pub total_iters: Option<u64>,
}

impl Default for Constant {
    fn default() -> Self {
        Self { factor: 1.0, total_iters: None }
    }
}

impl Choice for Constant {
    const NAME: &'static str = "constant";

    fn check(&self) -> Result<()> {
        non_negative(&[("factor", self.factor)])?;
        counts(&[("total_iters", self.total_iters)])
    }
}

impl Anneal for Constant {
    fn value(&self, t: u64, base: f64) -> f64 {
        if self.total_iters.is_none_or(|iters| t < iters) { base * self.factor } else { base }
    }

    fn length(&self) -> Option<u64> {
        self.total_iters
    }
}
