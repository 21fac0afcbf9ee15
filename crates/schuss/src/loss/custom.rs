use super::{Row, RowLoss, Target};
use crate::spec::custom;
use schuss_kernels::Lane;
use std::fmt::Debug;

/// A user-defined loss, which any trial can use as [`Loss::Custom`](super::Loss::Custom).
///
/// [`row`](Self::row) is called once per sample, from several threads at a time, and must depend on its arguments alone.
pub trait CustomLoss: Debug + Send + Sync {
    /// Returns its name in specs, tables and records, which includes its hyper-parameters.
    fn name(&self) -> String;

    /// Returns the loss of one sample with outputs `z`, and writes its gradient with respect to them.
    fn row(&self, z: &[f32], target: Target, gradient: &mut [f32]) -> f64;
}

custom! {
    /// Row of the table that holds a [`CustomLoss`]: one of your own, found in specs as `custom:name=NAME` once it is
    /// registered.
    Custom of CustomLoss, registered in LOSSES as "loss"
}

impl Custom {
    /// Returns the loss of one sample with outputs `z` and writes the gradient with respect to them to `delta`.
    pub(super) fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
        self.own.as_ref().map_or(f64::NAN, |loss| loss.row(z, target, delta))
    }
}

impl RowLoss for Custom {
    fn on<R: Row>(&self, _row: &mut R) -> R::Lane {
        R::Lane::splat(f64::NAN)
    }

    fn takes_rows(&self) -> bool {
        true
    }
}
