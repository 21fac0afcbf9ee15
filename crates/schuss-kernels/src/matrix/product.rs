//! C = A B: the order in which tiles are computed, and what of the factors is copied for them.

use super::Matrix;
use super::epilogue::Epilogue;
use super::pack::{PACKED, pack_left, pack_panel, take_packed};
use super::tile::{Factors, Outputs, Sums, Terms, accumulate, block_height};
use crate::team::share;
use crate::{Kernel, LANES, PASS_WORK, Team, Vector};

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
    // few rows, or few terms, cost what reading the other factor, or writing the outputs, does
    let work = shape.rows.max(PASS_WORK) * shape.stride * shape.depth.max(PASS_WORK);
    team.run(work, |part| {
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
/// Sums over Aᵀ shorter than this go row by row: packing would cost more than it saves.
const SHORT: usize = 12;
/// Number of panels below which packing the left factor does not pay.
const FEW_PANELS: usize = 4;
/// Numbers of the left factor packed at once: a share of the L2 cache.
const PACKED_LEFT: usize = 1 << 16;

impl<E: Epilogue> Kernel for Multiply<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let in_order = self.a.step == 1;
        if self.shape.rows < V::TILE_ROWS || self.shape.depth < SHORT && !in_order {
            self.row_by_row::<V>();
        } else if in_order || self.shape.stride < FEW_PANELS * LANES {
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
                1 => self.row::<V, 1>(row, col, factors),
                2 => self.row::<V, 2>(row, col, factors),
                3 => self.row::<V, 3>(row, col, factors),
                _ => self.row::<V, WIDE>(row, col, factors),
            }
        }
    }

    fn left_row_is_zero(&self, row: usize) -> bool {
        let Left { data, row: stride, step } = self.a;
        (0..self.shape.depth).all(|k| data[row * stride + k * step] == 0.0)
    }

    /// For A read in place: group after group of panels, each packed once into cache, with all blocks of rows.
    #[inline(always)]
    fn panel_by_panel<V: Vector>(&self) {
        let Shape { rows, stride, depth } = self.shape;
        let panels = stride / LANES;
        let height = block_height::<V>(rows);
        let blocks = rows.div_ceil(height);
        let mine = share(blocks * panels, self.part, self.parts);
        let [mut packed, left] = take_packed(depth * LANES * V::TILE_PANELS, 0);
        let mut sums = Sums::ZERO;
        for first in (0..panels).step_by(V::TILE_PANELS) {
            let width = V::TILE_PANELS.min(panels - first);
            // A part is a range of panels of blocks; tile t of this group begins at `first * blocks + t * width`.
            let tile = |at: usize| (at.saturating_sub(first * blocks) / width).min(blocks);
            let tiles = tile(mine.start)..tile(mine.end);
            if tiles.is_empty() {
                continue;
            }
            let (b, b_stride) = if self.spreads_over_cache() {
                (self.b[first * LANES..].as_ptr(), stride)
            } else {
                self.pack_right::<V>(first, width, &mut packed);
                (packed.as_ptr(), width * LANES)
            };
            for block in tiles {
                let outputs = Outputs::of_block(block, height, rows, first..first + width);
                let factors = self.in_place(outputs.row, b, b_stride);
                // SAFETY: rows and panels lie within the shape, each tile belongs to one part of the job, and `b` has
                // `depth` rows of `width` panels.
                unsafe { self.tile::<V>(outputs, factors, &mut sums) };
            }
        }
        PACKED.set([packed, left]);
    }

    /// For Aᵀ read from A in place: blocks of its columns are packed into cache and multiplied with group after
    /// group of panels of B.
    #[inline(always)]
    fn block_by_block<V: Vector>(&self) {
        let Shape { rows, stride, depth } = self.shape;
        let height = block_height::<V>(rows);
        let blocks = share(rows.div_ceil(height), self.part, self.parts);
        let at_once = (PACKED_LEFT / (height * depth)).clamp(1, blocks.len().max(1));
        let [mut packed, mut left] = take_packed(depth * LANES * V::TILE_PANELS, at_once * height * depth);
        let mut sums = Sums::ZERO;
        for first in blocks.clone().step_by(at_once) {
            let here = first..blocks.end.min(first + at_once);
            pack_left::<V>(self.a, rows, depth, height, here.clone(), &mut left);
            for panel in (0..stride / LANES).step_by(V::TILE_PANELS) {
                let width = V::TILE_PANELS.min(stride / LANES - panel);
                let (b, stride) = if self.spreads_over_cache() {
                    (self.b[panel * LANES..].as_ptr(), stride)
                } else {
                    self.pack_right::<V>(panel, width, &mut packed);
                    (packed.as_ptr(), width * LANES)
                };
                for (block, a) in here.clone().zip(left.chunks_exact(height * depth)) {
                    let outputs = Outputs::of_block(block, height, rows, panel..panel + width);
                    let factors = Factors { a: a.as_ptr(), row: 1, step: height, b, stride };
                    // SAFETY: as in `panel_by_panel`; `a` holds `depth` groups of `height`.
                    unsafe { self.tile::<V>(outputs, factors, &mut sums) };
                }
            }
        }
        PACKED.set([packed, left]);
    }

    /// Returns true if panels of B can be read in place: their lines fall on different sets of a cache if they are an odd
    /// number of lines apart.
    fn spreads_over_cache(&self) -> bool {
        !(self.shape.stride / LANES).is_multiple_of(2)
    }

    /// Returns the left factor in place, from `row` on.
    #[inline(always)]
    pub(crate) fn in_place(&self, row: usize, b: *const f32, stride: usize) -> Factors {
        let Left { data, row: next, step } = self.a;
        Factors { a: data.as_ptr().wrapping_add(row * next), row: next, step, b, stride }
    }

    /// Copies `width` panels of B from `panel` on, so that their rows are contiguous.
    #[inline(always)]
    fn pack_right<V: Vector>(&self, panel: usize, width: usize, packed: &mut [f32]) {
        let Shape { stride, depth, .. } = self.shape;
        let from = &self.b[panel * LANES..];
        assert!(depth == 0 || from.len() >= (depth - 1) * stride + width * LANES);
        for p in 0..width {
            // SAFETY: the last row read was just checked.
            unsafe {
                pack_panel::<V>(
                    from[p * LANES..].as_ptr(),
                    stride,
                    depth,
                    width * LANES,
                    &mut packed[p * LANES..],
                )
            };
        }
    }

    /// Computes a tile and hands it to the epilogue, of which it takes a copy: its numbers can stay in registers, since no
    /// store changes them.
    ///
    /// # Safety
    /// `outputs` belong to this part; for every k below the depth, `factors` reaches a number of A for each of their rows
    /// and 16 of B for each of their panels.
    #[inline(always)]
    pub(crate) unsafe fn tile<V: Vector>(&self, outputs: Outputs, factors: Factors, sums: &mut Sums) {
        let own = *self.epilogue;
        let Outputs { row, rows, col, panels } = outputs;
        let terms = Terms { depth: self.shape.depth, fresh: own.is_fresh() };
        for r in 0..rows {
            for p in 0..panels {
                own.prefetch::<V>(row + r, col + p * LANES);
            }
        }
        // SAFETY: promised by the caller; an array of sums has room for every row and panel of a tile.
        unsafe {
            if let Some(place) = own.destination(row, col) {
                return accumulate::<V>(rows, panels, terms, factors, place);
            }
            let sums = sums.place(panels);
            accumulate::<V>(rows, panels, terms, factors, sums);
            for r in 0..rows {
                for p in 0..panels {
                    own.finish(row + r, col + p * LANES, V::load(sums.at(r, p)));
                }
            }
        }
    }

    /// Multiplies one row with P panels of 16 columns, skipping zeros.
    ///
    /// # Safety
    /// The row and the panels are outputs of this part; `factors` reaches them for every k below the depth.
    #[inline(always)]
    unsafe fn row<V: Vector, const P: usize>(&self, row: usize, col: usize, factors: Factors) {
        let Factors { a, step, b, stride, .. } = factors;
        // SAFETY: promised by the caller.
        unsafe {
            let mut sums = [V::splat(0.0); P];
            for (p, sum) in sums.iter_mut().enumerate() {
                self.epilogue.prefetch::<V>(row, col + p * LANES);
                *sum = self.epilogue.start(row, col + p * LANES);
            }
            for k in 0..self.shape.depth {
                let factor = *a.wrapping_add(k * step);
                if factor == 0.0 {
                    continue; // adds nothing; half of all activations and most pixels are zero
                }
                let factor = V::splat(f64::from(factor));
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = factor.mul_add(V::load(b.wrapping_add(k * stride + p * LANES)), *sum);
                }
            }
            for (p, sum) in sums.into_iter().enumerate() {
                self.epilogue.finish(row, col + p * LANES, sum);
            }
        }
    }
}
