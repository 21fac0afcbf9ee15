//! From file to batch: readers, splits, orders and the built-in digits.
//!
//! Pixels stay `u8` in memory and become `f32 / 255` only on their way into a batch.
#![forbid(unsafe_code)]

mod dataset;
mod decoded;
pub mod digits;
mod error;
mod fetch;
mod file;
mod folder;
mod idx;
mod locate;
pub mod mixing;
pub mod order;
pub mod pack;
mod picture;
mod positioned;
mod published;
pub mod random;
pub mod ring;
mod samples;
pub mod spec;
mod store;
#[cfg(test)]
mod testing;
pub mod text;

pub use dataset::{Dataset, ImageShape, Split};
pub use decoded::advice;
pub use error::{Error, Kind, Result};
pub use fetch::{Progress, fetch};
pub use idx::read_split;
pub use locate::{Source, find, load, load_default};
pub use picture::{Picture, read_picture, write_picture};
pub use ring::Ring;
pub use samples::{Labels, Row, Samples, Shape, Values};
pub use store::{Access, Store};
