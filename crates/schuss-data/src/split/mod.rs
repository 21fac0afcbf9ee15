//! Splits: held out, drawn, relabelled, surveyed.

mod class_order;
mod converted;
pub(crate) mod hold_out;
mod impute;
pub mod mixing;
pub(crate) mod rebased;
pub(crate) mod relabel;
pub(crate) mod resampling;
mod strata;
mod subset;
mod survey;

pub use hold_out::HeldOut;
pub use resampling::{Folds, Resampling};
pub use subset::Subset;
pub use survey::{Range, Survey, survey};
