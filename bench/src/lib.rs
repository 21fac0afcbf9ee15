//! How long training takes a sample, measured through the library's own sessions, and how that grows with the
//! network. Benches of single kernels and steps live in `benches/`, races against other frameworks in `peers/`.
#![forbid(unsafe_code)]

pub mod families;
pub mod growth;
pub mod laps;
