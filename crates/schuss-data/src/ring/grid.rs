//! How the positions of an epoch are cut into the chunks that are read at a time.

use super::Window;
use crate::order::{Groups, Order};

/// How the positions of an epoch are cut into chunks.
#[derive(Clone, Copy)]
pub(super) enum Grid {
    /// Of one length each, but for the last.
    Even { len: usize, chunk: usize },
    /// The groups that an order mixes.
    Groups(Groups),
}

impl Grid {
    pub(super) fn new(order: Order, len: usize, window: Window) -> Self {
        let groups = Groups::of(order, len as u64).filter(|_| window.groups);
        groups.map_or(Self::Even { len, chunk: window.chunk }, Self::Groups)
    }

    /// Chunks per epoch.
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

    /// Position of a chunk's first sample, or the epoch's end.
    pub(super) fn start(&self, chunk: u64) -> usize {
        match self {
            Self::Even { len, chunk: length } => (chunk as usize).saturating_mul(*length).min(*len),
            Self::Groups(groups) => groups.start(chunk) as usize,
        }
    }
}
