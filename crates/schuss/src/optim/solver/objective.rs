//! What a solver sees of an update: a function of the weights.

use super::normal::Normal;
use crate::optim::arithmetic::Arithmetic;

/// Somebody asked to stop before the answer was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

/// What came of looking, unless it was cancelled.
pub(crate) type Attempt<T> = Result<T, Cancelled>;

/// The mean loss over the samples of an update. Every call streams all of them, with the same noise and the same units
/// dropped, so that it is one function throughout an update.
pub(crate) trait Objective<A: Arithmetic> {
    /// What the solver computes with meanwhile.
    fn arithmetic(&mut self) -> &mut A;

    /// Its value at `weights`.
    fn value(&mut self, weights: &[A::T]) -> Attempt<f64>;

    /// Its value at `weights`, and its gradient, zero where nothing is trained.
    fn gradient(&mut self, weights: &[A::T], gradient: &mut [A::T]) -> Attempt<f64>;

    /// Its value at `weights`, and the normal equations of the residuals whose squares it is a multiple of.
    fn normal(&mut self, weights: &[A::T], normal: &mut Normal<A::Buffer>) -> Attempt<f64>;
}
