use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, below_one, non_negative, normal};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Adam: steps per weight, scaled by running means of its gradients and of their squares.
///
/// ```text
/// g ← g + λ w
/// m ← m + (1 − β₁) (g − m)        v ← β₂ v + (1 − β₂) g²
/// u ← v        amsgrad: u ← max(u, v)
/// d ← √u / √(1 − β₂ᵗ) + ε        eps_hat: d ← (√u + ε) / √(1 − β₂ᵗ)
/// w ← w − η / (1 − β₁ᵗ) · m / d
/// ```
///
/// `amsgrad` uses the largest v so far (Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", ICLR 2018);
/// `eps_hat` adds ε before the bias correction of v.
///
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1 (arXiv 1412.6980).
/// Keys and defaults are `torch.optim.Adam`'s; the equation is computed with √(1 − β₂ᵗ) multiplied into η and ε, which
/// saves a division per weight. Differs: Keras has `eps_hat` and ε = 1e-7, scikit-learn `eps_hat`; Burn has ε = 1e-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Learning rate η.
    pub lr: f64,
    /// Decay rate β₁ of the first moment.
    pub beta1: f64,
    /// Decay rate β₂ of the second moment.
    pub beta2: f64,
    /// ε, added to the denominator; above 0, since weights whose gradients are all 0 would become 0/0.
    pub eps: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
    /// True to use the largest v so far (AMSGrad).
    pub amsgrad: bool,
    /// True to add ε before the bias correction of v.
    pub eps_hat: bool,
}

impl Default for Adam {
    fn default() -> Self {
        let (lr, eps) = (1e-3, 1e-8);
        Self { lr, beta1: 0.9, beta2: 0.999, eps, weight_decay: 0.0, amsgrad: false, eps_hat: false }
    }
}

impl Adam {
    /// Returns the bias corrections of both moments after update `t`: (1 − β₁ᵗ, 1 − β₂ᵗ).
    pub fn corrections(&self, t: u64) -> [f64; 2] {
        corrections(self.beta1, self.beta2, t)
    }
}

impl Choice for Adam {
    const NAME: &'static str = "adam";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        below_one(&[("beta1", self.beta1), ("beta2", self.beta2)])?;
        normal(&[("eps", self.eps)])
    }
}

impl Describe for Adam {
    fn slots(&self) -> Vec<Slot> {
        moments(self.amsgrad)
    }

    knobs!(lr = lr, momentum = beta1, beta2 = beta2);
}

impl ByElement for Adam {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let [correct1, correct2] = self.corrections(step.t);
        let moments = Moments {
            new1: 1.0 - self.beta1,
            keep2: self.beta2,
            new2: 1.0 - self.beta2,
            step: self.lr / correct1 * correct2.sqrt(),
            eps: epsilon(self.eps, self.eps_hat, correct2),
            weight_decay: self.weight_decay,
            keep: 1.0,
        };
        if self.amsgrad { visitor.visit(&Largest(moments)) } else { visitor.visit(&moments) }
    }
}

/// Returns the bias corrections of both moments after update `t`: (1 − β₁ᵗ, 1 − β₂ᵗ).
pub(super) fn corrections(beta1: f64, beta2: f64, t: u64) -> [f64; 2] {
    let t = i32::try_from(t).unwrap_or(i32::MAX); // the powers are zero long before
    [1.0 - beta1.powi(t), 1.0 - beta2.powi(t)]
}

/// Returns the term added to √v: ε if it comes before the bias correction of v (`hat`), else ε √(1 − β₂ᵗ).
pub(super) fn epsilon(eps: f64, hat: bool, correct2: f64) -> f64 {
    if hat { eps } else { eps * correct2.sqrt() }
}

/// Returns the slots of [`Moments`], or of [`Largest`] with `amsgrad`.
pub(super) fn moments(amsgrad: bool) -> Vec<Slot> {
    let names = ["m", "v", "u"];
    names[..if amsgrad { 3 } else { 2 }].iter().map(|name| Slot::new(name)).collect()
}

/// Constants of an update, the same for all weights.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pub(super) new1: f64,
    pub(super) keep2: f64,
    pub(super) new2: f64,
    /// η √(1 − β₂ᵗ) / (1 − β₁ᵗ)
    pub(super) step: f64,
    /// Result of [`epsilon`].
    pub(super) eps: f64,
    /// λ of the L2 penalty
    pub(super) weight_decay: f64,
    /// Factor that decoupled weight decay applies to a weight.
    pub(super) keep: f64,
}

impl Moments {
    /// Updates the moments.
    #[inline(always)]
    fn observe<L: Lane>(&self, g: L, w: L, m: &mut L, v: &mut L) {
        let g = w.mul_add(L::splat(self.weight_decay), g);
        *m = (g - *m).mul_add(L::splat(self.new1), *m);
        *v = L::splat(self.keep2).mul_add(*v, L::splat(self.new2) * g * g);
    }

    /// Returns the new weight, with the step scaled by `v`.
    #[inline(always)]
    fn descend<L: Lane>(&self, w: L, m: L, v: L) -> L {
        let step = L::splat(self.step) * m / (v.sqrt() + L::splat(self.eps));
        w.mul_add(L::splat(self.keep), -step)
    }
}

impl Elementwise<2> for Moments {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> L {
        self.observe(g, w, m, v);
        self.descend(w, *m, *v)
    }
}

/// [`Moments`] with the largest v so far (AMSGrad).
#[derive(Clone, Copy)]
pub(super) struct Largest(pub(super) Moments);

impl Elementwise<3> for Largest {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [m, v, u]: &mut [L; 3]) -> L {
        self.0.observe(g, w, m, v);
        *u = u.max(*v);
        self.0.descend(w, *m, *u)
    }
}
