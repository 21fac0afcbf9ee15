//! Size of a ring's window, chosen to fit a memory budget.

use crate::stream::order::{Groups, Order};
use crate::text::bytes;
use crate::{Access, Cause, Error, Result};

/// Bytes read at once where memory allows: enough for full disk throughput.
const CHUNK: u64 = 1 << 20;
/// Chunks held besides those of a request, most preferred first.
const AHEAD: [usize; 4] = [8, 4, 2, 1];
/// Maximum bytes of a chunk for which every block of a store is read: larger chunks mean fewer such passes.
const LARGE: u64 = 1 << 30;
/// Number of such chunks per epoch, if not many more.
const LARGE_PARTS: u64 = 64;

/// Amount read ahead and number of loaders; affects time and memory, never the samples read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Maximum number of samples read at once.
    pub chunk: usize,
    /// True to read the groups mixed by a block order as a whole, whatever their length.
    pub groups: bool,
    /// Chunks held besides the one in use.
    pub depth: usize,
    /// Number of loader threads.
    pub loaders: usize,
}

/// Requirements on a ring.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Order in which samples are read.
    pub order: Order,
    /// Access pattern of the store: how expensive reading in any order is.
    pub access: Access,
    /// Number of samples.
    pub len: u64,
    /// Bytes per sample in memory, label included.
    pub row: u64,
    /// Maximum number of samples requested at once.
    pub rows: usize,
}

impl Window {
    /// Returns the best window for a demand that fits into `memory` bytes.
    ///
    /// # Errors
    /// A usage error if none fits; it states how much memory would suffice.
    pub fn fit(demand: &Demand, loaders: usize, memory: u64) -> Result<Self> {
        let windows = || demand.windows(loaders);
        let found = windows().find(|window| window.bytes(demand) <= memory);
        found.ok_or_else(|| {
            let least = windows().map(|window| window.bytes(demand)).min().unwrap_or(u64::MAX);
            Error::usage(format!(
                "streaming these data takes {} of memory, but only {} is available",
                bytes(least),
                bytes(memory)
            ))
            .because(Cause::TooLarge { needed: least, available: Some(memory) })
            .advise("more --memory, or smaller batches")
        })
    }

    /// Returns the memory use of a ring with this window, in bytes.
    pub fn bytes(self, demand: &Demand) -> u64 {
        let ahead = (self.chunk as u64).saturating_mul(self.slots() as u64);
        let index = match demand.access {
            Access::Random => size_of::<u64>(),
            Access::Blocks(_) => size_of::<(u64, [usize; 3])>(), // and its positions in store and batch
        };
        let indices = self.loaders.saturating_mul(self.chunk).saturating_mul(index);
        ahead.saturating_mul(demand.row).saturating_add(indices as u64)
    }

    /// Returns the number of chunks in memory.
    pub(super) fn slots(self) -> usize {
        self.depth.saturating_add(1)
    }

    /// Clamps to at least one of each, no chunk longer than an epoch, and one loader if blocks are to be read
    /// only once.
    pub(super) fn fitted(self, order: Order, len: usize, access: Access) -> Self {
        let most = if access == Access::Random { usize::MAX } else { 1 };
        let groups = Groups::of(order, len as u64).filter(|_| self.groups);
        let chunk = groups.map_or(self.chunk, |groups| groups.longest() as usize).min(len).max(1);
        let (depth, loaders) = (self.depth.max(1), self.loaders.clamp(1, most));
        Self { chunk, groups: groups.is_some(), depth, loaders }
    }
}

impl Demand {
    /// Iterates over usable windows, most preferred first: of whole groups if an order mixes blocks, then of
    /// ever shorter chunks.
    fn windows(&self, loaders: usize) -> impl Iterator<Item = Window> {
        let len = usize::try_from(self.len).unwrap_or(usize::MAX).max(1);
        let usual = usize::try_from(CHUNK / self.row.max(1)).unwrap_or(usize::MAX).clamp(1, len);
        let shorter = std::iter::successors(Some(usual), |&chunk| (chunk > 1).then_some(chunk / 2));
        let group = self.group().into_iter().flat_map(|chunk| [2, 1].map(|depth| (chunk, true, depth)));
        let rows = self.rows;
        let even = shorter.flat_map(move |chunk| {
            AHEAD.map(|ahead| (chunk, false, rows.div_ceil(chunk).saturating_add(ahead - 1)))
        });
        group
            .chain(self.large().map(move |chunk| (chunk, false, rows.div_ceil(chunk))))
            .chain(even)
            .map(move |(chunk, groups, depth)| Window { chunk, groups, depth, loaders })
    }

    /// Iterates over chunk sizes of ever smaller parts of an epoch, for stores whose blocks are read again
    /// for each chunk.
    fn large(&self) -> impl Iterator<Item = usize> {
        let again = self.order != Order::Sequential && self.access != Access::Random;
        let parts = if again { LARGE_PARTS } else { 0 };
        let most = (LARGE / self.row.max(1)).max(1);
        (1..=parts)
            .map(move |parts| usize::try_from(self.len.div_ceil(parts).clamp(1, most)).unwrap_or(usize::MAX))
    }

    /// Returns the length of the longest group that the order mixes, if no request spans three groups: groups
    /// are at most two blocks shorter than the longest.
    fn group(&self) -> Option<usize> {
        let Order::Blocks(mix) = self.order else { return None };
        let longest = Groups::new(mix, self.len).longest();
        let shortest = longest.saturating_sub(2 * u64::from(mix.size.get()));
        if self.rows as u64 > shortest { None } else { usize::try_from(longest).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the demand of MNIST images, 256 at a time.
    fn demand(order: &str, access: Access) -> Demand {
        Demand { order: order.parse().unwrap(), access, len: 1_000_000, row: 788, rows: 256 }
    }

    #[test]
    fn the_more_memory_the_more_is_read_ahead_and_never_more_than_it_holds() {
        let orders = [
            ("shuffled", Access::Random),
            ("blocks:64", Access::Random),
            ("blocks:4,size=500", Access::Blocks(500)),
        ];
        for (order, access) in orders {
            let demand = demand(order, access);
            let mut held = 0;
            for memory in (10..34).map(|bits| 1 << bits) {
                let Ok(window) = Window::fit(&demand, 2, memory) else { continue };
                let bytes = window.bytes(&demand);
                assert!(bytes <= memory && bytes >= held, "{order}: {window:?} in {memory}");
                assert!(window.chunk * window.depth >= 256);
                held = bytes;
            }
            assert!(held > 1 << 20, "{order}: {held}");
        }
    }

    #[test]
    fn an_order_of_blocks_is_read_in_whole_groups_where_memory_holds_two() {
        let demand = demand("blocks:64", Access::Random);
        let chunk = |memory| Window::fit(&demand, 2, memory).unwrap().chunk;
        assert_eq!(chunk(512 << 20), 62 * 1_024);
        assert!(chunk(64 << 20) <= 1_330);
    }

    #[test]
    fn where_each_chunk_costs_reading_every_block_chunks_take_all_the_memory() {
        let demand = demand("shuffled", Access::Blocks(1_000));
        for memory in [8 << 20, 64 << 20, 512 << 20] {
            let window = Window::fit(&demand, 1, memory).unwrap();
            let chunks = demand.len.div_ceil(window.chunk as u64);
            let held = window.bytes(&demand);
            let one_less =
                Window { chunk: demand.len.div_ceil(chunks - 1) as usize, ..window }.bytes(&demand);
            assert!(held <= memory && (one_less > memory || chunks > 64), "{window:?} in {memory}");
        }
    }

    #[test]
    fn blocks_too_large_to_be_mixed_in_memory_are_read_in_chunks_that_fit() {
        let demand = demand("blocks:64,size=100000", Access::Blocks(100_000));
        for memory in [64 << 20, 1 << 30] {
            let window = Window::fit(&demand, 1, memory).unwrap();
            let held = window.bytes(&demand);
            assert!(!window.groups && held <= memory && held > memory / 2, "{window:?} in {memory}");
        }
    }

    #[test]
    fn where_nothing_fits_the_error_says_what_would() {
        let error = Window::fit(&demand("shuffled", Access::Random), 1, 10_000).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.what.ends_with("of memory, but only 10 kB is available"), "{error}");
    }
}
