//! Optimizers: from a gradient to new weights.
//!
//! A [`Method`] is groups of parameters, each with a [`Rule`]; [`Reference`] runs one on `f64` weights.

mod arithmetic;
mod course;
#[cfg(test)]
mod golden;
mod method;
mod reference;
pub mod rule;
mod spectrum;
mod strategy;
mod updater;

pub use method::{Descent, Group, Method, Select};
pub use reference::Reference;
pub use rule::{Adam, Rule, Sgd};

pub(crate) use arithmetic::take;
pub(crate) use course::Course;
pub(crate) use rule::{IDENTITY, Linear, Square, Step, Visitor};
pub(crate) use strategy::Strategy;
pub(crate) use updater::{Sweep, Updater, WithinProduct};
