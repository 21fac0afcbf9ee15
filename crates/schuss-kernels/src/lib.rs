//! Numeric kernels: matrix products, element-wise passes, row losses, and the team of threads that runs them.
//!
//! Every kernel gives bit-identical results for any number of threads and on every instruction set, because
//! the order of its sums is part of its definition:
//!
//! - products: one chain of fused multiply-adds per output, in index order ([`matrix`]);
//! - dot products and sums of rows: 16 lanes and a fixed tree ([`Vector::sum`]);
//! - sums of columns: one chain in row order, for moments in f64 ([`normalize`]);
//! - element-wise passes: each element on its own ([`sweep`], [`activation`]), by functions of our own
//!   ([`Math`]);
//! - sums over weights: f32 in chunks of 1,024, then f64 ([`reduce`]);
//! - products in bf16, if a team is set to use them: the tile unit's instruction after instruction
//!   ([`bf16`]).
//!
//! The naive reference of each kernel is in [`naive`], and the tests compare the two. This is the only crate
//! with `unsafe` for the CPU; every block states why it is sound.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod activation;
pub mod bf16;
mod buffer;
mod count;
pub mod dropout;
mod dual;
mod heap;
mod isa;
mod lane;
pub mod log_softmax;
mod math;
pub mod matrix;
pub mod naive;
pub mod normalize;
mod passes;
pub mod peak;
mod pointer;
pub mod pool;
mod prefetch;
pub mod reduce;
pub mod rows;
pub mod single;
pub mod sweep;
mod sync;
mod team;
#[cfg(test)]
mod testing;
mod vector;
pub mod window;

pub use bf16::Precision;
pub use buffer::Buffer;
pub use dual::Dual;
pub use heap::return_freed_memory;
pub use isa::{Isa, Kernel};
pub use lane::Lane;
pub use math::{Format, Math};
pub use prefetch::prefetch;
pub use team::{PASS_WORK, Team};
pub use vector::{LANES, Vector};

/// Name of the arithmetic of every kernel here; it changes whenever a bit of a result may change. Products in
/// bf16 have names of their own: [`Precision::arithmetic`].
pub const ARITHMETIC: &str = "f32-fma-1";

/// Rounds `width` up to whole vectors of 16 lanes: the stride of a row in memory.
///
/// # Panics
/// On overflow.
pub const fn padded(width: usize) -> usize {
    width.checked_next_multiple_of(LANES).expect("a padded row width that fits into usize")
}
