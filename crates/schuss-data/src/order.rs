//! In which order an epoch visits the training set: position -> index, a pure function of (seed, epoch, position).

use crate::random::{Key, Purpose};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How the samples of an epoch are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Order {
    /// A fresh permutation every epoch. This is the default.
    #[default]
    Shuffled,
    /// One permutation, the same in all epochs: the batches never change.
    Fixed,
    /// As they stand in the file.
    Sequential,
    /// Every position draws any sample, so some come twice and some not at all.
    Replacement,
}

const NAMES: [(&str, Order); 4] = [
    ("shuffled", Order::Shuffled),
    ("fixed", Order::Fixed),
    ("sequential", Order::Sequential),
    ("replacement", Order::Replacement),
];

impl Order {
    /// Whether every epoch has an order of its own.
    pub fn changes(self) -> bool {
        matches!(self, Self::Shuffled | Self::Replacement)
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        NAMES.iter().find(|(name, _)| *name == text).map(|(_, order)| *order).ok_or_else(|| {
            Error::usage(format!("unknown order `{text}`"))
                .advise("one of: shuffled fixed sequential replacement")
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = NAMES.iter().find(|(_, order)| order == self).unwrap_or(&NAMES[0]);
        f.write_str(name)
    }
}

impl From<Order> for String {
    fn from(order: Order) -> Self {
        order.to_string()
    }
}

impl TryFrom<String> for Order {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// The order of one epoch over `len` samples, in O(1) memory.
#[derive(Clone, Debug)]
pub struct EpochOrder {
    len: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Sequential,
    Replacement(Key),
    Permutation(Feistel),
}

impl EpochOrder {
    /// The order of `epoch` (from 0) over `len` samples.
    pub fn new(order: Order, len: usize, seed: u64, epoch: u32) -> Self {
        let len = len as u64;
        let permutation = |epoch| Kind::Permutation(Feistel::new(len, seed, epoch));
        let kind = match order {
            Order::Sequential => Kind::Sequential,
            Order::Replacement => Kind::Replacement(Key { seed, purpose: Purpose::Replacement, epoch }),
            Order::Fixed => permutation(0),
            Order::Shuffled => permutation(epoch),
        };
        Self { len, kind }
    }

    /// Index of the sample at `position`, both in `0..len`.
    pub fn index(&self, position: usize) -> usize {
        let position = position as u64;
        let index = match &self.kind {
            Kind::Sequential => position,
            Kind::Replacement(key) => {
                let [low, high, ..] = key.block(position, 0);
                let bits = u64::from(high) << 32 | u64::from(low);
                ((u128::from(bits) * u128::from(self.len)) >> 64) as u64
            }
            Kind::Permutation(feistel) => feistel.walk(position, self.len),
        };
        index as usize
    }
}

/// A keyed permutation of `0..2^(2 half)`: a balanced Feistel network, walked until it lands below `len`.
///
/// Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002 (cycle walking).
#[derive(Clone, Debug)]
struct Feistel {
    half: u32,
    keys: [u32; ROUNDS],
}

const ROUNDS: usize = 8;
/// Smaller domains have too few keyed permutations to be fair; at 256 all orders of 5 samples are equally likely.
const MIN_HALF: u32 = 4;

impl Feistel {
    fn new(len: u64, seed: u64, epoch: u32) -> Self {
        let bits = 64 - len.saturating_sub(1).leading_zeros();
        let key = Key { seed, purpose: Purpose::Order, epoch };
        let ([a, b, c, d], [e, f, g, h]) = (key.block(0, 0), key.block(0, 1));
        Self { half: bits.div_ceil(2).max(MIN_HALF), keys: [a, b, c, d, e, f, g, h] }
    }

    /// Expected number of steps: below 4 from 64 samples on, since the domain is then below 4 `len`.
    fn walk(&self, position: u64, len: u64) -> u64 {
        let mut at = position;
        loop {
            at = self.permute(at);
            if at < len {
                return at;
            }
        }
    }

    fn permute(&self, at: u64) -> u64 {
        let mask = (1_u64 << self.half) - 1;
        let (mut left, mut right) = (at >> self.half, at & mask);
        for &key in &self.keys {
            (left, right) = (right, left ^ (mix(right as u32 ^ key) as u64 & mask));
        }
        left << self.half | right
    }
}

/// The 32-bit finaliser of MurmurHash3: every input bit reaches every output bit.
fn mix(mut x: u32) -> u32 {
    x = (x ^ x >> 16).wrapping_mul(0x85eb_ca6b);
    x = (x ^ x >> 13).wrapping_mul(0xc2b2_ae35);
    x ^ x >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(order: Order, len: usize, epoch: u32) -> Vec<usize> {
        let order = EpochOrder::new(order, len, 5, epoch);
        (0..len).map(|position| order.index(position)).collect()
    }

    #[test]
    fn shuffled_and_fixed_visit_every_sample_once() {
        for len in [1, 2, 3, 5, 16, 17, 100, 1_000, 4_097] {
            for order in [Order::Shuffled, Order::Fixed] {
                let mut seen = visit(order, len, 3);
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..len), "{order}, {len} samples");
            }
        }
    }

    #[test]
    fn shuffled_differs_between_epochs_and_fixed_does_not() {
        assert_ne!(visit(Order::Shuffled, 100, 0), visit(Order::Shuffled, 100, 1));
        assert_eq!(visit(Order::Fixed, 100, 0), visit(Order::Fixed, 100, 1));
        assert_eq!(visit(Order::Sequential, 4, 7), [0, 1, 2, 3]);
    }

    #[test]
    fn replacement_misses_about_one_sample_in_e() {
        let mut seen = visit(Order::Replacement, 20_000, 0);
        seen.sort_unstable();
        seen.dedup();
        let missed = 1.0 - seen.len() as f64 / 20_000.0;
        assert!((missed - (-1.0_f64).exp()).abs() < 0.01, "missed {missed}");
    }

    /// Pearson's chi-squared over the 120 orders of 5 samples: 119 degrees of freedom, so below 190 but in 1 of 30,000.
    #[test]
    fn all_orders_of_five_samples_are_about_equally_frequent() {
        let mut counts = std::collections::HashMap::new();
        for seed in 0..24_000 {
            let order = EpochOrder::new(Order::Shuffled, 5, seed, 0);
            *counts.entry([0, 1, 2, 3, 4].map(|position| order.index(position))).or_insert(0_i32) += 1;
        }
        let chi: f64 = counts.values().map(|&n| f64::from(n - 200).powi(2) / 200.0).sum();
        assert!(counts.len() == 120 && chi < 190.0, "{} orders, chi-squared {chi}", counts.len());
    }

    #[test]
    fn order_names_survive_a_round_trip() {
        for (name, order) in NAMES {
            assert_eq!(name.parse::<Order>().unwrap(), order);
            assert_eq!(order.to_string(), name);
        }
        assert!("random".parse::<Order>().is_err());
    }
}
