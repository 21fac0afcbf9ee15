//! Register tiles: one chain of fused multiply-adds per output, in index order.

use crate::{Kernel, LANES, Vector};
use std::ops::Range;

/// Most rows of a tile, on any instruction set.
const MOST_ROWS: usize = 14;
/// Terms of the right factor that are prefetched ahead: processors do not expect rows that are far apart.
const AHEAD: usize = 8;
/// Most panels of 16 columns of a tile.
const MOST_PANELS: usize = 2;

/// Sources of a tile: the left factor's first row and the strides to its next row and term; the right factor's first
/// panel of 16 columns and the stride to its next term. Panels stand side by side.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    pub(crate) a: *const f32,
    pub(crate) row: usize,
    pub(crate) step: usize,
    pub(crate) b: *const f32,
    pub(crate) stride: usize,
}

/// Sums of a tile on their way to an epilogue, row after row of panels.
#[repr(C, align(64))]
pub(crate) struct Sums([f32; MOST_ROWS * MOST_PANELS * LANES]);

impl Sums {
    pub(crate) const ZERO: Self = Self([0.0; MOST_ROWS * MOST_PANELS * LANES]);

    /// Returns the place of the sums of a tile that is `panels` wide.
    #[inline(always)]
    pub(crate) fn place(&mut self, panels: usize) -> Place {
        Place { first: self.0.as_mut_ptr(), stride: panels * LANES }
    }
}

/// Place of the sums of a tile: its first row, and the stride to the next. Panels stand side by side.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) first: *mut f32,
    pub(crate) stride: usize,
}

impl Place {
    /// # Safety
    /// The tile has this row and this panel.
    #[inline(always)]
    pub(crate) unsafe fn at(self, row: usize, panel: usize) -> *mut f32 {
        // SAFETY: promised by the caller.
        unsafe { self.first.add(row * self.stride + panel * LANES) }
    }
}

/// Outputs of a tile: rows from `row` on, panels of 16 columns from column `col` on.
#[derive(Clone, Copy)]
pub(crate) struct Outputs {
    pub(crate) row: usize,
    pub(crate) rows: usize,
    pub(crate) col: usize,
    pub(crate) panels: usize,
}

impl Outputs {
    /// Returns the outputs of a block of up to `height` of the `rows` rows, in some panels.
    #[inline(always)]
    pub(crate) fn of_block(block: usize, height: usize, rows: usize, panels: Range<usize>) -> Self {
        let row = block * height;
        Self { row, rows: height.min(rows - row), col: panels.start * LANES, panels: panels.len() }
    }
}

/// Returns the height of blocks of up to `TILE_ROWS` rows, as equal as possible.
#[inline(always)]
pub(crate) fn block_height<V: Vector>(rows: usize) -> usize {
    rows.div_ceil(rows.div_ceil(V::TILE_ROWS).max(1)).max(1)
}

/// Terms of the sums of a tile.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// Number of terms per sum.
    pub(crate) depth: usize,
    /// True if sums start from zero rather than from what they are.
    pub(crate) fresh: bool,
}

/// Adds terms to the sums of a tile of up to `TILE_ROWS` rows and `TILE_PANELS` panels.
///
/// # Safety
/// For every k below the depth, `factors` reaches `rows` numbers of A and `16 panels` of B. `sums` is a place of so many
/// rows and panels, which nothing else accesses meanwhile.
#[inline(always)]
pub(crate) unsafe fn accumulate<V: Vector>(
    rows: usize,
    panels: usize,
    terms: Terms,
    factors: Factors,
    sums: Place,
) {
    macro_rules! chains {
        ($($rows:literal)*) => {
            match (rows, panels) {
                $(
                    ($rows, 1) if const { $rows <= V::TILE_ROWS } => {
                        V::call(Chains::<$rows, 1> { terms, factors, to: sums })
                    }
                    ($rows, 2) if const { $rows <= V::TILE_ROWS && V::TILE_PANELS > 1 } => {
                        V::call(Chains::<$rows, 2> { terms, factors, to: sums })
                    }
                )*
                _ => unreachable!("no tile has {rows} rows and {panels} panels"),
            }
        };
    }
    chains!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// Chains of R x P vectors in registers; compiled once, not for every epilogue.
struct Chains<const R: usize, const P: usize> {
    terms: Terms,
    factors: Factors,
    to: Place,
}

impl<const R: usize, const P: usize> Kernel for Chains<R, P> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Factors { a, row, step, b, stride } = self.factors;
        let to = self.to;
        let mut sums = [[V::splat(0.0); P]; R];
        // SAFETY: promised by the caller of `accumulate`.
        unsafe {
            if !self.terms.fresh {
                for (r, sums) in sums.iter_mut().enumerate() {
                    for (p, sum) in sums.iter_mut().enumerate() {
                        *sum = V::load(to.at(r, p));
                    }
                }
            }
            for k in 0..self.terms.depth {
                let mut panels = [V::splat(0.0); P];
                for (p, panel) in panels.iter_mut().enumerate() {
                    *panel = V::load(b.wrapping_add(k * stride + p * LANES));
                    V::prefetch(b.wrapping_add((k + AHEAD) * stride + p * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let factor = V::splat(f64::from(*a.wrapping_add(r * row + k * step)));
                    for (sum, panel) in sums.iter_mut().zip(panels) {
                        *sum = factor.mul_add(panel, *sum);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                for (p, sum) in sums.iter().enumerate() {
                    sum.store(to.at(r, p));
                }
            }
        }
    }
}
