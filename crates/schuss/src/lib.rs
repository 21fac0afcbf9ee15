//! schuss trains a network under every way of updating its weights and tells which way is fastest.
#![forbid(unsafe_code)]

pub mod study;
