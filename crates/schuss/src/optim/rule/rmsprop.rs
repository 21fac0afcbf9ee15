use super::terms::{mean_square, penalised, root_with, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// RMSprop: steps per weight, divided by the root of a running mean of its squared gradients.
///
/// ```text
/// g ← g + λ w
/// v ← v + (1 − α) (g² − v)
/// a ← 0        centered: a ← a + (1 − α) (g − a)
/// d ← √max(v − a², 0) + ε        eps_inside: d ← √(max(v − a², 0) + ε)
/// b ← μ b + g / d        classic: b ← μ b + η g / d
/// w ← w − η b        classic: w ← w − b
/// ```
///
/// `centered` divides by the root of the variance, with the mean gradient a. In the `classic` form, the velocity
/// includes η, which makes a difference only when η changes.
///
/// Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, Coursera, 2012; centred as in Graves,
/// "Generating Sequences With Recurrent Neural Networks", 2013 (arXiv 1308.0850). Keys and defaults are
/// `torch.optim.RMSprop`'s. Differs: optax and Keras are `classic`, with `eps_inside` and α = 0.9, Keras with ε = 1e-7;
/// Burn has μ = 0.9 and ε = 1e-5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate α of the running means.
    pub alpha: f64,
    /// ε, added to the denominator for numerical stability.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// Momentum μ; 0 means none, and no velocity (momentum buffer) is kept.
    pub momentum: f64,
    /// True to use the variance of the gradient instead of its mean square.
    pub centered: bool,
    /// True to add ε under the square root.
    pub eps_inside: bool,
    /// True to include the learning rate in the velocity.
    pub classic: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        let (weight_decay, momentum, centered, eps_inside, classic) = (0.0, 0.0, false, false, false);
        Self { lr: 0.01, alpha: 0.99, eps: 1e-8, weight_decay, momentum, centered, eps_inside, classic }
    }
}

impl Choice for RmsProp {
    const NAME: &'static str = "rmsprop";

    fn check(&self) -> Result<()> {
        let Self { lr, weight_decay, momentum, .. } = *self;
        non_negative(&[("lr", lr), ("weight_decay", weight_decay), ("momentum", momentum)])?;
        below_one(&[("alpha", self.alpha)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for RmsProp {
    fn slots(&self) -> Vec<Slot> {
        let (mean, velocity) = (self.centered.then_some("a"), (self.momentum > 0.0).then_some("b"));
        [Some("v"), mean, velocity].into_iter().flatten().map(Slot::new).collect()
    }

    knobs!(lr = lr, beta2 = alpha);

    fn momentum(&mut self) -> Option<&mut f64> {
        (self.momentum > 0.0).then_some(&mut self.momentum) // without a velocity, there is nothing to schedule
    }
}

impl ByElement for RmsProp {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        match (self.centered, self.momentum > 0.0) {
            (false, false) => visitor.visit(&PlainRmsProp(*self)),
            (true, false) => visitor.visit(&Centered(*self)),
            (false, true) => visitor.visit(&WithMomentum(*self)),
            (true, true) => visitor.visit(&CenteredWithMomentum(*self)),
        }
    }
}

impl RmsProp {
    /// Returns g / d, centered with the mean gradient `a` if given.
    #[inline(always)]
    fn quotient<L: Lane>(&self, g: L, w: L, v: &mut L, a: Option<&mut L>) -> L {
        let g = penalised(g, w, self.weight_decay);
        *v = mean_square(*v, g, self.alpha);
        let spread = a.map_or(*v, |a| {
            *a = toward(*a, g, 1.0 - self.alpha);
            (-*a).mul_add(*a, *v).max(L::splat(0.0)) // with rounding, a² may exceed v
        });
        g / root_with(spread, self.eps, self.eps_inside)
    }

    /// Returns the new weight, along the velocity `b`.
    #[inline(always)]
    fn roll<L: Lane>(&self, x: L, w: L, b: &mut L) -> L {
        let lr = L::splat(self.lr);
        *b = b.mul_add(L::splat(self.momentum), if self.classic { lr * x } else { x });
        if self.classic { w - *b } else { b.mul_add(-lr, w) }
    }
}

#[derive(Clone, Copy)]
struct PlainRmsProp(RmsProp);

impl Elementwise<1> for PlainRmsProp {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v]: &mut [L; 1]) -> L {
        self.0.quotient(g, w, v, None).mul_add(L::splat(-self.0.lr), w)
    }
}

#[derive(Clone, Copy)]
struct Centered(RmsProp);

impl Elementwise<2> for Centered {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v, a]: &mut [L; 2]) -> L {
        self.0.quotient(g, w, v, Some(a)).mul_add(L::splat(-self.0.lr), w)
    }
}

#[derive(Clone, Copy)]
struct WithMomentum(RmsProp);

impl Elementwise<2> for WithMomentum {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v, b]: &mut [L; 2]) -> L {
        self.0.roll(self.0.quotient(g, w, v, None), w, b)
    }
}

#[derive(Clone, Copy)]
struct CenteredWithMomentum(RmsProp);

impl Elementwise<3> for CenteredWithMomentum {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [v, a, b]: &mut [L; 3]) -> L {
        self.0.roll(self.0.quotient(g, w, v, Some(a)), w, b)
    }
}
