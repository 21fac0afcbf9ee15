use super::terms::{penalised, toward};
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::schedule::real::powf;
use crate::spec::{Choice, non_negative};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Averaged SGD: gradient descent with slowly decaying steps that also keeps a running mean of its weights.
///
/// ```text
/// ηₜ ← η / (1 + κ η (t − 1))^α        μ ← 1 / max(t − 1 − t₀, 1)
/// g ← g + λ w
/// w ← (1 − κ ηₜ) w − ηₜ g
/// ax ← ax + μ (w − ax)
/// ```
///
/// Until update t₀, the mean is just the last weight. As in PyTorch, w itself is trained and evaluated.
///
/// Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on Control and
/// Optimization, 1992; the decaying steps as in Bottou, "Large-Scale Machine Learning with Stochastic Gradient
/// Descent", COMPSTAT 2010. Keys and defaults are `torch.optim.ASGD`'s, which keeps ηₜ and μ in f32 even if the weights
/// are f64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Asgd {
    /// Learning rate η.
    pub lr: f64,
    /// Decay κ, of the weights and of the steps.
    pub lambd: f64,
    /// Exponent α of the steps' decay.
    pub alpha: f64,
    /// Update t₀ after which averaging starts.
    pub t0: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Asgd {
    fn default() -> Self {
        Self { lr: 0.01, lambd: 1e-4, alpha: 0.75, t0: 1e6, weight_decay: 0.0 }
    }
}

impl Choice for Asgd {
    const NAME: &'static str = "asgd";

    fn check(&self) -> Result<()> {
        let Self { lr, lambd, alpha, t0, weight_decay } = *self;
        non_negative(&[
            ("lr", lr),
            ("lambd", lambd),
            ("alpha", alpha),
            ("t0", t0),
            ("weight_decay", weight_decay),
        ])
    }
}

impl Describe for Asgd {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("ax")]
    }

    knobs!(lr = lr);
}

impl ByElement for Asgd {
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output {
        let done = (step.t - 1) as f64;
        let eta = self.lr / powf(1.0 + self.lambd * self.lr * done, self.alpha);
        visitor.visit(&Averaged {
            eta,
            keep: 1.0 - self.lambd * eta,
            share: 1.0 / (done - self.t0).max(1.0),
            weight_decay: self.weight_decay,
        })
    }
}

#[derive(Clone, Copy)]
struct Averaged {
    /// ηₜ
    eta: f64,
    /// 1 − κ ηₜ
    keep: f64,
    /// μ
    share: f64,
    weight_decay: f64,
}

impl Elementwise<1> for Averaged {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [ax]: &mut [L; 1]) -> L {
        let g = penalised(g, w, self.weight_decay);
        let w = g.mul_add(L::splat(-self.eta), L::splat(self.keep) * w);
        *ax = toward(*ax, w, self.share);
        w
    }
}
