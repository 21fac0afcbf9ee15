use super::curve::{Anneal, counts};
use super::real::{between, powi};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, positive};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Cyclic: rises from `base_lr` to `max_lr` and falls back, repeatedly; momentum moves the opposite way.
///
/// ```text
/// x: from 0 to 1 in step_size_up updates, back to 0 in step_size_down, and so on
/// η(t) = base_lr + (max_lr − base_lr) x s          μ(t) = max_momentum − (max_momentum − base_momentum) x s
/// s = 1 (triangular), 1/2 to the number of whole cycles (triangular2), gammaᵗ (exp-range)
/// ```
///
/// Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017 (arXiv 1506.01186). Keys and defaults are
/// `torch.optim.lr_scheduler.CyclicLR`'s: step_size_up 2000, step_size_down as step_size_up, mode triangular, gamma 1,
/// cycle_momentum true, base_momentum 0.8, max_momentum 0.9; base_lr and max_lr must be given and replace the
/// optimizer's lr.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Cyclic {
    /// Minimum learning rate.
    pub base_lr: f64,
    /// Maximum learning rate of the first cycle.
    pub max_lr: f64,
    /// Number of updates from the minimum to the maximum.
    pub step_size_up: u64,
    /// Number of updates from the maximum to the minimum; step_size_up by default.
    pub step_size_down: Option<u64>,
    /// Scaling of later cycles.
    pub mode: Mode,
    /// Factor on the amplitude at every update, in mode exp-range.
    pub gamma: f64,
    /// True to drive momentum (SGD) or beta1 (Adam) as well.
    pub cycle_momentum: bool,
    /// Momentum at the maximum of the first cycle.
    pub base_momentum: f64,
    /// Momentum at the minimum learning rate.
    pub max_momentum: f64,
}

/// Scaling of later cycles relative to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// No scaling.
    Triangular,
    /// Half the amplitude of the cycle before.
    Triangular2,
    /// A factor of gamma at every update.
    ExpRange,
}

impl Default for Cyclic {
    fn default() -> Self {
        Self {
            base_lr: 0.0,
            max_lr: 0.0,
            step_size_up: 2000,
            step_size_down: None,
            mode: Mode::Triangular,
            gamma: 1.0,
            cycle_momentum: true,
            base_momentum: 0.8,
            max_momentum: 0.9,
        }
    }
}

impl Cyclic {
    /// Returns the height of update `t` above the minimum, as a fraction of the first cycle's amplitude.
    fn height(&self, t: u64) -> f64 {
        let (up, down) = (self.step_size_up, self.step_size_down.unwrap_or(self.step_size_up));
        let cycle = up.saturating_add(down).max(1);
        let at = t % cycle;
        let x = if at <= up { at as f64 / up as f64 } else { (cycle - at) as f64 / down as f64 };
        x * match self.mode {
            Mode::Triangular => 1.0,
            Mode::Triangular2 => powi(0.5, t / cycle),
            Mode::ExpRange => powi(self.gamma, t),
        }
    }
}

impl Choice for Cyclic {
    const NAME: &'static str = "cyclic";

    fn check(&self) -> Result<()> {
        positive(&[("max_lr", self.max_lr), ("gamma", self.gamma)])?;
        non_negative(&[("base_lr", self.base_lr)])?;
        below_one(&[("base_momentum", self.base_momentum), ("max_momentum", self.max_momentum)])?;
        counts(&[("step_size_up", Some(self.step_size_up)), ("step_size_down", self.step_size_down)])
    }
}

impl Anneal for Cyclic {
    fn value(&self, t: u64, _base: f64) -> f64 {
        between(self.base_lr, self.max_lr, self.height(t))
    }

    fn momentum(&self, t: u64) -> Option<f64> {
        self.cycle_momentum.then(|| between(self.max_momentum, self.base_momentum, self.height(t)))
    }
}
