//! Orders in which an epoch visits the training set: position -> index, a pure function of (seed, epoch, position).

mod blocks;
mod permutation;

use crate::random::{Key, Purpose};
use crate::spec::{Item, unknown};
use crate::{Error, Result};
pub(crate) use blocks::Groups;
pub use blocks::Mix;
use blocks::Mixed;
pub(crate) use permutation::Permutation;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Order of the samples in an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Order {
    /// A fresh permutation every epoch. This is the default.
    #[default]
    Shuffled,
    /// One permutation, the same in all epochs: the batches never change.
    Fixed,
    /// In file order.
    Sequential,
    /// Drawn with replacement at every position, so some samples come twice and some not at all.
    Replacement,
    /// Blocks of consecutive samples in a fresh order every epoch, with the samples of this many blocks mixed at a
    /// time: `blocks:64`.
    Blocks(Mix),
}

const NAMES: [(&str, Order); 4] = [
    ("shuffled", Order::Shuffled),
    ("fixed", Order::Fixed),
    ("sequential", Order::Sequential),
    ("replacement", Order::Replacement),
];

impl Order {
    /// Accepted spellings; `blocks` takes any number.
    pub const NAMES: &'static [&'static str] =
        &["shuffled", "fixed", "sequential", "replacement", "blocks:64"];

    /// Returns true if every epoch has an order of its own.
    pub fn changes(self) -> bool {
        matches!(self, Self::Shuffled | Self::Replacement | Self::Blocks(_))
    }
}

impl FromStr for Order {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let item = Item::parse(text)?;
        if item.name == "blocks" {
            return Mix::parse(&item).map(Self::Blocks);
        }
        let Some((name, order)) = NAMES.iter().find(|(name, _)| *name == item.name) else {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).chain(["blocks"]).collect();
            return Err(unknown("order", &item.name, "", &known));
        };
        if !item.args.is_empty() {
            return Err(Error::usage(format!("order `{name}` takes no value, but `{text}` gives it one"))
                .advise(format!("--order {name}")));
        }
        Ok(*order)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMES.iter().find(|(_, order)| order == self)) {
            (Self::Blocks(mix), _) => mix.fmt(f),
            (_, Some((name, _))) => f.write_str(name),
            (_, None) => Ok(()),
        }
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
    kind: Scheme,
}

#[derive(Clone, Debug)]
enum Scheme {
    Sequential,
    Replacement(Key),
    Permutation(Permutation),
    Blocks(Mixed),
}

impl EpochOrder {
    /// Creates the order of `epoch` (from 0) over `len` samples.
    pub fn new(order: Order, len: usize, seed: u64, epoch: u32) -> Self {
        let len = len as u64;
        let key = |epoch| Key { seed, purpose: Purpose::Order, epoch };
        let kind = match order {
            Order::Sequential => Scheme::Sequential,
            Order::Replacement => Scheme::Replacement(Key { purpose: Purpose::Replacement, ..key(epoch) }),
            Order::Fixed => Scheme::Permutation(Permutation::new(len, key(0), 0)),
            Order::Shuffled => Scheme::Permutation(Permutation::new(len, key(epoch), 0)),
            Order::Blocks(mix) => Scheme::Blocks(Mixed::new(mix, len, key(epoch))),
        };
        Self { len, kind }
    }

    /// Returns the index of the sample at `position`, both in `0..len`.
    pub fn index(&self, position: usize) -> usize {
        let position = position as u64;
        let index = match &self.kind {
            Scheme::Sequential => position,
            Scheme::Replacement(key) => {
                let [low, high, ..] = key.block(position, 0);
                let bits = u64::from(high) << 32 | u64::from(low);
                ((u128::from(bits) * u128::from(self.len)) >> 64) as u64
            }
            Scheme::Permutation(permutation) => permutation.at(position),
            Scheme::Blocks(mixed) => mixed.at(position),
        };
        index as usize
    }

    /// Replaces `indices` by those of the samples at `positions`.
    pub(crate) fn write_indices(&self, positions: Range<usize>, indices: &mut Vec<usize>) {
        indices.clear();
        match &self.kind {
            Scheme::Permutation(permutation) => permutation.extend(positions, indices),
            _ => indices.extend(positions.map(|position| self.index(position))),
        }
    }
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

    /// Orders as in the first release: the order is part of what a trial's bits depend on.
    #[test]
    fn orders_stay_the_same_for_ever() {
        let known = [
            ("shuffled", [47_864, 40_041, 46_070, 22_800]),
            ("fixed", [51_772, 19_196, 50_047, 11_497]),
            ("sequential", [0, 1, 2, 3]),
            ("replacement", [12_944, 7_851, 53_185, 29_895]),
            ("blocks:4,size=100", [3_080, 24_220, 24_245, 16_185]),
        ];
        for (order, first) in known {
            assert_eq!(visit(order.parse().unwrap(), 60_000, 2)[..4], first, "{order}");
        }
    }

    /// Pearson's chi-squared over the 120 orders of 5 samples: 119 degrees of freedom, so above 190 in only 1 of 30,000
    /// runs.
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
        assert_eq!("Shuffled".parse::<Order>().unwrap(), Order::Shuffled);
    }

    #[test]
    fn an_order_that_is_not_known_is_answered_with_the_nearest() {
        let error = "shuffeld".parse::<Order>().unwrap_err();
        assert_eq!(error.what, "unknown order `shuffeld`");
        let advice = "did you mean `shuffled`?   known: shuffled fixed sequential replacement blocks";
        assert_eq!(error.advice.as_deref(), Some(advice));
        let error = "shuffled:64".parse::<Order>().unwrap_err();
        assert_eq!(error.what, "order `shuffled` takes no value, but `shuffled:64` gives it one");
    }
}
