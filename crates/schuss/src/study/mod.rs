//! Trials compared, and the statistics over them.

pub mod curve;
pub mod record;
