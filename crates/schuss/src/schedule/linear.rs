use super::curve::{Anneal, counts, progress};
use super::real::between;
use crate::Result;
use crate::recipe::spec::{Choice, non_negative};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Linear: along a straight line from one share of the optimizer's value to another, where it stays.
///
/// ```text
/// p = min(t / total_iters, 1)
/// η(t) = η (start_factor + (end_factor − start_factor) p)
/// ```
///
/// Keys as in `torch.optim.lr_scheduler.LinearLR`; defaults start_factor 1/3, end_factor 1 and total_iters 5 as
/// there; 5 updates, that is, where torch's users mostly count epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Linear {
    /// Share of the optimizer's value at the first update.
    pub start_factor: f64,
    /// Share at the end.
    pub end_factor: f64,
    /// Updates from one to the other.
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

/// Warm-up: from nothing to the optimizer's value along a straight line; what follows comes after a `+`.
///
/// ```text
/// p = min(t / total_iters, 1)
/// η(t) = η (start_factor + (1 − start_factor) p)
/// ```
///
/// Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2 (arXiv 1706.02677). Default: start_factor 0, so that
/// update 1 changes nothing but what the optimizer remembers; total_iters must be given, as in `warmup:500+cosine`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Warmup {
    /// Updates until the optimizer's value is reached.
    pub total_iters: u64,
    /// Share of the optimizer's value at the first update.
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
