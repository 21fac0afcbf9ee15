use super::{RowLoss, Target, class_weights};
use crate::spec::{Choice, finite};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
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
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        let Target::Class(class) = target else { return f64::NAN };
        let share = class_weights::of(&self.class_weights, class) / z.len() as f64;
        let right = f64::from(z[class]);
        let (mut loss, mut slopes) = (0.0, 0.0);
        for (index, (&z, delta)) in z.iter().zip(&mut *delta).enumerate() {
            let hinge = if index == class { 0.0 } else { self.margin - right + f64::from(z) };
            let (value, slope) = self.power(hinge);
            *delta = (slope * share) as f32;
            loss += value;
            slopes += slope;
        }
        delta[class] = (-slopes * share) as f32;
        loss * share
    }

    fn check_classes(&self, classes: usize) -> Result<()> {
        class_weights::check_count(&self.class_weights, classes)
    }
}

impl MultiMargin {
    /// Returns value and slope of max(0, h)ᵖ.
    fn power(&self, h: f64) -> (f64, f64) {
        match self.p {
            _ if h <= 0.0 => (0.0, 0.0),
            1 => (h, 1.0),
            _ => (h * h, 2.0 * h),
        }
    }
}
