//! Orders for media where seeks are dear: only the samples of some blocks are mixed at a time.

use super::Permutation;
use crate::random::Key;
use crate::spec::{Item, unknown};
use crate::{Error, Result};
use std::fmt;
use std::num::NonZeroU32;

/// Samples per block where nothing else is said: 0.8 MB of MNIST's images.
const SIZE: NonZeroU32 = NonZeroU32::new(1_024).unwrap();

/// What an order by blocks mixes: `blocks:64`, or `blocks:64,size=256`.
///
/// The size of a block is part of the order, and so of the recipe: it must not depend on the medium, or the same
/// trial would be another on another file. How well classes mix depends mostly on how many distinct blocks are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Blocks mixed at a time.
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
        let none =
            || Error::usage("order `blocks` lacks the number of blocks that are mixed").advise(EXAMPLE);
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

/// The order of an epoch: blocks are permuted, groups of them made in that order, and the samples of a group permuted.
#[derive(Clone, Debug)]
pub(super) struct Mixed {
    key: Key,
    /// Samples in all, per block, and per group.
    len: u64,
    size: u64,
    group: u64,
    blocks: Permutation,
    /// Samples that the last block lacks.
    lacking: u64,
    /// Positions up to the end of the last block, in its place among the others, if it lacked none.
    end_of_short: u64,
}

impl Mixed {
    pub(super) fn new(mix: Mix, len: u64, key: Key) -> Self {
        let size = u64::from(mix.size.get());
        let count = len.div_ceil(size);
        let blocks = Permutation::new(count, key, 0);
        let place_of_last = if count > 0 { blocks.position(count - 1) } else { 0 };
        Self {
            key,
            len,
            size,
            group: size * u64::from(mix.blocks.get()),
            blocks,
            lacking: count * size - len,
            end_of_short: (place_of_last + 1) * size,
        }
    }

    /// Index of the sample at `position`.
    pub(super) fn at(&self, position: u64) -> u64 {
        let group = self.group_at(position);
        let (first, end) = (self.start(group), self.start(group + 1).min(self.len));
        // Permutation 0 of the stream is that of the blocks.
        let within = Permutation::new(end - first, self.key, group + 1);
        let slot = self.padded(first + within.at(position - first));
        self.blocks.at(slot / self.size) * self.size + slot % self.size
    }

    /// The group that a position lies in.
    fn group_at(&self, position: u64) -> u64 {
        let short = (self.end_of_short - 1) / self.group;
        let lacking = if position < self.start(short + 1) { 0 } else { self.lacking };
        (position + lacking) / self.group
    }

    /// Position of a group's first sample.
    fn start(&self, group: u64) -> u64 {
        let padded = group * self.group;
        if padded < self.end_of_short { padded } else { padded - self.lacking }
    }

    /// Where a sample would stand if the short block, in its place among the others, were as long as they are.
    fn padded(&self, place: u64) -> u64 {
        if place < self.end_of_short - self.lacking { place } else { place + self.lacking }
    }
}

#[cfg(test)]
mod tests {
    use crate::order::{EpochOrder, Order};

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

    /// Walks through the groups: each ends exactly where all samples of its blocks have come.
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

    /// Pearson's chi-squared over 20 samples: 19 degrees of freedom, so below 51 but in 1 of 10,000.
    #[test]
    fn each_sample_comes_first_as_often_as_its_block_is_in_the_first_group() {
        let mut counts = [0_i32; 20];
        for seed in 0..20_000 {
            let order = EpochOrder::new("blocks:2,size=3".parse().unwrap(), 20, seed, 0);
            counts[order.index(0)] += 1;
        }
        // Two of seven blocks make the first group: 6 samples, or 5 with the short block, which holds samples 18 and 19.
        let share = |index: usize| 2.0 / 7.0 * if index < 18 { 1.0 / 30.0 + 5.0 / 36.0 } else { 1.0 / 5.0 };
        let term = |(index, &n): (usize, &i32)| {
            let expected = 20_000.0 * share(index);
            (f64::from(n) - expected).powi(2) / expected
        };
        let chi: f64 = counts.iter().enumerate().map(term).sum();
        assert!(chi < 51.0, "chi-squared {chi}: {counts:?}");
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
            ("blocks", "order `blocks` lacks the number of blocks that are mixed"),
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
