//! A keyed permutation of `0..len` in O(1) memory.

use crate::random::Key;
use std::ops::Range;

/// Balanced Feistel network over `0..2^(2 half)`, iterated until it lands below `len`.
///
/// Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002 (cycle walking).
#[derive(Clone, Debug)]
pub(crate) struct Permutation {
    len: u64,
    half: u32,
    keys: [u32; ROUNDS],
}

const ROUNDS: usize = 8;
/// Elements that are computed side by side, so that a processor overlaps them.
const LANES: usize = 4;
/// Maximum number of elements whose walks are kept together.
const CHUNK: usize = 64;
/// Minimum of `half`: smaller domains have too few keyed permutations to be fair; at 256 all orders of 5
/// samples are equally likely.
const MIN_HALF: u32 = 4;

impl Permutation {
    /// Returns permutation number `number` of a stream, of `0..len`.
    pub(crate) fn new(len: u64, key: Key, number: u64) -> Self {
        let bits = 64 - len.saturating_sub(1).leading_zeros();
        let ([a, b, c, d], [e, f, g, h]) = (key.block(number, 0), key.block(number, 1));
        Self { len, half: bits.div_ceil(2).max(MIN_HALF), keys: [a, b, c, d, e, f, g, h] }
    }

    /// Returns the element at `position`; both are below `len`.
    ///
    /// Expected number of steps: below 4 from `len` 64 on, since the domain is then smaller than 4 `len`.
    pub(crate) fn at(&self, position: u64) -> u64 {
        let mut at = position;
        loop {
            [at] = self.permute([at]);
            if at < self.len {
                return at;
            }
        }
    }

    /// Appends the elements at `positions`, all below `len`.
    pub(crate) fn extend(&self, positions: Range<usize>, to: &mut Vec<usize>) {
        let begin = to.len();
        to.extend(positions);
        to[begin..].chunks_mut(CHUNK).for_each(|chunk| self.walk(chunk));
    }

    /// Replaces at most `CHUNK` positions by their elements. Those whose step ended outside go on together, in lanes that do
    /// not wait for one another.
    fn walk(&self, chunk: &mut [usize]) {
        let mut outside: [usize; CHUNK] = std::array::from_fn(|place| place);
        let mut count = chunk.len();
        while count > 0 {
            let mut still = 0;
            for first in (0..count).step_by(LANES) {
                let lanes = LANES.min(count - first);
                let places: [usize; LANES] = std::array::from_fn(|lane| outside[first + lane.min(lanes - 1)]);
                let next = self.permute(places.map(|place| chunk[place] as u64));
                for (&place, at) in places.iter().zip(next).take(lanes) {
                    chunk[place] = at as usize;
                    outside[still] = place;
                    still += usize::from(at >= self.len);
                }
            }
            count = still;
        }
    }

    fn permute<const N: usize>(&self, at: [u64; N]) -> [u64; N] {
        let mask = (1_u64 << self.half) - 1;
        let (mut left, mut right) = (at.map(|at| at >> self.half), at.map(|at| at & mask));
        for &key in &self.keys {
            for (left, right) in left.iter_mut().zip(&mut right) {
                (*left, *right) = (*right, *left ^ (u64::from(mix(*right as u32 ^ key)) & mask));
            }
        }
        std::array::from_fn(|lane| left[lane] << self.half | right[lane])
    }
}

/// 32-bit finaliser of MurmurHash3: every input bit affects every output bit.
fn mix(mut x: u32) -> u32 {
    x = (x ^ x >> 16).wrapping_mul(0x85eb_ca6b);
    x = (x ^ x >> 13).wrapping_mul(0xc2b2_ae35);
    x ^ x >> 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn every_index_stands_at_one_position() {
        let key = Key { seed: 3, purpose: Purpose::Order, epoch: 1 };
        for len in [1, 2, 5, 16, 255, 257, 4_097] {
            let permutation = Permutation::new(len, key, 7);
            let mut seen: Vec<u64> = (0..len).map(|position| permutation.at(position)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..len), "{len}");
        }
    }

    #[test]
    fn many_elements_at_once_are_those_of_their_positions() {
        let key = Key { seed: 3, purpose: Purpose::Order, epoch: 1 };
        for len in [1, 5, 257, 569, 4_097] {
            let permutation = Permutation::new(len as u64, key, 7);
            let mut found = vec![9];
            permutation.extend(len / 3..len, &mut found);
            let expected = (len / 3..len).map(|position| permutation.at(position as u64) as usize);
            assert!(found.into_iter().eq([9].into_iter().chain(expected)), "{len}");
        }
    }

    #[test]
    fn permutations_of_a_stream_differ() {
        let key = Key { seed: 3, purpose: Purpose::Order, epoch: 1 };
        let [a, b] = [0, 1].map(|number| Permutation::new(100, key, number));
        assert!((0..100).filter(|&position| a.at(position) == b.at(position)).count() < 10);
    }
}
