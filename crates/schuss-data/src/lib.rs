//! From file to batch: readers, splits, orders and the built-in digits.
//!
//! Pixels stay `u8` in memory and become `f32 / 255` only on their way into a batch.
#![forbid(unsafe_code)]

mod dataset;
mod error;
pub mod order;
pub mod random;

pub use dataset::{Dataset, ImageShape, Split};
pub use error::{Error, Kind, Result};
