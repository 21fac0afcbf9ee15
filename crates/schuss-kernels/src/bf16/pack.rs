//! Conversion from f32 to tiles of bf16.

use super::tile::{DEPTH, SIDE, Tile};
use crate::matrix::Matrix;
use crate::{Kernel, Vector};

/// Factor of a product: its `lines` are the rows of A or the columns of B, each of `depth` terms. `line` and
/// `term` are the strides from one line and one term to the next, in numbers; one of them is 1.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a> {
    data: &'a [f32],
    line: usize,
    term: usize,
    pub(crate) lines: usize,
    pub(crate) depth: usize,
}

impl<'a> Factor<'a> {
    /// Uses the rows of a matrix as lines.
    pub(crate) fn rows(m: Matrix<'a>) -> Self {
        let ((lines, depth), line) = (m.shape(), m.stride());
        Self { data: m.data(), line, term: 1, lines, depth }
    }

    /// Uses the columns of a matrix as lines.
    pub(crate) fn columns(m: Matrix<'a>) -> Self {
        let ((depth, lines), term) = (m.shape(), m.stride());
        Self { data: m.data(), line: 1, term, lines, depth }
    }

    /// Returns the number of panels of 16 lines.
    pub(crate) fn panels(&self) -> usize {
        self.lines.div_ceil(SIDE)
    }

    /// Returns true if the terms of a line are contiguous.
    fn is_by_lines(&self) -> bool {
        self.term == 1
    }

    /// Returns 16 pairs of neighbouring terms in storage order: all of the line `first_line + i`, or pair i
    /// of all lines. Zeros beyond the factor.
    #[inline(always)]
    fn pairs(&self, first_line: usize, first_term: usize, i: usize) -> [[f32; SIDE]; 2] {
        if self.is_by_lines() {
            let terms: [f32; DEPTH] = self.line(first_line + i, first_term);
            [std::array::from_fn(|i| terms[2 * i]), std::array::from_fn(|i| terms[2 * i + 1])]
        } else {
            let term = first_term + 2 * i;
            [self.column(term, first_line), self.column(term + 1, first_line)]
        }
    }

    #[inline(always)]
    fn line(&self, line: usize, first: usize) -> [f32; DEPTH] {
        if line < self.lines {
            numbers(&self.data[line * self.line..], first..self.depth)
        } else {
            [0.0; DEPTH]
        }
    }

    #[inline(always)]
    fn column(&self, term: usize, first: usize) -> [f32; SIDE] {
        if term < self.depth {
            numbers(&self.data[term * self.term..], first..self.lines)
        } else {
            [0.0; SIDE]
        }
    }
}

/// Returns the first `N` numbers of a range, padded with zeros.
#[inline(always)]
fn numbers<const N: usize>(data: &[f32], range: std::ops::Range<usize>) -> [f32; N] {
    let here = &data[range];
    if let Some(full) = here.first_chunk() {
        return *full;
    }
    let mut numbers = [0.0; N];
    numbers[..here.len()].copy_from_slice(here);
    numbers
}

/// Packs one panel of a factor.
pub(crate) struct Pack<'a> {
    pub(crate) factor: Factor<'a>,
    /// True for the right factor.
    pub(crate) right: bool,
    /// Number of bf16 per number: 1, or 2 whose sum it is.
    pub(crate) parts: usize,
    pub(crate) panel: usize,
    pub(crate) to: &'a mut [Tile],
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { factor, right, parts, panel, to } = self;
        for (step, to) in to.chunks_exact_mut(parts).enumerate() {
            for i in 0..SIDE {
                let [even, odd] = factor.pairs(panel * SIDE, step * DEPTH, i);
                to[0].0[i] = pair(even, odd);
                if parts > 1 {
                    to[1].0[i] = pair(even.map(rest), odd.map(rest));
                }
            }
            if right == factor.is_by_lines() {
                to.iter_mut().for_each(transpose);
            }
        }
    }
}

#[inline(always)]
fn transpose(tile: &mut Tile) {
    let from = *tile;
    for (i, row) in tile.0.iter_mut().enumerate() {
        for (to, from) in row.iter_mut().zip(&from.0) {
            *to = from[i];
        }
    }
}

#[inline(always)]
fn pair(even: [f32; SIDE], odd: [f32; SIDE]) -> [u32; SIDE] {
    std::array::from_fn(|i| round(even[i]) >> 16 | round(odd[i]))
}

/// Returns the bits of the nearest bf16, ties to even, as an f32. NaN stays NaN; values beyond the largest
/// become infinite.
#[inline(always)]
pub(crate) fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    (if x.is_nan() { bits | 0x0040_0000 } else { rounded }) & 0xffff_0000
}

/// Returns the rounding error of a number: exact, and NaN for a number that is not finite.
#[inline(always)]
pub(crate) fn rest(x: f32) -> f32 {
    x - f32::from_bits(round(x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::Sample;

    #[test]
    fn rounding_is_to_the_nearest_bf16_and_to_the_even_one_of_two() {
        for (x, expected) in [
            (1.0, 1.0),
            (1.0 + 1.0 / 256.0, 1.0),              // halfway, down to even
            (1.0 + 3.0 / 256.0, 1.0 + 1.0 / 64.0), // halfway, up to even
            (1.0 + 1.001 / 256.0, 1.0 + 1.0 / 128.0),
            (-0.0, -0.0),
            (f32::INFINITY, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
        ] {
            assert_eq!(round(x), f32::to_bits(expected), "{x}");
        }
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
            assert!(f32::from_bits(round(nan)).is_nan());
        }
    }

    #[test]
    fn two_bf16_hold_a_number_to_sixteen_bits() {
        for x in Sample::new(1).vector(10_000, 1.0) {
            let two = f32::from_bits(round(x)) + f32::from_bits(round(rest(x)));
            assert!((two - x).abs() <= x.abs() / 65_536.0, "{x}");
        }
    }
}
