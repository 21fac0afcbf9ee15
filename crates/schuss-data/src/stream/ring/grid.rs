//! Division of an epoch's positions into the chunks that are read at a time.

use super::Window;
use crate::stream::order::{Groups, Order};

/// Division of an epoch's positions into chunks.
#[derive(Clone, Copy)]
pub(super) enum Grid {
    /// Chunks of equal length, except possibly the last.
    Even { len: usize, chunk: usize },
    /// Groups mixed by an order.
    Groups(Groups),
}

impl Grid {
    pub(super) fn new(order: Order, len: usize, window: Window) -> Self {
        let groups = Groups::of(order, len as u64).filter(|_| window.groups);
        groups.map_or(Self::Even { len, chunk: window.chunk }, Self::Groups)
    }

    /// Returns the number of chunks per epoch.
    pub(super) fn chunks(&self) -> u64 {
        match self {
            Self::Even { len, chunk } => len.div_ceil(*chunk).max(1) as u64,
            Self::Groups(groups) => groups.count(),
        }
    }

    pub(super) fn chunk_at(&self, position: usize) -> u64 {
        match self {
            Self::Even { chunk, .. } => (position / chunk) as u64,
            Self::Groups(groups) => groups.at(position as u64),
        }
    }

    /// Returns the position of a chunk's first sample, or the end of the epoch.
    pub(super) fn start(&self, chunk: u64) -> usize {
        match self {
            Self::Even { len, chunk: length } => (chunk as usize).saturating_mul(*length).min(*len),
            Self::Groups(groups) => groups.start(chunk) as usize,
        }
    }
}
