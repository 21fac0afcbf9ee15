//! From file to batch: readers, splits, orders and the built-in digits.
//!
//! Pixels stay `u8` in memory and become `f32 / 255` only on their way into a batch.
#![forbid(unsafe_code)]

mod classes;
#[cfg(feature = "parquet")]
mod columnar;
mod contained;
mod csv;
mod dataset;
pub mod digits;
mod encoded;
mod error;
mod fetch;
mod file;
mod folder;
pub mod found;
#[cfg(test)]
mod hostile;
mod idx;
mod images;
mod locate;
mod npy;
mod npz;
pub mod order;
mod picture;
mod planes;
mod pread;
mod published;
pub mod random;
mod recognise;
mod refill;
mod samples;
mod shards;
pub mod spec;
mod store;
pub mod table;
#[cfg(test)]
mod testing;
pub mod text;
mod unpack;

pub use dataset::{Dataset, ImageShape, Split};
pub use error::{Error, Kind, Result};
pub use fetch::{Progress, fetch};
pub use idx::read_split;
pub use locate::{Source, find, load, load_default};
pub use picture::{Picture, read_picture, write_picture};
pub use samples::{Labels, Row, Samples, Shape, Values};
pub use store::{Access, Store};
