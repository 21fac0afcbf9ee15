use super::{Point, Row, RowLoss, class_weights};
use crate::spec::{Choice, finite};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use serde::{Deserialize, Serialize};

/// Multi-class hinge: every other class should stay below the right one by a margin. With p = 1 it is Crammer and
/// Singer's loss (JMLR 2, 2001), summed over all classes instead of the worst.
///
/// ```text
/// hⱼ = max(0, margin − z_class + zⱼ)        ℓ = 1/n Σ hⱼᵖ
/// ∂ℓ/∂zⱼ = 1/n p hⱼᵖ⁻¹ where hⱼ > 0        ∂ℓ/∂z_class = − Σ ∂ℓ/∂zⱼ        sums over j ≠ class
/// ```
///
/// Class weights multiply the loss of samples of their class; the mean is over samples, regardless of weights.
/// `torch.nn.MultiMarginLoss`, whose `weight` is `class_weights` here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct MultiMargin {
    /// Power p of the hinge, 1 or 2.
    pub p: u32,
    /// Margin between the right class and the others.
    pub margin: f64,
    /// One weight per class, `1:2:0.5`; all 1 by default.
    pub class_weights: Vec<f64>,
}

impl Default for MultiMargin {
    fn default() -> Self {
        Self { p: 1, margin: 1.0, class_weights: vec![] }
    }
}

impl Choice for MultiMargin {
    const NAME: &'static str = "multi-margin";

    fn check(&self) -> Result<()> {
        if !(1..=2).contains(&self.p) {
            return Err(Error::usage(format!("p must be 1 or 2, not {}", self.p)));
        }
        finite(&[("margin", self.margin)])?;
        class_weights::check(&self.class_weights)
    }
}

impl RowLoss for MultiMargin {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let Some(class) = row.class() else { return R::Lane::splat(f64::NAN) };
        let share = row.pick(&self.class_weights, class) / R::Lane::splat(row.outputs() as f64);
        let zero = R::Lane::splat(0.0);
        let room = R::Lane::splat(self.margin) - row.output(class);
        let [loss, slopes] = row.fold([zero, zero], |row, at, [loss, slopes]| {
            let hinge = row.target(at).where_positive(zero, room + row.output(at));
            let Point { value, slope } = self.power(hinge);
            row.set_slope(at, slope * share);
            [loss + value, slopes + slope]
        });
        row.set_slope(class, -slopes * share);
        loss * share
    }

    fn check_classes(&self, classes: usize) -> Result<()> {
        class_weights::check_count(&self.class_weights, classes)
    }
}

impl MultiMargin {
    /// Returns value and slope of max(0, h)ᵖ.
    fn power<L: Lane>(&self, h: L) -> Point<L> {
        let zero = L::splat(0.0);
        let above = zero.max(h);
        match self.p {
            1 => Point { value: above, slope: h.where_positive(L::splat(1.0), zero) },
            _ => Point { value: above * above, slope: L::splat(2.0) * above },
        }
    }
}
