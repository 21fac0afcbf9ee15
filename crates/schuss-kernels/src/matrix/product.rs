//! C = A B in register tiles: one chain of fused multiply-adds per output, in index order.

use super::Matrix;
use super::epilogue::Epilogue;
use crate::team::share;
use crate::{Buffer, Kernel, LANES, Team, Vector};
use std::cell::Cell;
use std::ops::Range;

/// Left factor: element (row, k) is at `row * self.row + k * self.step`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row: usize,
    pub(crate) step: usize,
}

impl<'a> Left<'a> {
    /// X itself.
    pub(crate) fn rows(x: Matrix<'a>) -> Self {
        Self { data: x.data, row: x.stride, step: 1 }
    }

    /// Xᵀ, read from X in place.
    pub(crate) fn transposed(x: Matrix<'a>) -> Self {
        Self { data: x.data, row: 1, step: x.stride }
    }
}

/// Shape of a product: output rows, stride of the right factor's rows, terms per sum.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) stride: usize,
    pub(crate) depth: usize,
}

/// Computes C = A B with the epilogue's start and finish, spread over the team.
pub(crate) fn multiply<E: Epilogue>(team: &mut Team, a: Left, b: &[f32], shape: Shape, epilogue: &E) {
    let (isa, parts) = (team.isa(), team.parts());
    team.run(shape.rows * shape.stride * shape.depth, |part| {
        isa.run(Multiply { a, b, shape, epilogue, part, parts });
    });
}

pub(crate) struct Multiply<'a, E> {
    a: Left<'a>,
    b: &'a [f32],
    shape: Shape,
    epilogue: &'a E,
    part: usize,
    parts: usize,
}

/// Panels of 16 columns multiplied with one row at once: enough chains to hide the latency of FMA.
const WIDE: usize = 4;
/// Sums shorter than this go row by row: packing would cost more than it saves.
const SHORT: usize = 12;
/// Number of panels below which packing the left factor does not pay.
const FEW_PANELS: usize = 4;
/// Rows of a panel of B, a cache line of 64 bytes each, that fill half of the L1 cache.
const FIRST_CACHE_ROWS: usize = 256;
/// Numbers of the left factor packed at once: a share of the L2 cache.
const PACKED_LEFT: usize = 1 << 16;

/// Source of a tile: the left factor's first row and the strides to its next row and term; the right factor's
/// first 16 columns and the stride to its next term.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    a: *const f32,
    row: usize,
    step: usize,
    b: *const f32,
    stride: usize,
}

impl Factors {
    /// Uses a block of the left factor and a panel of the right one, both packed.
    #[inline(always)]
    pub(crate) fn packed<V: Vector>(block: &[f32], panel: &[f32]) -> Self {
        Self { a: block.as_ptr(), row: 1, step: V::TILE_ROWS, b: panel.as_ptr(), stride: LANES }
    }
}

impl<E: Epilogue> Kernel for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        if self.shape.rows < V::TILE_ROWS || self.shape.depth < SHORT {
            self.row_by_row::<V>();
        } else if self.a.step == 1 || self.shape.stride < FEW_PANELS * LANES {
            self.panel_by_panel::<V>();
        } else {
            self.block_by_block::<V>();
        }
    }
}

impl<'a, E: Epilogue> Multiply<'a, E> {
    /// Creates a product whose tiles are called one by one, with a right factor of the caller's.
    pub(crate) fn alone(a: Left<'a>, shape: Shape, epilogue: &'a E) -> Self {
        Self { a, b: &[], shape, epilogue, part: 0, parts: 1 }
    }

    /// For few rows or short sums: each row times groups of panels, B read in place.
    #[inline(always)]
    fn row_by_row<V: Vector>(&self) {
        let panels = self.shape.stride / LANES;
        if panels == 0 {
            return;
        }
        let groups = panels.div_ceil(WIDE);
        let tasks = share(self.shape.rows * groups, self.part, self.parts);
        let (mut row, mut group, mut left) = (tasks.start / groups, tasks.start % groups, tasks.len());
        while left > 0 {
            let here = left.min(groups - group);
            if !(self.epilogue.skips_zero_sums() && self.left_row_is_zero(row)) {
                for group in group..group + here {
                    self.group::<V>(row, group * WIDE, panels);
                }
            }
            (row, group, left) = (row + 1, 0, left - here);
        }
    }

    /// Multiplies one row with up to `WIDE` of the panels from `first` on.
    #[inline(always)]
    fn group<V: Vector>(&self, row: usize, first: usize, panels: usize) {
        let col = first * LANES;
        let factors = self.in_place(row, self.b.as_ptr().wrapping_add(col), self.shape.stride);
        // SAFETY: rows and panels lie within the shape, and each group belongs to one part of the job.
        unsafe {
            match panels - first {
                1 => self.tile::<V, 1, 1>(row, col, factors),
                2 => self.tile::<V, 1, 2>(row, col, factors),
                3 => self.tile::<V, 1, 3>(row, col, factors),
                _ => self.tile::<V, 1, WIDE>(row, col, factors),
            }
        }
    }

    fn left_row_is_zero(&self, row: usize) -> bool {
        let Left { data, row: stride, step } = self.a;
        (0..self.shape.depth).all(|k| data[row * stride + k * step] == 0.0)
    }

    /// For A read in place: tiles of `TILE_ROWS` x 16, panel after panel, each packed once into cache.
    #[inline(always)]
    fn panel_by_panel<V: Vector>(&self) {
        let blocks = self.shape.rows.div_ceil(V::TILE_ROWS);
        let tasks = share(blocks * self.shape.stride / LANES, self.part, self.parts);
        let [mut panel, left] = take_packed(self.shape.depth * LANES, 0);
        let mut task = tasks.start;
        while task < tasks.end {
            let (index, next) = (task / blocks, (task / blocks + 1) * blocks);
            self.pack_right::<V>(index, &mut panel);
            for block in task % blocks..blocks.min(tasks.end - index * blocks) {
                let row = block * V::TILE_ROWS;
                let factors = self.in_place(row, panel.as_ptr(), LANES);
                // SAFETY: rows and panel lie within the shape, each tile belongs to one part of the job, and `panel`
                // holds `depth` rows of 16.
                unsafe { self.short_tile::<V>(row, index * LANES, factors) };
            }
            task = next;
        }
        PACKED.set([panel, left]);
    }

    /// For Aᵀ read from A in place: blocks of its columns are packed into cache and multiplied with panel
    /// after panel of B.
    #[inline(always)]
    fn block_by_block<V: Vector>(&self) {
        let depth = self.shape.depth;
        let blocks = share(self.shape.rows.div_ceil(V::TILE_ROWS), self.part, self.parts);
        let at_once = (PACKED_LEFT / (V::TILE_ROWS * depth)).clamp(1, blocks.len().max(1));
        let [mut panel, mut left] = take_packed(depth * LANES, at_once * V::TILE_ROWS * depth);
        for first in blocks.clone().step_by(at_once) {
            let here = first..blocks.end.min(first + at_once);
            pack_left::<V>(self.a, self.shape.rows, depth, here.clone(), &mut left);
            for col in (0..self.shape.stride).step_by(LANES) {
                let (b, stride) = if self.spreads_over_cache() {
                    (self.b[col..].as_ptr(), self.shape.stride)
                } else {
                    self.pack_right::<V>(col / LANES, &mut panel);
                    (panel.as_ptr(), LANES)
                };
                for (block, a) in here.clone().zip(left.chunks_exact(V::TILE_ROWS * depth)) {
                    let factors = Factors { a: a.as_ptr(), row: 1, step: V::TILE_ROWS, b, stride };
                    // SAFETY: as in `panel_by_panel`; `a` holds `depth` groups of `TILE_ROWS`.
                    unsafe { self.short_tile::<V>(block * V::TILE_ROWS, col, factors) };
                }
            }
        }
        PACKED.set([panel, left]);
    }

    /// Returns true if a panel of B can be read in place, since it stays in the L1 cache: its lines fall on
    /// different sets if they are an odd number of lines apart.
    fn spreads_over_cache(&self) -> bool {
        let Shape { stride, depth, .. } = self.shape;
        !(stride / LANES).is_multiple_of(2) && depth <= FIRST_CACHE_ROWS
    }

    /// Returns the left factor in place, from `row` on.
    #[inline(always)]
    pub(crate) fn in_place(&self, row: usize, b: *const f32, stride: usize) -> Factors {
        let Left { data, row: next, step } = self.a;
        Factors { a: data.as_ptr().wrapping_add(row * next), row: next, step, b, stride }
    }

    /// Copies panel `panel` of B, so that its rows of 16 are contiguous.
    #[inline(always)]
    fn pack_right<V: Vector>(&self, panel: usize, packed: &mut [f32]) {
        let Shape { stride, depth, .. } = self.shape;
        let from = &self.b[panel * LANES..];
        assert!(depth == 0 || from.len() >= (depth - 1) * stride + LANES);
        // SAFETY: the last row read was just checked.
        unsafe { pack_panel::<V>(from.as_ptr(), stride, depth, packed) };
    }

    /// Computes a tile of `TILE_ROWS` rows or, where fewer are left, tiles of 8, 4, 2 and 1: a tile of every height would
    /// be compiled for each epilogue.
    ///
    /// # Safety
    /// As for `tile`.
    #[inline(always)]
    pub(crate) unsafe fn short_tile<V: Vector>(&self, row: usize, col: usize, mut factors: Factors) {
        let rows = (self.shape.rows - row).min(V::TILE_ROWS);
        // SAFETY: promised by the caller, for all of the rows.
        unsafe {
            match V::TILE_ROWS {
                14 if rows == 14 => return self.tile::<V, 14, 1>(row, col, factors),
                6 if rows == 6 => return self.tile::<V, 6, 1>(row, col, factors),
                _ => {}
            }
            let mut done = 0;
            macro_rules! tiles {
                ($($count:literal)*) => { $(
                    if $count < V::TILE_ROWS && rows - done >= $count {
                        self.tile::<V, $count, 1>(row + done, col, factors);
                        factors.a = factors.a.wrapping_add($count * factors.row);
                        done += $count;
                    }
                )* };
            }
            tiles!(8 4 2 1);
            debug_assert_eq!(done, rows);
        }
    }

    /// Computes R rows times P panels of 16 columns in registers: one chain per output, in order of k.
    ///
    /// # Safety
    /// Rows `row..row + R` and columns `col..col + 16 P` are outputs of this part; for every k below the depth,
    /// `factors` reaches R numbers of A and 16 P of B.
    #[inline(always)]
    unsafe fn tile<V: Vector, const R: usize, const P: usize>(
        &self,
        row: usize,
        col: usize,
        factors: Factors,
    ) {
        let Factors { a, row: a_row, step, b, stride } = factors;
        // SAFETY: promised by the caller.
        unsafe {
            let mut sums = [[V::splat(0.0); P]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    self.epilogue.prefetch::<V>(row + r, col + p * LANES);
                    *sum = self.epilogue.start(row + r, col + p * LANES);
                }
            }
            for k in 0..self.shape.depth {
                if R == 1 && *a.wrapping_add(k * step) == 0.0 {
                    continue; // adds nothing; half of all activations and most pixels are zero
                }
                let mut panels = [V::splat(0.0); P];
                for (p, panel) in panels.iter_mut().enumerate() {
                    *panel = V::load(b.wrapping_add(k * stride + p * LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let factor = V::splat(f64::from(*a.wrapping_add(r * a_row + k * step)));
                    for (sum, panel) in sums.iter_mut().zip(panels) {
                        *sum = factor.mul_add(panel, *sum);
                    }
                }
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (p, sum) in sums.into_iter().enumerate() {
                    self.epilogue.finish(row + r, col + p * LANES, sum);
                }
            }
        }
    }
}

/// Copies some blocks of the `rows` rows of Aᵀ, so that the `TILE_ROWS` numbers of each of its `depth` terms
/// are contiguous.
#[inline(always)]
pub(crate) fn pack_left<V: Vector>(
    a: Left,
    rows: usize,
    depth: usize,
    blocks: Range<usize>,
    packed: &mut [f32],
) {
    for (block, packed) in blocks.zip(packed.chunks_exact_mut(V::TILE_ROWS * depth)) {
        let first = block * V::TILE_ROWS;
        let here = V::TILE_ROWS.min(rows - first);
        for (k, to) in packed.chunks_exact_mut(V::TILE_ROWS).enumerate() {
            let from = &a.data[k * a.step + first..];
            if here == V::TILE_ROWS {
                to.copy_from_slice(&from[..V::TILE_ROWS]);
            } else {
                to[..here].copy_from_slice(&from[..here]);
            }
        }
    }
}

/// Copies `rows` rows of 16, `stride` apart, so that they are contiguous.
///
/// # Safety
/// `from` is readable for 16 numbers in every row.
#[inline(always)]
pub(crate) unsafe fn pack_panel<V: Vector>(from: *const f32, stride: usize, rows: usize, packed: &mut [f32]) {
    for (row, to) in packed.chunks_exact_mut(LANES).take(rows).enumerate() {
        // SAFETY: promised by the caller; `to` is 16 numbers long.
        unsafe { V::load(from.wrapping_add(row * stride)).store(to.as_mut_ptr()) };
    }
}

/// Takes this thread's buffers for a panel of the right factor and for blocks of the left one. Not
/// `with_borrow_mut`: a closure would be compiled without the registers of the instruction set.
fn take_packed(panel: usize, left: usize) -> [Buffer; 2] {
    let mut packed = PACKED.take();
    for (buffer, len) in packed.iter_mut().zip([panel, left]) {
        if buffer.len() < len {
            *buffer = Buffer::zeros(len);
        }
    }
    packed
}

thread_local! {
    /// Room for the packed factors; grows to the largest product a thread has seen and stays.
    static PACKED: Cell<[Buffer; 2]> = Cell::default();
}
