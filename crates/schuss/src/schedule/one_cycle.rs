use super::curve::{Anneal, counts};
use super::real::{between, half_cosine};
use crate::spec::{Choice, below_one, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// One-cycle: rises to `max_lr` in the first part of the trial, then falls far below its start; momentum moves the
/// opposite way.
///
/// ```text
/// initial = max_lr / div_factor      min = initial / final_div_factor      n = total_steps
///
/// until t =                η goes to    μ goes to
/// 0                        initial      max_momentum
/// pct_start n − 1          max_lr       base_momentum
/// 2 pct_start n − 2        initial      max_momentum     only with three_phase
/// n − 1                    min          max_momentum
///
/// with a share p of the way between two of these over: (1 − p) from + p to (linear), or for p (1 − cos πp) / 2 (cos)
/// ```
///
/// Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2017 (arXiv
/// 1708.07120). Keys and defaults are `torch.optim.lr_scheduler.OneCycleLR`'s: pct_start 0.3, anneal_strategy cos,
/// cycle_momentum true, base_momentum 0.85, max_momentum 0.95, div_factor 25, final_div_factor 10000, three_phase
/// false; max_lr must be given and replaces the optimizer's lr; total_steps defaults to the rest of the trial. After
/// total_steps, where PyTorch raises an error, the values stay constant. Earlier curves in a chain use the optimizer's
/// values, which PyTorch's constructor overwrites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycle {
    /// Maximum learning rate.
    pub max_lr: f64,
    /// Number of updates in the whole cycle.
    pub total_steps: Option<u64>,
    /// Fraction of the cycle in which the rate rises.
    pub pct_start: f64,
    /// Shape of the rise and fall.
    pub anneal_strategy: Strategy,
    /// True to drive momentum (SGD) or beta1 (Adam) as well.
    pub cycle_momentum: bool,
    /// Momentum at the maximum learning rate.
    pub base_momentum: f64,
    /// Momentum at the start and the end.
    pub max_momentum: f64,
    /// max_lr divided by the first value.
    pub div_factor: f64,
    /// First value divided by the last.
    pub final_div_factor: f64,
    /// True to pause the fall at the first value, in a third phase.
    pub three_phase: bool,
}

/// Interpolation of one-cycle between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self {
            max_lr: 0.0,
            total_steps: None,
            pct_start: 0.3,
            anneal_strategy: Strategy::Cos,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }
}

/// A turning point of the cycle: the update, which may be fractional, and the values there.
#[derive(Clone, Copy)]
struct Turn {
    update: f64,
    lr: f64,
    momentum: f64,
}

impl OneCycle {
    /// Returns the start, the maximum, the pause of the third phase (or the maximum again) and the end.
    fn turns(&self) -> [Turn; 4] {
        let Self { max_lr, pct_start, base_momentum, max_momentum, .. } = *self;
        let total = self.total_steps.unwrap_or(u64::MAX) as f64;
        let initial = max_lr / self.div_factor;
        let begin = Turn { update: 0.0, lr: initial, momentum: max_momentum };
        let top = Turn { update: pct_start * total - 1.0, lr: max_lr, momentum: base_momentum };
        let halt =
            if self.three_phase { Turn { update: 2.0 * pct_start * total - 2.0, ..begin } } else { top };
        let end = Turn { update: total - 1.0, lr: initial / self.final_div_factor, momentum: max_momentum };
        [begin, top, halt, end]
    }

    /// Interpolates the value selected by `read` at update `t`.
    fn anneal(&self, t: u64, read: impl Fn(&Turn) -> f64) -> f64 {
        let turns = self.turns();
        let t = (t as f64).min(turns[3].update);
        let to = (1..3).find(|&turn| t <= turns[turn].update).unwrap_or(3);
        let (start, end) = (turns[to - 1], turns[to]);
        let p =
            if start.update < end.update { (t - start.update) / (end.update - start.update) } else { 1.0 };
        match self.anneal_strategy {
            Strategy::Cos => between(read(&end), read(&start), half_cosine(p)),
            Strategy::Linear => between(read(&start), read(&end), p),
        }
    }
}

impl Choice for OneCycle {
    const NAME: &'static str = "one-cycle";

    fn check(&self) -> Result<()> {
        let Self { max_lr, div_factor, final_div_factor, .. } = *self;
        positive(&[("max_lr", max_lr), ("div_factor", div_factor), ("final_div_factor", final_div_factor)])?;
        below_one(&[("base_momentum", self.base_momentum), ("max_momentum", self.max_momentum)])?;
        counts(&[("total_steps", self.total_steps)])?;
        if !(0.0..=1.0).contains(&self.pct_start) {
            return Err(Error::usage(format!("pct_start must be from 0 to 1, not {}", self.pct_start)));
        }
        Ok(())
    }
}

impl Anneal for OneCycle {
    fn value(&self, t: u64, _base: f64) -> f64 {
        self.anneal(t, |turn| turn.lr)
    }

    fn momentum(&self, t: u64) -> Option<f64> {
        self.cycle_momentum.then(|| self.anneal(t, |turn| turn.momentum))
    }

    fn length(&self) -> Option<u64> {
        self.total_steps
    }

    fn resolve(&mut self, updates: u64) {
        self.total_steps.get_or_insert(updates);
    }
}
