use super::terms::penalised;
use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::Result;
use crate::spec::{Choice, non_negative, positive};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Quickprop: each weight jumps to the minimum of the parabola through its last two gradients. Meant for the update
/// rule `epoch`.
///
/// ```text
/// g ← g + λ w
/// a ← −sign(d) g        b ← −sign(d) p        f ← max(sign(|d| − 0.001), 0)
/// d ← f min(a / max(b − a, 1e-37), μ) d − max(1 − f, sign(a)) η g
/// p ← g
/// w ← w + d
/// ```
///
/// d is the last step; a and b are the downward slopes along it, now and before. A step is at most μ times the last.
/// Plain descent is added while the slope still points down, and is used alone (f = 0) after a step of at most 0.001.
///
/// Fahlman, "An Empirical Study of Learning Speed in Back-Propagation Networks", CMU-CS-88-162, 1988. The form, 0.001
/// and the default of μ are FANN's. Differs: FANN has η = 0.7, adds a decay of 1e-4 to gradients not divided by the
/// number of samples, and keeps weights within ±1500.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Quickprop {
    /// Learning rate η of plain descent.
    pub lr: f64,
    /// Largest growth μ from one step to the next.
    pub mu: f64,
    /// L2 penalty λ, added to the gradient as λ w.
    pub weight_decay: f64,
}

impl Default for Quickprop {
    fn default() -> Self {
        Self { lr: 0.1, mu: 1.75, weight_decay: 0.0 }
    }
}

impl Choice for Quickprop {
    const NAME: &'static str = "quickprop";

    fn check(&self) -> Result<()> {
        non_negative(&[("lr", self.lr), ("weight_decay", self.weight_decay)])?;
        positive(&[("mu", self.mu)])
    }
}

impl Describe for Quickprop {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("p"), Slot::new("d")]
    }

    knobs!(lr = lr);
}

impl ByElement for Quickprop {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl Elementwise<2> for Quickprop {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [p, d]: &mut [L; 2]) -> L {
        let (zero, g) = (L::splat(0.0), penalised(g, w, self.weight_decay));
        let (a, b) = (-g * d.sign(), -*p * d.sign());
        let growth = (a / (b - a).max(L::splat(1e-37))).min(L::splat(self.mu)); // b − a > 0 where a < 0
        let descent = -(L::splat(self.lr) * g);
        let jump = growth.mul_add(*d, a.where_positive(descent, zero));
        *d = (d.abs() - L::splat(0.001)).where_positive(jump, descent);
        *p = g;
        w + *d
    }
}

#[cfg(test)]
mod tests {
    use crate::optim::Reference;

    #[test]
    fn a_parabola_is_at_its_bottom_after_a_step_and_a_jump() {
        let mut w = [3.0, -0.5];
        let mut jumps = Reference::new("quickprop:lr=0.6".parse().unwrap(), &w);
        for _ in 0..2 {
            jumps.step(&[2.0 * (w[0] - 1.0), 1.5 * (w[1] - 2.0)], &mut w);
        }
        assert!((w[0] - 1.0).abs() < 1e-12, "{w:?}"); // beyond the bottom: back by the parabola alone
    }
}
