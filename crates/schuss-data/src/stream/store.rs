//! Stores: samples that are read when they are needed.

use crate::{Labels, Result, Samples};
use std::borrow::Cow;

/// Cost of reading samples in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Each sample can be read on its own.
    Random,
    /// Samples come in blocks of at most this many, which are read whole; the store keeps the last block read.
    Blocks(u64),
}

/// Samples that are read when they are needed, by several threads at once.
pub trait Store: Send + Sync {
    /// Returns the number of samples.
    fn len(&self) -> u64;

    /// Returns true if there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the cost of reading samples in any order.
    fn access(&self) -> Access;

    /// Returns the bytes that it keeps in memory for its lifetime, such as the offsets of samples and statistics of
    /// columns.
    fn held(&self) -> usize {
        0
    }

    /// Returns the labels of all samples, if they are known without reading the samples.
    fn labels(&self) -> Option<Cow<'_, Labels>> {
        None
    }

    /// Replaces the contents of `into` with the samples at `indices`, in that order, reusing its memory. Every call
    /// gives values and labels of the same kind and width, even for no indices.
    ///
    /// # Errors
    /// A data error that names the file and the sample, if it cannot be read or is damaged.
    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()>;
}

/// Samples in memory can be read like any others.
impl Store for Samples {
    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn held(&self) -> usize {
        self.bytes()
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        Some(Cow::Borrowed(Self::labels(self)))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.copy_to(indices, into)
    }
}
