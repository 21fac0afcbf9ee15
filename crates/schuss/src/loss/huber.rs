use super::l1::sign;
use super::{Point, Row, RowLoss, Target, curvature_of_outputs, mean_of_each};
use crate::Result;
use crate::spec::{Choice, non_negative, positive};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use serde::{Deserialize, Serialize};

/// Squared error of small differences and absolute error of large ones, mean over samples and outputs.
///
/// ```text
/// d = |z − t|        ℓ = 1/n Σ d²/2 up to δ, else δ (d − δ/2)        ∂ℓ/∂z = 1/n min(d, δ) sign(z − t)
/// ```
///
/// Classes are one-hot. If targets are standardised, the default unless `--target-scale none` is given, δ is in
/// standard deviations of the target over the training split. Huber, Annals of Mathematical Statistics 35, 1964;
/// `torch.nn.HuberLoss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Huber {
    /// Difference δ above which the error is absolute.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

impl Choice for Huber {
    const NAME: &'static str = "huber";

    fn check(&self) -> Result<()> {
        positive(&[("delta", self.delta)])
    }
}

impl RowLoss for Huber {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let (bound, half) = (R::Lane::splat(self.delta), R::Lane::splat(0.5));
        mean_of_each(row, |z, t| {
            let d = (z - t).abs();
            let beyond = d - bound;
            Point {
                value: beyond.where_positive(bound * (d - half * bound), half * (d * d)),
                slope: beyond.where_positive(bound.copysign(z - t), z - t),
            }
        })
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
        curvature_of_outputs(z, target, direction, to, |_, z, t| {
            f64::from(u8::from((z - t).abs() <= self.delta))
        });
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn power(&self) -> Option<i32> {
        Some(2)
    }
}

/// Huber loss divided by its threshold β, so that its slope never exceeds 1.
///
/// ```text
/// d = |z − t|        ℓ = 1/n Σ d²/2β below β, else d − β/2        ∂ℓ/∂z = 1/n min(d/β, 1) sign(z − t)
/// ```
///
/// Classes are one-hot. β = 0 is `l1`; its unit is that of `huber`'s δ. Girshick, ICCV 2015 (arXiv 1504.08083);
/// `torch.nn.SmoothL1Loss`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothL1 {
    /// Difference β above which the error is absolute.
    pub beta: f64,
}

impl Default for SmoothL1 {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

impl Choice for SmoothL1 {
    const NAME: &'static str = "smooth-l1";

    fn check(&self) -> Result<()> {
        non_negative(&[("beta", self.beta)])
    }
}

impl RowLoss for SmoothL1 {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        let (beta, twice) = (R::Lane::splat(self.beta), R::Lane::splat(2.0 * self.beta));
        let half = R::Lane::splat(self.beta / 2.0);
        mean_of_each(row, |z, t| {
            let d = (z - t).abs();
            let below = beta - d;
            Point {
                value: below.where_positive(d * d / twice, d - half),
                slope: below.where_positive((z - t) / beta, sign(z - t)),
            }
        })
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
        curvature_of_outputs(z, target, direction, to, |_, z, t| {
            if (z - t).abs() < self.beta { 1.0 / self.beta } else { 0.0 }
        });
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn power(&self) -> Option<i32> {
        Some(1)
    }
}
