//! Objective of an update, as a function of the weights.

use super::normal::Normal;
use crate::optim::arithmetic::Arithmetic;

/// Error of an evaluation that was cancelled before it finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cancelled;

/// Result of an evaluation, unless it was cancelled.
pub(crate) type Attempt<T> = Result<T, Cancelled>;

/// Mean loss over the samples of an update. Every call streams all of them, with the same noise and the same dropout
/// masks, so that it is one function throughout an update.
pub(crate) trait Objective<A: Arithmetic> {
    /// Returns the arithmetic that the solver computes with.
    fn arithmetic(&mut self) -> &mut A;

    /// Returns the value at `weights`.
    fn value(&mut self, weights: &[A::T]) -> Attempt<f64>;

    /// Returns the value at `weights` and writes the gradient, which is zero for parameters that are not trained.
    fn gradient(&mut self, weights: &[A::T], gradient: &mut [A::T]) -> Attempt<f64>;

    /// Returns the value at `weights` and writes the normal equations of the residuals; the value is a multiple of
    /// their sum of squares.
    fn normal(&mut self, weights: &[A::T], normal: &mut Normal<A::Buffer>) -> Attempt<f64>;
}
