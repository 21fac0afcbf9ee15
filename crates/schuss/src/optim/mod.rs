//! Optimizers: update rules and solvers that turn gradients into new weights.
//!
//! A [`Method`] is either a list of parameter groups, each with a [`Rule`], or a [`Solver`]. [`Reference`] runs a
//! method on `f64` weights.

mod arithmetic;
mod dialect;
mod eigen;
#[cfg(test)]
mod golden;
mod keys;
mod method;
mod reference;
pub mod rule;
mod sam;
mod scheduled_rule;
pub mod solver;
mod stepper;
mod transform;
mod updater;
mod wrapper;

pub use dialect::{Counterpart, Dialect};
pub use method::{Descent, Gradient, Group, Method, Select};
pub use reference::Reference;
pub use rule::{Adam, Rule, Sgd, Visitor};
pub use sam::Sam;
pub use solver::Solver;
pub use stepper::Stepper;
pub use transform::Transform;
pub use updater::Updater;
pub use wrapper::Wrapper;

pub(crate) use arithmetic::take;
pub(crate) use eigen::Eigen;
pub(crate) use keys::{RATE_DIGITS, rounded};
pub(crate) use rule::{IDENTITY, Linear, Square, Step};
pub(crate) use scheduled_rule::ScheduledRule;
pub(crate) use updater::{Floats, Sweep, WithinProduct};
