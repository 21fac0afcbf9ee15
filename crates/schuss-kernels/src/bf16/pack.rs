//! Conversion from f32 to tiles of bf16.

use super::tile::{DEPTH, SIDE, Tile};
use crate::matrix::Matrix;
use crate::{Kernel, LANES, Vector};

/// Factor of a product: its lines are the rows of A or the columns of B, and the terms of a line are multiplied
/// with those of a line of the other factor.
#[derive(Clone, Copy)]
pub(crate) struct Factor<'a> {
    data: Matrix<'a>,
    /// True if the rows of `data` are the lines, false if its columns are.
    by_rows: bool,
}

impl<'a> Factor<'a> {
    /// Uses the rows of a matrix as lines.
    pub(crate) fn rows(data: Matrix<'a>) -> Self {
        Self { data, by_rows: true }
    }

    /// Uses the columns of a matrix as lines.
    pub(crate) fn columns(data: Matrix<'a>) -> Self {
        Self { data, by_rows: false }
    }

    /// Returns the number of lines.
    pub(crate) fn lines(&self) -> usize {
        let (rows, cols) = self.data.shape();
        if self.by_rows { rows } else { cols }
    }

    /// Returns the number of terms of a line.
    pub(crate) fn depth(&self) -> usize {
        let (rows, cols) = self.data.shape();
        if self.by_rows { cols } else { rows }
    }

    /// Returns the number of panels of 16 lines.
    pub(crate) fn panels(&self) -> usize {
        self.lines().div_ceil(SIDE)
    }

    /// Returns the tile from a line and a term on.
    fn tile(&self, first_line: usize, first_term: usize) -> Source<'a> {
        let [row, col] = if self.by_rows { [first_line, first_term] } else { [first_term, first_line] };
        let [height, width] = if self.by_rows { [SIDE, DEPTH] } else { [DEPTH, SIDE] };
        let (rows, cols) = self.data.shape();
        let (rows, cols) = (height.min(rows - row), width.min(cols - col));
        let from = &self.data.data()[row * self.data.stride() + col..];
        Source {
            from,
            stride: self.data.stride(),
            rows,
            cols,
            by_rows: self.by_rows,
            is_whole: rows == height && cols == width,
        }
    }
}

/// Numbers of a tile where they stand.
struct Source<'a> {
    from: &'a [f32],
    stride: usize,
    rows: usize,
    cols: usize,
    by_rows: bool,
    /// True if the factor has all rows and columns of the tile.
    is_whole: bool,
}

impl Source<'_> {
    /// Returns 16 pairs of neighbouring terms in storage order, even and odd terms apart: all of line i, or
    /// pair i of all lines. Zeros beyond the factor.
    #[inline(always)]
    fn pairs<V: Vector, const WHOLE: bool>(&self, i: usize) -> [V; 2] {
        if self.by_rows {
            V::unzip(self.sixteen::<V, WHOLE>(i, 0), self.sixteen::<V, WHOLE>(i, LANES))
        } else {
            [self.sixteen::<V, WHOLE>(2 * i, 0), self.sixteen::<V, WHOLE>(2 * i + 1, 0)]
        }
    }

    /// Returns 16 numbers of a row from column `col` on; zeros beyond the factor.
    #[inline(always)]
    fn sixteen<V: Vector, const WHOLE: bool>(&self, row: usize, col: usize) -> V {
        if WHOLE {
            // SAFETY: whole sources have this row and 16 numbers from `col` on.
            return unsafe { V::load(self.from.as_ptr().add(row * self.stride + col)) };
        }
        let mut numbers = [0.0; LANES];
        if row < self.rows && col < self.cols {
            let here = LANES.min(self.cols - col);
            numbers[..here].copy_from_slice(&self.from[row * self.stride + col..][..here]);
        }
        // SAFETY: an array of 16 numbers.
        unsafe { V::load(numbers.as_ptr()) }
    }
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
            let source = factor.tile(panel * SIDE, step * DEPTH);
            if source.is_whole {
                convert::<V, true>(&source, to);
            } else {
                convert::<V, false>(&source, to);
            }
            if right == factor.by_rows {
                for tile in to {
                    tile.transpose::<V>();
                }
            }
        }
    }
}

/// Converts a tile in storage order, to one bf16 per number or to two.
#[inline(always)]
fn convert<V: Vector, const WHOLE: bool>(source: &Source, to: &mut [Tile]) {
    match to {
        [high, low] => {
            for i in 0..SIDE {
                split(source.pairs::<V, WHOLE>(i), i, high, low);
            }
        }
        [high, ..] => {
            for i in 0..SIDE {
                let [even, odd] = source.pairs::<V, WHOLE>(i);
                high.set_row(i, even.to_bf16().pair_bf16(odd.to_bf16()));
            }
        }
        [] => {}
    }
}

/// Sets row `i` of two tiles to the nearest bf16 of pairs of numbers, and to those of the rounding errors: exact
/// differences, NaN for a number that is not finite.
#[inline(always)]
fn split<V: Vector>([even, odd]: [V; 2], i: usize, high: &mut Tile, low: &mut Tile) {
    let (high_even, high_odd) = (even.to_bf16(), odd.to_bf16());
    high.set_row(i, high_even.pair_bf16(high_odd));
    low.set_row(i, (even - high_even).to_bf16().pair_bf16((odd - high_odd).to_bf16()));
}

/// Returns the bits of the nearest bf16, ties to even, as an f32. NaN stays NaN; values beyond the largest
/// become infinite.
#[inline(always)]
pub(crate) fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    (if x.is_nan() { bits | 0x0040_0000 } else { rounded }) & 0xffff_0000
}

#[cfg(test)]
mod tests;
