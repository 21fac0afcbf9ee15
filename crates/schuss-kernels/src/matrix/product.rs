//! C = A B in register tiles: one chain of fused multiply-adds per output, in index order.

use super::Matrix;
use super::epilogue::Epilogue;
use crate::team::share;
use crate::{Buffer, Kernel, LANES, Team, Vector};
use std::cell::Cell;
use std::ops::Range;

/// The left factor: element (row, k) stands at `row * self.row + k * self.step`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) step: usize,
}

impl<'a> Left<'a> {
    /// Xᵀ, read where X stands.
    pub(super) fn transposed(x: Matrix<'a>) -> Self {
        Self { data: x.data, row: 1, step: x.stride }
    }
}

/// Of a product: output rows, numbers from one row of the right factor to the next, terms per sum.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) stride: usize,
    pub(super) depth: usize,
}

/// C = A B with the epilogue's start and finish, spread over the team.
pub(super) fn multiply<E: Epilogue>(team: &mut Team, a: Left, b: &[f32], shape: Shape, epilogue: &E) {
    let (isa, parts) = (team.isa(), team.parts());
    team.run(shape.rows * shape.stride * shape.depth, |part| {
        isa.run(Multiply { a, b, shape, epilogue, part, parts });
    });
}

struct Multiply<'a, E> {
    a: Left<'a>,
    b: &'a [f32],
    shape: Shape,
    epilogue: &'a E,
    part: usize,
    parts: usize,
}

/// Panels of 16 columns that one row is multiplied with at once: enough chains to hide the latency of FMA.
const WIDE: usize = 4;
/// Sums shorter than this go row by row: packing would cost more than it saves.
const SHORT: usize = 12;

impl<E: Epilogue> Kernel for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        if self.shape.rows < V::TILE_ROWS || self.shape.depth < SHORT {
            self.row_by_row::<V>();
        } else {
            self.panel_by_panel::<V>();
        }
    }
}

impl<E: Epilogue> Multiply<'_, E> {
    /// For few rows or short sums: each row times groups of panels, B read where it stands.
    #[inline(always)]
    fn row_by_row<V: Vector>(&self) {
        let panels = self.shape.stride / LANES;
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

    /// One row times up to `WIDE` of the panels from `first` on.
    #[inline(always)]
    fn group<V: Vector>(&self, row: usize, first: usize, panels: usize) {
        let (col, b, stride) = (first * LANES, self.b.as_ptr(), self.shape.stride);
        // SAFETY: rows and panels lie within the shape, and each group belongs to one part of the job.
        unsafe {
            match panels - first {
                1 => self.tile::<V, 1, 1>(row, col, b, stride),
                2 => self.tile::<V, 1, 2>(row, col, b, stride),
                3 => self.tile::<V, 1, 3>(row, col, b, stride),
                _ => self.tile::<V, 1, WIDE>(row, col, b, stride),
            }
        }
    }

    fn left_row_is_zero(&self, row: usize) -> bool {
        let Left { data, row: stride, step } = self.a;
        (0..self.shape.depth).all(|k| data[row * stride + k * step] == 0.0)
    }

    /// For everything else: tiles of `TILE_ROWS` x 16, panel after panel, each packed once into cache.
    #[inline(always)]
    fn panel_by_panel<V: Vector>(&self) {
        let blocks = self.shape.rows.div_ceil(V::TILE_ROWS);
        let tasks = share(blocks * self.shape.stride / LANES, self.part, self.parts);
        // Not `with_borrow_mut`: a closure would be compiled without the registers of this instruction set.
        let mut packed = PACKED.take();
        if packed.len() < self.shape.depth * LANES {
            packed = Buffer::zeros(self.shape.depth * LANES);
        }
        let mut task = tasks.start;
        while task < tasks.end {
            let panel = task / blocks;
            let last = tasks.end.min((panel + 1) * blocks);
            self.pack::<V>(panel, &mut packed);
            self.column_of_tiles::<V>(panel, task % blocks..last - panel * blocks, &packed);
            task = last;
        }
        PACKED.set(packed);
    }

    /// Copies panel `panel` of B, so that its rows of 16 stand side by side.
    #[inline(always)]
    fn pack<V: Vector>(&self, panel: usize, packed: &mut [f32]) {
        for (row, to) in packed.chunks_exact_mut(LANES).take(self.shape.depth).enumerate() {
            let from = &self.b[row * self.shape.stride + panel * LANES..][..LANES];
            // SAFETY: both slices are 16 numbers long.
            unsafe { V::load(from.as_ptr()).store(to.as_mut_ptr()) };
        }
    }

    #[inline(always)]
    fn column_of_tiles<V: Vector>(&self, panel: usize, blocks: Range<usize>, packed: &[f32]) {
        for block in blocks {
            let row = block * V::TILE_ROWS;
            // SAFETY: rows and panel lie within the shape, each tile belongs to one part of the job, and `packed` holds
            // `depth` rows of 16.
            unsafe { self.short_tile::<V>(row, panel * LANES, packed.as_ptr().wrapping_sub(panel * LANES)) };
        }
    }

    /// A tile of as many rows as are left, at most `TILE_ROWS`.
    ///
    /// # Safety
    /// As for `tile`, with 16 numbers from one row of `b` to the next.
    #[inline(always)]
    unsafe fn short_tile<V: Vector>(&self, row: usize, col: usize, b: *const f32) {
        macro_rules! tiles {
            ($rows:expr; $($count:literal)*) => {
                // SAFETY: promised by the caller.
                match $rows { $($count => unsafe { self.tile::<V, $count, 1>(row, col, b, LANES) },)* _ => unreachable!() }
            };
        }
        tiles!((self.shape.rows - row).min(V::TILE_ROWS); 1 2 3 4 5 6 7 8 9 10 11 12 13 14);
    }

    /// R rows times P panels of 16 columns in registers: one chain per output, in order of k.
    ///
    /// # Safety
    /// Rows `row..row + R` and columns `col..col + 16 P` are outputs of this part; `b + k * stride + col` is
    /// readable for 16 P numbers for every k below the depth.
    #[inline(always)]
    unsafe fn tile<V: Vector, const R: usize, const P: usize>(
        &self,
        row: usize,
        col: usize,
        b: *const f32,
        stride: usize,
    ) {
        let Left { data, row: a_row, step } = self.a;
        // SAFETY: the public functions checked that A holds `rows` x `depth` elements with these strides, and
        // the caller promises the rest.
        unsafe {
            let mut sums = [[V::splat(0.0); P]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = self.epilogue.start(row + r, col + p * LANES);
                }
            }
            let a = data.as_ptr().wrapping_add(row * a_row);
            for k in 0..self.shape.depth {
                if R == 1 && *a.wrapping_add(k * step) == 0.0 {
                    continue; // adds nothing; half of all activations and most pixels are zero
                }
                let mut panels = [V::splat(0.0); P];
                for (p, panel) in panels.iter_mut().enumerate() {
                    *panel = V::load(b.wrapping_add(k * stride + col + p * LANES));
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

thread_local! {
    /// One panel of the right factor; grows to the deepest product a thread has seen and stays.
    static PACKED: Cell<Buffer> = Cell::default();
}
