use super::curve::{Anneal, counts};
use super::real::{between, half_cosine};
use crate::Result;
use crate::spec::{Choice, non_negative};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Cosine: falls along half a period of the cosine, and rises again if the trial continues after `t_max`.
///
/// ```text
/// η(t) = eta_min + (η − eta_min) (1 + cos(π t / t_max)) / 2
/// ```
///
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5 (arXiv
/// 1608.03983). Keys and defaults are `torch.optim.lr_scheduler.CosineAnnealingLR`'s: eta_min 0. t_max, which is
/// required in PyTorch, defaults to the rest of the trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// Number of updates from the maximum to the minimum.
    pub t_max: Option<u64>,
    /// Minimum value.
    pub eta_min: f64,
}

impl Choice for Cosine {
    const NAME: &'static str = "cosine";

    fn check(&self) -> Result<()> {
        non_negative(&[("eta_min", self.eta_min)])?;
        counts(&[("t_max", self.t_max)])
    }
}

impl Anneal for Cosine {
    fn value(&self, t: u64, base: f64) -> f64 {
        let p = t as f64 / self.t_max.unwrap_or(u64::MAX) as f64;
        between(self.eta_min, base, half_cosine(p))
    }

    fn length(&self) -> Option<u64> {
        self.t_max
    }

    fn resolve(&mut self, updates: u64) {
        self.t_max.get_or_insert(updates);
    }
}

/// Cosine with warm restarts: a series of half cosines, each `t_mult` times as long as the one before.
///
/// ```text
/// η(t) = eta_min + (η − eta_min) (1 + cos(π t_cur / t_i)) / 2
/// t_cur: updates since the last restart      t_i: t_0, t_0 t_mult, t_0 t_mult², ...
/// ```
///
/// Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, equation 5 (arXiv
/// 1608.03983). Keys and defaults are `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`': t_mult 1, eta_min 0; t_0
/// must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct CosineRestarts {
    /// Number of updates until the first restart.
    pub t_0: u64,
    /// Factor by which each period is longer than the one before.
    pub t_mult: u64,
    /// Minimum value.
    pub eta_min: f64,
}

impl Default for CosineRestarts {
    fn default() -> Self {
        Self { t_0: 0, t_mult: 1, eta_min: 0.0 }
    }
}

impl CosineRestarts {
    /// Returns the number of updates from the last restart to update `t`, and the length of the current period.
    fn period(&self, mut t: u64) -> (u64, u64) {
        let mut length = self.t_0.max(1);
        if self.t_mult <= 1 {
            return (t % length, length);
        }
        while t >= length {
            t -= length;
            length = length.saturating_mul(self.t_mult);
        }
        (t, length)
    }
}

impl Choice for CosineRestarts {
    const NAME: &'static str = "cosine-restarts";

    fn check(&self) -> Result<()> {
        non_negative(&[("eta_min", self.eta_min)])?;
        counts(&[("t_0", Some(self.t_0)), ("t_mult", Some(self.t_mult))])
    }
}

impl Anneal for CosineRestarts {
    fn value(&self, t: u64, base: f64) -> f64 {
        let (t_cur, t_i) = self.period(t);
        between(self.eta_min, base, half_cosine(t_cur as f64 / t_i as f64))
    }
}
