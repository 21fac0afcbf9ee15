//! Samples that are read when they are needed.

use crate::{Labels, Result, Samples};
use std::borrow::Cow;

/// How dear it is to read samples in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Each sample is found by itself.
    Random,
    /// Samples come in blocks of so many at most, which are read whole; the store keeps the one that was read last.
    Blocks(u64),
}

/// Samples that are read when they are needed, by several threads at once.
pub trait Store: Send + Sync {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How dear it is to read them in any order.
    fn access(&self) -> Access;

    /// Bytes that it holds as long as it is there: where samples begin, what is known of columns.
    fn held(&self) -> usize {
        0
    }

    /// What is to be predicted for all samples, if that is known without reading them.
    fn labels(&self) -> Option<Cow<'_, Labels>> {
        None
    }

    /// Puts the samples at `indices` into `into`, in that order, in place of what was there; `into` keeps its memory.
    /// Every call gives values and labels of the same kind and width, for no indices too.
    ///
    /// # Errors
    /// A data error that names file and sample, if it cannot be read or is damaged.
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
