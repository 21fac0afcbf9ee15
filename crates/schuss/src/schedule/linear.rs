use super::curve::{Anneal, counts, progress};
use super::real::between;
use crate::Result;
use crate::spec::{Choice, non_negative};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Linear: a straight line from one multiple of the optimizer's value to another, then constant.
///
/// ```text
/// p = min(t / total_iters, 1)
/// η(t) = η (start_factor + (end_factor − start_factor) p)
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.LinearLR`'s: start_factor 1/3, end_factor 1, total_iters 5. These
/// are 5 updates, whereas PyTorch users mostly count epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// Multiple of the optimizer's value at the first update.
    pub start_factor: f64,
    /// Multiple of the optimizer's value at the end.
    pub end_factor: f64,
    /// Number of updates from start to end.
    pub total_iters: u64,
}

impl Default for Linear {
    fn default() -> Self {
        Self { start_factor: 1.0 / 3.0, end_factor: 1.0, total_iters: 5 }
    }
}

impl Choice for Linear {
    const NAME: &'static str = "linear";

    fn check(&self) -> Result<()> {
        non_negative(&[("start_factor", self.start_factor), ("end_factor", self.end_factor)])?;
        counts(&[("total_iters", self.length())])
    }
}

impl Anneal for Linear {
    fn value(&self, t: u64, base: f64) -> f64 {
        base * between(self.start_factor, self.end_factor, progress(t, self.total_iters))
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_iters)
    }
}

/// Warm-up: a straight line from 0 to the optimizer's value; append the next schedule with `+`.
///
/// ```text
/// p = min(t / total_iters, 1)
/// η(t) = η (start_factor + (1 − start_factor) p)
/// ```
///
/// Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2 (arXiv 1706.02677). Default: start_factor 0, so
/// that update 1 changes only the optimizer's state; total_iters must be given, as in `warmup:500+cosine`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Warmup {
    /// Number of updates until the optimizer's value is reached.
    pub total_iters: u64,
    /// Multiple of the optimizer's value at the first update.
    pub start_factor: f64,
}

impl Choice for Warmup {
    const NAME: &'static str = "warmup";

    fn check(&self) -> Result<()> {
        non_negative(&[("start_factor", self.start_factor)])?;
        counts(&[("total_iters", self.length())])
    }
}

impl Anneal for Warmup {
    fn value(&self, t: u64, base: f64) -> f64 {
        base * between(self.start_factor, 1.0, progress(t, self.total_iters))
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_iters)
    }
}
