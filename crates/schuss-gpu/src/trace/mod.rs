//! WGSL made of the arithmetic that the processor runs: a lane that writes down what is done to it.
//!
//! Update rules, activations and losses are written once, generic over a lane. Run on the lane of this module, they
//! become the text of a WGSL function. Three kinds of text call functions that the shader around them has to define:
//!
//! | text | calls |
//! |---|---|
//! | all | [`HELPERS`], once per shader |
//! | [`Traced::knobs`] not empty | `fn knob(index: u32) -> f32`, with the knobs of all texts of the shader in a row |
//! | loss | `fn output(row: u32, index: u32) -> f32`, `fn set_slope(row: u32, index: u32, slope: f32)` |
//! | loss of classes | `fn class_of(row: u32) -> u32` |
//! | loss of numbers | `fn target_at(row: u32, index: u32) -> f32` |
//!
//! `row` is handed through unchanged.

mod activation;
mod lane;
mod loss;
mod rule;
mod tape;
#[cfg(test)]
mod tests;

pub use activation::activation;
pub use loss::{TargetKind, loss};
pub use rule::{rule, rule_knobs};

/// A WGSL function, and the numbers it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced {
    /// Declaration of the function and, for a rule, of the structure that it returns.
    pub text: String,
    /// Numbers that the text reads as `knob(first)`, `knob(first + 1)`, ..., for the `first` it was made with.
    pub knobs: Vec<f32>,
    /// Hash of the operations: texts with the same name and first knob are equal if their shapes are.
    pub shape: u64,
}

/// Numbers of one update of a rule: a row of the table that is uploaded for many updates ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knobs {
    /// How many knobs were appended.
    pub count: usize,
    /// Shape of the text that these knobs belong to. A few rules (`radam`) change it while they run.
    pub shape: u64,
}

/// WGSL functions that traced texts call.
pub const HELPERS: &str = include_str!("helpers.wgsl");

impl Traced {
    fn of(tape: tape::Tape) -> Self {
        let shape = tape.shape();
        let (text, knobs) = tape.into_parts();
        Self { text, knobs, shape }
    }
}
