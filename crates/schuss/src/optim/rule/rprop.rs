use super::{ByElement, Describe, Slot, Step, Visitor, knobs};
use crate::spec::{Choice, positive};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::sweep::Elementwise;
use serde::{Deserialize, Serialize};

/// Rprop: a step size per weight, which grows while the gradient keeps its sign and shrinks when the sign changes; the
/// magnitude of the gradient does not matter. Meant for the update rule `epoch`.
///
/// ```text
/// s ← sign(g p)
/// d ← min(max((1 + (η₊ − 1) max(s, 0) + (η₋ − 1) max(−s, 0)) d, d₋), d₊)
/// p ← (1 − max(−s, 0)) g
/// w ← w − sign(p) d
/// ```
///
/// The step size d is initially η. A weight whose gradient has changed sign pauses for one update.
///
/// Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm", ICNN
/// 1993, in the form without backtracking that Igel and Hüsken, "Improving the Rprop Learning Algorithm", NC 2000, call
/// iRprop⁻. Keys and defaults are `torch.optim.Rprop`'s (there `etas` and `step_sizes`). Differs: optax starts at the
/// learning rate it is given; FANN's steps start at 0.1 and may shrink to 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Rprop {
    /// Initial step size η.
    pub lr: f64,
    /// Factor η₋ of the step size when the gradient changes sign.
    pub etaminus: f64,
    /// Factor η₊ of the step size while the gradient keeps its sign.
    pub etaplus: f64,
    /// Minimum step size d₋.
    pub step_min: f64,
    /// Maximum step size d₊.
    pub step_max: f64,
}

impl Default for Rprop {
    fn default() -> Self {
        Self { lr: 0.01, etaminus: 0.5, etaplus: 1.2, step_min: 1e-6, step_max: 50.0 }
    }
}

impl Choice for Rprop {
    const NAME: &'static str = "rprop";

    fn check(&self) -> Result<()> {
        let Self { lr, etaminus, etaplus, step_min, step_max } = *self;
        positive(&[("lr", lr), ("etaminus", etaminus), ("step_min", step_min), ("step_max", step_max)])?;
        if etaminus >= 1.0 || etaplus <= 1.0 || !etaplus.is_finite() {
            return Err(Error::usage(format!(
                "etaminus must be below 1 and etaplus above 1, not {etaminus} and {etaplus}"
            )));
        }
        if step_min > step_max {
            return Err(Error::usage(format!("step_min must not be above step_max: {step_min}, {step_max}")));
        }
        Ok(())
    }
}

impl Describe for Rprop {
    fn slots(&self) -> Vec<Slot> {
        vec![Slot::new("p"), Slot::filled("d", self.lr)]
    }

    knobs!(lr = lr);
}

impl ByElement for Rprop {
    fn visit<V: Visitor>(&self, _: &Step, visitor: V) -> V::Output {
        visitor.visit(self)
    }
}

impl Elementwise<2> for Rprop {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, [p, d]: &mut [L; 2]) -> L {
        let zero = L::splat(0.0);
        let product = g * *p;
        let slower = (-product).where_positive(L::splat(self.etaminus), L::splat(1.0));
        let factor = product.where_positive(L::splat(self.etaplus), slower);
        let length = (*d * factor).max(L::splat(self.step_min)).min(L::splat(self.step_max));
        *d = d.where_positive(length, zero); // pad lanes have no step
        *p = (-product).where_positive(zero, g);
        w - p.sign() * *d
    }
}
