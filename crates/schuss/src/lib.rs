//! schuss trains a network under every way of updating its weights and tells which way is fastest.
#![forbid(unsafe_code)]

pub mod files;
pub mod loss;
pub mod machine;
pub mod network;
pub mod optim;
pub mod recipe;
pub mod session;
pub mod study;

pub use recipe::{Budget, Recipe, Trial, UpdateRule};
pub use schuss_data as data;
pub use schuss_data::{Error, Result};
