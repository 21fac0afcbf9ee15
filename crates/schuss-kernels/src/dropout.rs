//! Dropout: every element becomes zero with probability p, the others are divided by 1 − p.

use crate::matrix::{Matrix, MatrixMut};
use crate::passes::{self, Map};
use crate::{LANES, Team, Vector};

/// Cost of drawing for an element, in multiply-adds.
const WORK: usize = 16;

/// Random words per call: one for each of this many neighbouring columns.
const BLOCK: usize = 4;

/// Y ← X with elements dropped, both `[m, n]`; the gradient is the same pass over Dʸ with the same words.
///
/// `words(row, block)` returns four random words for columns 4 block .. 4 block + 4; an element is dropped if
/// its word is below p 2³². It must return the same words on every call.
///
/// # Panics
/// If the shapes differ.
pub fn dropout(
    team: &mut Team,
    p: f64,
    words: impl Fn(usize, usize) -> [u32; BLOCK] + Sync,
    x: Matrix,
    y: MatrixMut,
) {
    let threshold = (p * 4_294_967_296.0) as u64;
    let kept = if threshold > u64::from(u32::MAX) { 0.0 } else { (1.0 / (1.0 - p)) as f32 };
    passes::map(team, &Dropout { threshold, kept, words }, WORK, [x], y);
}

struct Dropout<W> {
    threshold: u64,
    /// Factor of the kept elements.
    kept: f32,
    words: W,
}

impl<W: Fn(usize, usize) -> [u32; BLOCK] + Sync> Map<1> for Dropout<W> {
    #[inline(always)]
    fn apply<V: Vector>(&self, row: usize, col: usize, [x]: [V; 1]) -> V {
        let mut factors = [0.0; LANES];
        for (i, factors) in factors.chunks_exact_mut(BLOCK).enumerate() {
            for (factor, word) in factors.iter_mut().zip((self.words)(row, col / BLOCK + i)) {
                *factor = if u64::from(word) < self.threshold { 0.0 } else { self.kept };
            }
        }
        // SAFETY: the array is 16 numbers long.
        x * unsafe { V::load(factors.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::{Sample, pad};
    use crate::testing::{SHAPES, dense, everywhere, stale};

    /// Returns a word that depends only on row and column.
    fn word(row: usize, col: usize) -> u32 {
        let mixed = ((row * 1_000 + col) as u32 ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b1);
        (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b)
    }

    fn words(row: usize, block: usize) -> [u32; BLOCK] {
        std::array::from_fn(|i| word(row, block * BLOCK + i))
    }

    #[test]
    fn an_element_is_dropped_where_its_word_is_below_p_and_scaled_elsewhere() {
        for ((m, n), p) in SHAPES.into_iter().zip([0.5, 0.2, 0.9, 0.0, 1.0, 0.25]) {
            let x = Sample::new(n as u64).vector(m * n, 1.0);
            let padded = pad(&x, m, n);
            let y = everywhere(|team| {
                let mut y = stale(m, n);
                dropout(team, p, words, Matrix::new(&padded, m, n), MatrixMut::new(&mut y, m, n));
                dense(&y, m, n)
            });
            for (i, (y, x)) in y.into_iter().zip(x).enumerate() {
                let keeps = f64::from(word(i / n, i % n)) >= p * 4_294_967_296.0;
                assert_eq!(y, if keeps { x * (1.0 / (1.0 - p)) as f32 } else { 0.0 }, "{m} x {n}, p = {p}");
            }
        }
    }

    #[test]
    fn about_the_fraction_p_is_dropped() {
        let (m, n) = (100, 100);
        let ones = pad(&vec![1.0; m * n], m, n);
        let mut y = stale(m, n);
        let to = MatrixMut::new(&mut y, m, n);
        dropout(&mut Team::new(2).unwrap(), 0.3, words, Matrix::new(&ones, m, n), to);
        let dropped = dense(&y, m, n).into_iter().filter(|&y| y == 0.0).count();
        assert!((2_800..3_200).contains(&dropped), "{dropped} of 10,000");
    }
}
