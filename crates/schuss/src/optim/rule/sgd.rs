use super::{ByElement, ByMap, Describe, Linear, Slot, Step, Visitor};
use crate::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// SGD: a step against the gradient; with momentum, along a velocity that accumulates earlier gradients.
///
/// ```text
/// g ← g + λ w        classic: g ← η (g + λ w)
/// v ← μ v + (1 − τ min(t − 1, 1)) g
/// u ← v        nesterov: u ← g + μ v
/// w ← w − η u        classic: w ← w − u
/// ```
///
/// In the `classic` form, the velocity includes η, which makes a difference only when η changes.
///
/// Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Nesterov's form as in
/// Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.
/// Keys, defaults and every rounding are `torch.optim.SGD`'s (whose `lr` is 0.001; ours is 0.1, and PyTorch rejects
/// `nesterov` with dampening, which Burn has). Differs: Keras and scikit-learn are `classic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate η.
    pub lr: f64,
    /// Momentum μ; 0 means none, and no velocity (momentum buffer) is kept.
    pub momentum: f64,
    /// Dampening τ: fraction of every gradient but the first that does not enter the velocity.
    pub dampening: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// True to use Nesterov momentum; needs momentum above 0.
    pub nesterov: bool,
    /// True to include the learning rate in the velocity.
    pub classic: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 0.1, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, classic: false }
    }
}

impl Choice for Sgd {
    const NAME: &'static str = "sgd";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("momentum", self.momentum), ("weight_decay", self.weight_decay)])?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::usage("nesterov needs momentum above 0"));
        }
        Ok(())
    }
}

impl Describe for Sgd {
    fn slots(&self) -> Vec<Slot> {
        if self.momentum == 0.0 { vec![] } else { vec![Slot::new("v")] }
    }

    fn lr(&mut self) -> Option<&mut f64> {
        Some(&mut self.lr)
    }

    fn momentum(&mut self) -> Option<&mut f64> {
        (self.momentum > 0.0).then_some(&mut self.momentum) // without a velocity, there is nothing to schedule
    }

    fn add_momentum(&mut self, momentum: f64) {
        if self.momentum == 0.0 {
            self.momentum = momentum;
        }
    }
}

impl ByMap for Sgd {
    /// Solves the equation above for (w, v): κ is the total coefficient of the gradient in w, p that of the old
    /// velocity. In the classic form, the gradient is η g and the step is u itself.
    fn linear(&self, t: u64) -> Linear {
        let Self { lr, momentum, weight_decay, nesterov, .. } = *self;
        if momentum == 0.0 {
            return Linear { a: [[1.0 - lr * weight_decay, 0.0], [0.0, 1.0]], b: [-lr, 0.0] }; // the velocity is unused
        }
        let (share, (inner, outer)) = (self.share(t), self.rates());
        let (kappa, p) =
            if nesterov { (1.0 + momentum * share, momentum * momentum) } else { (share, momentum) };
        Linear {
            a: [[1.0 - lr * kappa * weight_decay, -outer * p], [inner * share * weight_decay, momentum]],
            b: [-lr * kappa, inner * share],
        }
    }
}

impl ByElement for Sgd {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let Self { lr, momentum, weight_decay, nesterov, classic, .. } = *self;
        if momentum == 0.0 {
            return visitor.visit(&PlainSgd { lr, weight_decay });
        }
        let ball = HeavyBall { lr, momentum, share: self.share(step.t), weight_decay, nesterov };
        if classic { visitor.visit(&Classic(ball)) } else { visitor.visit(&ball) }
    }
}

impl Sgd {
    /// Returns the fraction of the gradient of update `t` that enters the velocity.
    fn share(&self, t: u64) -> f64 {
        if t == 1 { 1.0 } else { 1.0 - self.dampening }
    }

    /// Returns the factors of the gradient before the velocity and of the step after it; one is the learning rate.
    fn rates(&self) -> (f64, f64) {
        if self.classic { (self.lr, 1.0) } else { (1.0, self.lr) }
    }
}

#[derive(Clone, Copy)]
struct PlainSgd {
    lr: f64,
    weight_decay: f64,
}

impl Elementwise<0> for PlainSgd {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, _: &mut [L; 0]) -> L {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        g.mul_add(L::splat(-self.lr), w)
    }

    fn rests_at_zero(&self) -> bool {
        self.weight_decay == 0.0
    }
}

#[derive(Clone, Copy)]
struct HeavyBall {
    lr: f64,
    momentum: f64,
    share: f64,
    weight_decay: f64,
    nesterov: bool,
}

impl HeavyBall {
    /// Adds the gradient to the velocity. Returns the step u.
    #[inline(always)]
    fn step<L: Lane>(&self, g: L, v: &mut L) -> L {
        let momentum = L::splat(self.momentum);
        *v = g.mul_add(L::splat(self.share), momentum * *v);
        if self.nesterov { v.mul_add(momentum, g) } else { *v }
    }
}

impl Elementwise<1> for HeavyBall {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v]: &mut [L; 1]) -> L {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        self.step(g, v).mul_add(L::splat(-self.lr), w)
    }
}

/// [`HeavyBall`] with the learning rate inside the velocity.
#[derive(Clone, Copy)]
struct Classic(HeavyBall);

impl Elementwise<1> for Classic {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v]: &mut [L; 1]) -> L {
        let g = w.mul_add(L::splat(self.0.weight_decay), g);
        w - self.0.step(L::splat(self.0.lr) * g, v)
    }
}
