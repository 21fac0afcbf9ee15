//! The grammar of choices: specs such as `adam:lr=0.001`, tables of choices, and the names of other libraries.

mod about;
mod grammar;
pub(crate) mod names;
mod registry;

pub use about::{About, Key};
pub use grammar::*;

pub(crate) use registry::{Registry, custom};
