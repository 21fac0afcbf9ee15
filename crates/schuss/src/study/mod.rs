//! Trials compared, and the statistics over them.

pub mod record;
