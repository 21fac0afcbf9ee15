//! From file to batch: readers, splits, orders and the built-in digits.
//!
//! Samples are kept as stored, in memory or in their file, and normalised only when they are written to a batch.
#![forbid(unsafe_code)]

mod advice;
mod assemble;
mod catch_panic;
mod channels_first;
mod class_order;
mod classes;
#[cfg(feature = "parquet")]
mod columnar;
pub mod csv;
mod dataset;
pub mod digits;
mod encoded;
mod error;
mod feed;
mod fetch;
mod file;
mod folder;
mod hold_out;
#[cfg(test)]
mod hostile;
mod idx;
mod images;
mod impute;
mod locate;
pub mod mixing;
mod normalisation;
mod npy;
mod npz;
mod offsets;
pub mod order;
pub mod pack;
mod packed;
mod picture;
mod pread;
mod preparation;
mod published;
pub mod random;
pub mod reader;
mod rebased;
mod recognise;
mod refill;
mod relabel;
pub mod ring;
mod samples;
mod scale;
mod shape;
mod shards;
pub mod spec;
mod store;
mod subset;
mod survey;
pub mod table;
mod tables;
#[cfg(test)]
mod testing;
pub mod text;
mod tree;
mod unpack;
mod zipped;
mod zips;

pub use advice::advice;
pub use assemble::Request;
pub use dataset::{Dataset, FINGERPRINTED, Split, TargetKind};
pub use encoded::Pictures;
pub use error::{Error, ErrorKind, Result};
pub use feed::{Batch, Feed};
pub use fetch::{Progress, fetch};
pub use hold_out::HeldOut;
pub use idx::read_split;
pub use images::is_picture;
pub use locate::{DataSource, find, load, load_default};
pub use normalisation::{Affine, Normalisation, Normalise};
pub use offsets::{Centring, Offsets};
pub use picture::{Picture, read_picture, write_picture};
pub use preparation::Preparation;
pub use ring::Ring;
pub use samples::{Labels, Row, Samples, Values};
pub use scale::Scale;
pub use shape::{ImageShape, Shape};
pub use store::{Access, Store};
pub use subset::Subset;
pub use survey::{Range, Survey, survey};
