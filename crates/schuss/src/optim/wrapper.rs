//! Wrappers around an update rule: weight averaging, Lookahead, cautious masking.

use super::arithmetic::Arithmetic;
use super::rule::blend::Blend;
use crate::spec::{Choice, below_one, choices};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Exponential moving average of the weights, which is evaluated and saved in their place.
///
/// ```text
/// a ← d a + (1 − d) w        at the first update a ← w
/// ```
///
/// `torch.optim.swa_utils.get_ema_multi_avg_fn`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Ema {
    /// Decay rate d.
    pub decay: f64,
}

/// Mean of the weights after updates start, start + every, ..., which is evaluated and saved from then on. Izmailov et
/// al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018 (arXiv 1803.05407);
/// `torch.optim.swa_utils.AveragedModel`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Swa {
    /// First update whose weights enter the mean.
    pub start: u64,
    /// Number of updates between weights that enter the mean.
    pub every: u64,
}

/// Slow weights that move toward the fast ones every k updates and then replace them; they are evaluated and saved.
///
/// ```text
/// s ← s + α (w − s)        w ← s
/// ```
///
/// Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019 (arXiv 1907.08610).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Lookahead {
    /// Updates k between two steps of the slow weights.
    pub k: u64,
    /// Step size α of the slow weights.
    pub alpha: f64,
}

/// Keeps only the steps that go against the current gradient, scaled up to compensate for the others: u ⊙ [u g > 0] /
/// mean. Decoupled decay is not masked. Liang et al., "Cautious Optimizers: Improving Training with One Line of Code",
/// 2024 (arXiv 2411.16085).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Cautious {}

impl Default for Ema {
    fn default() -> Self {
        Self { decay: 0.999 }
    }
}

impl Default for Swa {
    fn default() -> Self {
        Self { start: 1, every: 1 }
    }
}

impl Default for Lookahead {
    fn default() -> Self {
        Self { k: 5, alpha: 0.5 }
    }
}

impl Choice for Ema {
    const NAME: &'static str = "ema";

    fn check(&self) -> Result<()> {
        below_one(&[("decay", self.decay)])
    }
}

impl Choice for Swa {
    const NAME: &'static str = "swa";

    fn check(&self) -> Result<()> {
        at_least_one("start", self.start)?;
        at_least_one("every", self.every)
    }
}

impl Choice for Lookahead {
    const NAME: &'static str = "lookahead";

    fn check(&self) -> Result<()> {
        at_least_one("k", self.k)?;
        match self.alpha {
            alpha if alpha > 0.0 && alpha <= 1.0 => Ok(()),
            alpha => Err(Error::usage(format!("alpha must be above 0 and at most 1, not {alpha}"))),
        }
    }
}

impl Choice for Cautious {
    const NAME: &'static str = "cautious";
}

fn at_least_one(key: &str, value: u64) -> Result<()> {
    if value > 0 { Ok(()) } else { Err(Error::usage(format!("{key} must be at least 1, not 0"))) }
}

choices! {
    /// A wrapper around the rule of a group.
    pub enum Wrapper ("optimizer", always &["decay", "start", "every", "k", "alpha"]) {
        /// Exponential moving average of the weights.
        Ema,
        /// Mean of the weights from a given update on.
        Swa,
        /// Slow weights that follow the fast ones.
        Lookahead,
        /// Keeps only steps that go against the gradient.
        Cautious,
    }
}

impl Wrapper {
    /// Returns true if the weights to evaluate after `t` updates are those the wrapper keeps.
    pub(crate) fn shows(&self, t: u64) -> bool {
        match self {
            Self::Ema(_) => t > 0,
            Self::Swa(swa) => t >= swa.start,
            Self::Lookahead(_) => true,
            Self::Cautious(_) => false,
        }
    }

    /// Returns true if the weights to evaluate may differ from those being trained.
    pub(crate) fn may_show(&self) -> bool {
        !matches!(self, Self::Cautious(_))
    }

    /// Runs before the rule's step; `keep` is the factor that its decoupled weight decay will apply to a weight.
    pub(crate) fn before<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        keep: f64,
        slot: &mut [A::T],
        weights: &[A::T],
    ) {
        if let Self::Cautious(_) = self {
            arithmetic.sweep(&Blend { keep: 0.0, share: keep }, weights, 1.0, slot, []);
        }
    }

    /// Runs after the rule's step of update `t`; `len` is the number of weights in the tensor, without pad lanes.
    pub(crate) fn after<A: Arithmetic>(
        &self,
        arithmetic: &mut A,
        t: u64,
        slot: &mut [A::T],
        weights: &mut [A::T],
        gradients: &[A::T],
        len: usize,
    ) {
        let mut follow = |slot: &mut [A::T], weights: &[A::T], share| {
            arithmetic.sweep(&Blend::toward(share), weights, 1.0, slot, []);
        };
        match self {
            Self::Ema(ema) => follow(slot, weights, if t == 1 { 1.0 } else { 1.0 - ema.decay }),
            Self::Swa(swa) if t >= swa.start && (t - swa.start).is_multiple_of(swa.every) => {
                follow(slot, weights, 1.0 / ((t - swa.start) / swa.every + 1) as f64);
            }
            Self::Lookahead(lookahead) if t.is_multiple_of(lookahead.k) => {
                follow(slot, weights, lookahead.alpha);
                weights.copy_from_slice(slot);
            }
            Self::Cautious(_) => {
                let [kept] = arithmetic.reduce(&AgainstGradient, gradients, weights, [slot]);
                let factor = 1.0 / (kept / len as f64).max(1e-3);
                arithmetic.sweep(&Mask { factor }, gradients, 1.0, weights, [slot]);
            }
            Self::Swa(_) | Self::Lookahead(_) => {}
        }
    }
}

/// Number of weights that moved against their gradient, from their old values in the slot.
struct AgainstGradient;

impl Reduction<1, 1> for AgainstGradient {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, w: L, [before]: [L; 1]) -> [L; 1] {
        [((before - w) * g).where_positive(L::splat(1.0), L::splat(0.0))]
    }
}

/// Multiplies the steps of these weights by `factor` and reverts those of all others.
#[derive(Clone, Copy)]
struct Mask {
    factor: f64,
}

impl Elementwise<1> for Mask {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [before]: &mut [L; 1]) -> L {
        let step = *before - w;
        let share = (step * g).where_positive(L::splat(self.factor), L::splat(0.0));
        *before - share * step
    }
}
