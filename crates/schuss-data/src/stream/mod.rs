//! Samples on their way to a batch: orders, stores that are read when needed, and the ring of loader threads.

mod advice;
mod feed;
pub mod order;
pub(crate) mod refill;
pub mod ring;
mod store;

pub use advice::advice;
pub use feed::{Batch, Feed};
pub use ring::Ring;
pub use store::{Access, Store};
