//! Orders for media where seeks are expensive: samples are mixed only within a few blocks at a time.

use super::{Order, Permutation};
use crate::random::Key;
use crate::spec::{Item, unknown};
use crate::{Error, Result};
use std::fmt;
use std::num::NonZeroU32;

/// Default number of samples per block: 0.8 MB of MNIST's images.
const SIZE: NonZeroU32 = NonZeroU32::new(1_024).unwrap();

/// Extent of mixing in a block order: `blocks:64`, or `blocks:64,size=256`.
///
/// The size of a block is part of the order, and so of the recipe: if it depended on the medium, the same
/// trial would differ from file to file. How well classes mix depends mostly on the number of distinct blocks
/// mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Number of blocks mixed at a time.
    pub blocks: NonZeroU32,
    /// Samples per block, all neighbours; the last block of the data may be shorter.
    pub size: NonZeroU32,
}

impl Mix {
    pub(super) fn parse(item: &Item) -> Result<Self> {
        let (mut blocks, mut size) = (None, SIZE);
        for (key, value) in &item.args {
            match key.as_deref() {
                None if blocks.is_none() => blocks = Some(count(value)?),
                Some("size") => size = count(value)?,
                None => return Err(Error::usage("order `blocks` takes one number of blocks").advise(EXAMPLE)),
                Some(key) => return Err(unknown("key", key, " for order `blocks`", &["size"])),
            }
        }
        let none = || Error::usage("order `blocks` needs the number of blocks to mix").advise(EXAMPLE);
        Ok(Self { blocks: blocks.ok_or_else(none)?, size })
    }
}

const EXAMPLE: &str = "--order blocks:64, or blocks:64,size=256 for blocks of 256 samples";

fn count(text: &str) -> Result<NonZeroU32> {
    text.parse().map_err(|_| {
        Error::usage(format!("`{text}` in order `blocks` is not a whole number above 0")).advise(EXAMPLE)
    })
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocks:{}", self.blocks)?;
        if self.size == SIZE { Ok(()) } else { write!(f, ",size={}", self.size) }
    }
}

/// Division of an epoch's positions into groups of blocks: as evenly as possible, so that no group mixes much
/// less than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Samples in total and per block.
    len: u64,
    size: u64,
    groups: u64,
    /// Blocks per group; the first `longer` groups have one more.
    blocks: u64,
    longer: u64,
}

impl Groups {
    pub(crate) fn new(mix: Mix, len: u64) -> Self {
        let size = u64::from(mix.size.get());
        let count = len.div_ceil(size);
        let groups = count.div_ceil(mix.blocks.get().into()).max(1);
        Self { len, size, groups, blocks: count / groups, longer: count % groups }
    }

    /// Returns the groups of an order, if it has any.
    pub(crate) fn of(order: Order, len: u64) -> Option<Self> {
        match order {
            Order::Blocks(mix) => Some(Self::new(mix, len)),
            _ => None,
        }
    }

    /// Returns the number of groups.
    pub(crate) fn count(&self) -> u64 {
        self.groups
    }

    /// Returns the number of samples in the longest group.
    pub(crate) fn longest(&self) -> u64 {
        ((self.blocks + u64::from(self.longer > 0)) * self.size).min(self.len)
    }

    /// Returns the position of a group's first sample, or the end of the epoch.
    pub(crate) fn start(&self, group: u64) -> u64 {
        ((group * self.blocks + group.min(self.longer)) * self.size).min(self.len)
    }

    /// Returns the group that contains a position.
    pub(crate) fn at(&self, position: u64) -> u64 {
        let block = position / self.size;
        let in_longer = self.longer * (self.blocks + 1);
        if block < in_longer {
            block / (self.blocks + 1)
        } else {
            self.longer + (block - in_longer) / self.blocks.max(1)
        }
    }
}

/// Order of an epoch: the whole blocks are permuted, split into groups in that order, and the samples of each
/// group permuted. Samples after the last whole block go into the last group.
#[derive(Clone, Debug)]
pub(super) struct Mixed {
    key: Key,
    groups: Groups,
    /// Number of whole blocks.
    blocks: u64,
    of_blocks: Permutation,
}

impl Mixed {
    pub(super) fn new(mix: Mix, len: u64, key: Key) -> Self {
        let groups = Groups::new(mix, len);
        let blocks = len / groups.size;
        Self { key, groups, blocks, of_blocks: Permutation::new(blocks, key, 0) }
    }

    /// Returns the index of the sample at `position`.
    pub(super) fn at(&self, position: u64) -> u64 {
        let size = self.groups.size;
        let group = self.groups.at(position);
        let first = self.groups.start(group);
        // Permutation 0 of the stream is that of the blocks.
        let within = Permutation::new(self.groups.start(group + 1) - first, self.key, group + 1);
        let place = first + within.at(position - first);
        let block = place / size;
        let block = if block < self.blocks { self.of_blocks.at(block) } else { block };
        block * size + place % size
    }
}

#[cfg(test)]
mod tests {
    use super::Groups;
    use crate::stream::order::{EpochOrder, Order};

    fn visit(order: &str, len: usize, epoch: u32) -> Vec<usize> {
        let order = EpochOrder::new(order.parse().unwrap(), len, 5, epoch);
        (0..len).map(|position| order.index(position)).collect()
    }

    #[test]
    fn every_sample_is_visited_once() {
        for len in [1, 2, 7, 8, 9, 63, 64, 65, 100, 1_000, 4_097] {
            for order in
                ["blocks:1,size=8", "blocks:3,size=8", "blocks:4,size=1", "blocks:64,size=7", "blocks:2"]
            {
                for epoch in 0..5 {
                    let mut seen = visit(order, len, epoch);
                    seen.sort_unstable();
                    assert!(seen.into_iter().eq(0..len), "{order}, {len} samples, epoch {epoch}");
                }
            }
        }
    }

    #[test]
    fn groups_are_alike_in_length_and_follow_each_other() {
        for (len, text) in [
            (1_000, "blocks:4,size=16"),
            (1_040, "blocks:64,size=16"),
            (70, "blocks:3,size=10"),
            (5, "blocks:2"),
        ] {
            let Ok(Order::Blocks(mix)) = text.parse() else { panic!("an order of another kind") };
            let groups = Groups::new(mix, len);
            let lengths: Vec<u64> =
                (0..groups.count()).map(|group| groups.start(group + 1) - groups.start(group)).collect();
            assert_eq!(lengths.iter().sum::<u64>(), len);
            assert_eq!(lengths.iter().max().copied(), Some(groups.longest()));
            let most = u64::from(mix.blocks.get() * mix.size.get());
            assert!(
                lengths.iter().all(
                    |&length| length <= most && 2 * u64::from(mix.size.get()) > groups.longest() - length
                ),
                "{lengths:?}"
            );
            for position in 0..len {
                let group = groups.at(position);
                assert!((groups.start(group)..groups.start(group + 1)).contains(&position));
            }
        }
    }

    /// Walks through the groups: each ends exactly when all samples of its blocks have come.
    #[test]
    fn no_more_blocks_are_mixed_than_the_order_says() {
        for (len, blocks, size) in [(1_000, 4, 16), (1_003, 4, 16), (640, 3, 64), (50, 7, 9), (50, 100, 9)] {
            for epoch in 0..8 {
                let mut left = std::collections::HashMap::new();
                for index in visit(&format!("blocks:{blocks},size={size}"), len, epoch) {
                    let block = index / size;
                    let of_block = size.min(len - block * size);
                    *left.entry(block).or_insert(of_block) -= 1;
                    assert!(left.len() <= blocks, "{len} {blocks} {size}");
                    if left.values().all(|&left| left == 0) {
                        left.clear();
                    }
                }
                assert!(left.is_empty());
            }
        }
    }

    #[test]
    fn blocks_samples_and_epochs_are_shuffled() {
        let [first, second] = [0, 1].map(|epoch| visit("blocks:4,size=16", 1_024, epoch));
        assert_ne!(first, second);
        let blocks_of = |visited: &[usize]| {
            visited.iter().map(|index| index / 16).collect::<std::collections::HashSet<_>>()
        };
        assert_ne!(blocks_of(&first[..64]), blocks_of(&second[..64]));
        let neighbours = first.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
        assert!(neighbours < 64, "{neighbours} of 1,023 samples are followed by their neighbour");
    }

    /// Pearson's chi-squared over 21 samples: 20 degrees of freedom, so below 53 but in 1 of 10,000.
    #[test]
    fn every_sample_of_whole_blocks_comes_first_about_equally_often() {
        let mut counts = [0_i32; 21];
        for seed in 0..21_000 {
            let order = EpochOrder::new("blocks:2,size=3".parse().unwrap(), 21, seed, 0);
            counts[order.index(0)] += 1;
        }
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 1_000.0).powi(2) / 1_000.0).sum();
        assert!(chi < 53.0, "chi-squared {chi}: {counts:?}");
    }

    #[test]
    fn the_text_of_an_order_is_read_as_it_is_written() {
        let canonical = [
            ("blocks:64", "blocks:64"),
            ("BLOCKS:8,size=1024", "blocks:8"),
            ("blocks:8,size=256", "blocks:8,size=256"),
        ];
        for (text, expected) in canonical {
            let order: Order = text.parse().unwrap();
            assert_eq!(order.to_string(), expected);
            assert_eq!(expected.parse::<Order>().unwrap(), order);
        }
        let wrong = [
            ("blocks", "order `blocks` needs the number of blocks to mix"),
            ("blocks:0", "`0` in order `blocks` is not a whole number above 0"),
            ("blocks:64,size=0", "`0` in order `blocks` is not a whole number above 0"),
            ("blocks:many", "`many` in order `blocks` is not a whole number above 0"),
            ("blocks:5000000000", "`5000000000` in order `blocks` is not a whole number above 0"),
            ("blocks:8,16", "order `blocks` takes one number of blocks"),
            ("blocks:8,sise=16", "unknown key `sise` for order `blocks`"),
        ];
        for (text, sentence) in wrong {
            let error = text.parse::<Order>().unwrap_err();
            assert_eq!((error.exit_code(), error.what.as_str()), (2, sentence));
            assert!(error.advice.is_some());
        }
    }
}
