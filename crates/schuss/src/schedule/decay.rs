use super::curve::{Anneal, counts, progress};
use super::real::{powf, powi};
use crate::Result;
use crate::spec::{Choice, non_negative, positive};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Exponential: every update multiplies the value by the same factor.
///
/// ```text
/// η(t) = η gammaᵗ
/// ```
///
/// As `torch.optim.lr_scheduler.ExponentialLR`; gamma must be given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Exponential {
    /// Factor at each update.
    pub gamma: f64,
}

impl Choice for Exponential {
    const NAME: &'static str = "exponential";

    fn check(&self) -> Result<()> {
        positive(&[("gamma", self.gamma)])
    }
}

impl Anneal for Exponential {
    fn value(&self, t: u64, base: f64) -> f64 {
        base * powi(self.gamma, t)
    }
}

/// Inverse time: half after `decay_steps / decay_rate` updates, a third after twice as many.
///
/// ```text
/// η(t) = η / (1 + decay_rate t / decay_steps)        staircase: ⌊t / decay_steps⌋
/// ```
///
/// Keys as in `keras.optimizers.schedules.InverseTimeDecay`: decay_rate must be given; defaults decay_steps 1,
/// staircase false. The steps of Robbins and Monro, "A Stochastic Approximation Method", 1951, are of this kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct InverseTime {
    /// Growth of the divisor in `decay_steps` updates.
    pub decay_rate: f64,
    /// Number of updates in which the divisor grows by `decay_rate`.
    pub decay_steps: u64,
    /// True to grow only at the end of every `decay_steps` updates.
    pub staircase: bool,
}

impl Default for InverseTime {
    fn default() -> Self {
        Self { decay_rate: 0.0, decay_steps: 1, staircase: false }
    }
}

impl Choice for InverseTime {
    const NAME: &'static str = "inverse-time";

    fn check(&self) -> Result<()> {
        positive(&[("decay_rate", self.decay_rate)])?;
        counts(&[("decay_steps", Some(self.decay_steps))])
    }
}

impl Anneal for InverseTime {
    fn value(&self, t: u64, base: f64) -> f64 {
        let steps = if self.staircase {
            (t / self.decay_steps.max(1)) as f64
        } else {
            t as f64 / self.decay_steps as f64
        };
        base / (1.0 + self.decay_rate * steps)
    }
}

/// Polynomial: decays to 0 along a power; with power 1 a straight line.
///
/// ```text
/// η(t) = η (1 − min(t / total_iters, 1))^power
/// ```
///
/// Keys and defaults are `torch.optim.lr_scheduler.PolynomialLR`'s: power 1, total_iters 5. These are 5 updates,
/// whereas PyTorch users mostly count epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Polynomial {
    /// Number of updates until 0 is reached.
    pub total_iters: u64,
    /// Exponent.
    pub power: f64,
}

impl Default for Polynomial {
    fn default() -> Self {
        Self { total_iters: 5, power: 1.0 }
    }
}

impl Choice for Polynomial {
    const NAME: &'static str = "polynomial";

    fn check(&self) -> Result<()> {
        non_negative(&[("power", self.power)])?;
        counts(&[("total_iters", self.length())])
    }
}

impl Anneal for Polynomial {
    fn value(&self, t: u64, base: f64) -> f64 {
        base * powf(1.0 - progress(t, self.total_iters), self.power)
    }

    fn length(&self) -> Option<u64> {
        Some(self.total_iters)
    }
}

/// REX: decays slowly at first, then fast; better than a linear decay at every budget, according to its authors.
///
/// ```text
/// p = min(t / total_steps, 1)
/// η(t) = η (1 − p) / (1 − p / 2)
/// ```
///
/// Chen, Wolfe and Kyrillidis, "REX: Revisiting Budgeted Training with an Improved Schedule", MLSys 2022 (arXiv
/// 2107.04197). total_steps defaults to the rest of the trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Rex {
    /// Number of updates until 0 is reached.
    pub total_steps: Option<u64>,
}

impl Choice for Rex {
    const NAME: &'static str = "rex";

    fn check(&self) -> Result<()> {
        counts(&[("total_steps", self.total_steps)])
    }
}

impl Anneal for Rex {
    fn value(&self, t: u64, base: f64) -> f64 {
        let p = progress(t, self.total_steps.unwrap_or(u64::MAX));
        base * (1.0 - p) / (1.0 - p / 2.0)
    }

    fn length(&self) -> Option<u64> {
        self.total_steps
    }

    fn resolve(&mut self, updates: u64) {
        self.total_steps.get_or_insert(updates);
    }
}
