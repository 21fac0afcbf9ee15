use super::curve::{Anneal, counts};
use crate::Result;
use crate::spec::Choice;
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Noam: linear warm-up, then decay as one over the square root of the update.
///
/// ```text
/// η(t) = η / √model_size · min(1 / √(t + 1), (t + 1) / (warmup_steps √warmup_steps))
/// ```
///
/// Vaswani et al., "Attention Is All You Need", NIPS 2017, equation 3 (arXiv 1706.03762), times the optimizer's lr;
/// with `lr=1` it is the paper's schedule. Defaults as in the paper: model_size 512, warmup_steps 4000.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Noam {
    /// Width of the network; only a scale factor.
    pub model_size: u64,
    /// Number of warm-up updates.
    pub warmup_steps: u64,
}

impl Default for Noam {
    fn default() -> Self {
        Self { model_size: 512, warmup_steps: 4000 }
    }
}

impl Choice for Noam {
    const NAME: &'static str = "noam";

    fn check(&self) -> Result<()> {
        counts(&[("model_size", Some(self.model_size)), ("warmup_steps", Some(self.warmup_steps))])
    }
}

impl Anneal for Noam {
    fn value(&self, t: u64, base: f64) -> f64 {
        let (step, warmup) = (t as f64 + 1.0, self.warmup_steps as f64);
        let shape = (1.0 / step.sqrt()).min(step / (warmup * warmup.sqrt()));
        base / (self.model_size as f64).sqrt() * shape
    }
}
