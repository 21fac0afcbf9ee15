//! Training time per sample, measured in the library's own sessions, and its growth with the network. Benchmarks of
//! single kernels and steps are in `benches/`, comparisons with other frameworks in `peers/`.
#![forbid(unsafe_code)]

pub mod command;
pub mod families;
pub mod growth;
pub mod laps;
