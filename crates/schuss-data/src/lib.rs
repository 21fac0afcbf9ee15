//! From file to batch: readers, splits, orders and the built-in digits.
//!
//! Samples are kept as stored, in memory or in their file, and normalised only when they are written to a batch.
#![forbid(unsafe_code)]

mod assemble;
mod classes;
mod dataset;
pub mod digits;
mod error;
mod fetch;
mod file;
pub mod format;
#[cfg(test)]
mod hostile;
mod locate;
mod normalisation;
mod offsets;
mod preparation;
mod published;
pub mod random;
pub mod reader;
mod samples;
mod scale;
mod shape;
pub mod spec;
pub mod split;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod text;
mod undivided;

pub use assemble::Request;
pub use dataset::{Dataset, FINGERPRINTED, Split, TargetKind};
pub use error::{Cause, Column, DataFile, Error, ErrorKind, Place, Result, RowUnit};
pub use fetch::{Progress, fetch};
pub use format::{Picture, Pictures, is_picture_file, read_picture, read_split, write_picture};
pub use locate::{DataSource, find, load, load_default};
pub use normalisation::{Affine, Normalisation, Normalise};
pub use offsets::{Centring, Offsets};
pub use preparation::Preparation;
pub use samples::{Labels, Row, Samples, Values};
pub use scale::Scale;
pub use shape::{ImageShape, Shape};
pub use split::{Folds, HeldOut, Range, Resampling, Subset, Survey, survey};
pub use stream::{Access, Batch, Feed, Ring, Store, advice};
pub use undivided::Resampled;
