//! D Wᵀ as dot products of rows: 16 lanes in order, then a fixed tree.

use super::Matrix;
use crate::pointer::SharedMut;
use crate::{Buffer, Kernel, LANES, Vector};
use std::cell::Cell;
use std::ops::Range;

/// Rows of W that stay in the L1 cache while all rows of D pass.
pub(crate) const DOT_BLOCK: usize = 16;

pub(crate) struct Dots<'a> {
    pub(crate) d: Matrix<'a>,
    pub(crate) w: Matrix<'a>,
    pub(crate) active: Option<Matrix<'a>>,
    pub(crate) to: SharedMut,
    pub(crate) stride: usize,
    pub(crate) rows: Range<usize>,
    pub(crate) outputs: Range<usize>,
}

impl Kernel for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        if self.outputs.end == self.w.rows && !self.outputs.is_empty() {
            self.clear_pad_lanes();
        }
        let mut columns = COLUMNS.take();
        let mut first = self.outputs.start;
        while first < self.outputs.end {
            let blocks = ((self.outputs.end - first) / DOT_BLOCK).min(V::DOT_BLOCKS);
            let next = (first + blocks.max(1) * DOT_BLOCK).min(self.outputs.end);
            if blocks > 0 && self.rows.len() >= MANY_ROWS {
                self.blocks::<V>(first, blocks, &mut columns);
            } else {
                self.strips::<V>(first..next);
            }
            first = next;
        }
        COLUMNS.set(columns);
    }
}

/// Number of rows of D from which it pays to transpose a block of W first.
const MANY_ROWS: usize = 8;

/// Order in which lanes are summed, so that each level of the tree follows at once.
const LANE_ORDER: [usize; 8] = [0, 4, 2, 6, 1, 5, 3, 7];

thread_local! {
    /// Room for a transposed block of W; grows to the longest dot product a thread has seen and stays.
    static COLUMNS: Cell<Buffer> = Cell::default();
}

impl Dots<'_> {
    /// Multiplies all rows of D with some blocks of 16 rows of W from `first` on, as dot products side by side: lane
    /// l of each is the chain over the columns l, l + 16, ... of W, and the tree adds whole vectors of lanes.
    #[inline(always)]
    fn blocks<V: Vector>(&self, first: usize, blocks: usize, columns: &mut Buffer) {
        let stride = self.d.stride;
        if columns.len() < blocks * stride * LANES {
            *columns = Buffer::zeros(blocks * stride * LANES);
        }
        for (block, to) in columns.chunks_exact_mut(stride * LANES).take(blocks).enumerate() {
            for (at, to) in (0..stride).step_by(LANES).zip(to.chunks_exact_mut(LANES * LANES)) {
                // SAFETY: W has 16 rows in every block, each `stride` long, and `to` is 16 x 16 numbers.
                unsafe {
                    let from = self.w.data.as_ptr().add((first + block * DOT_BLOCK) * stride + at);
                    V::transpose(from, stride, to.as_mut_ptr());
                }
            }
        }
        let height = self.rows.len().div_ceil(self.rows.len().div_ceil(V::DOT_ROWS));
        for row in self.rows.clone().step_by(height) {
            self.some_rows::<V>(row..self.rows.end.min(row + height), first, blocks, columns);
        }
    }

    /// Multiplies up to `DOT_ROWS` rows of D with transposed blocks of W.
    #[inline(always)]
    fn some_rows<V: Vector>(&self, rows: Range<usize>, first: usize, blocks: usize, columns: &Buffer) {
        macro_rules! side_by_side {
            ($($rows:literal)*) => {
                match (rows.len(), blocks) {
                    $(
                        ($rows, 1) if const { $rows <= V::DOT_ROWS } => {
                            self.side_by_side::<V, $rows, 1>(rows.start, first, columns)
                        }
                        ($rows, 2) if const { $rows <= V::DOT_ROWS && V::DOT_BLOCKS > 1 } => {
                            self.side_by_side::<V, $rows, 2>(rows.start, first, columns)
                        }
                    )*
                    _ => unreachable!("up to DOT_ROWS rows and DOT_BLOCKS blocks"),
                }
            };
        }
        side_by_side!(1 2 3 4 5 6);
    }

    /// Multiplies R rows of D with B transposed blocks of W.
    #[inline(always)]
    fn side_by_side<V: Vector, const R: usize, const B: usize>(
        &self,
        row: usize,
        first: usize,
        columns: &Buffer,
    ) {
        let mut tree = [[[V::splat(0.0); B]; R]; 4];
        for (step, lane) in LANE_ORDER.into_iter().enumerate() {
            let mut sums = self.two_lanes::<V, R, B>(row, lane, columns);
            // The number of complete levels of the tree is the number of trailing ones of `step`.
            let levels = (step as u32).trailing_ones() as usize;
            for before in &tree[..levels] {
                for (sum, before) in sums.as_flattened_mut().iter_mut().zip(before.as_flattened()) {
                    *sum = *before + *sum;
                }
            }
            tree[levels] = sums;
        }
        for (r, dots) in tree[3].into_iter().enumerate() {
            for (b, dots) in dots.into_iter().enumerate() {
                self.write_block(row + r, first + b * DOT_BLOCK, dots);
            }
        }
    }

    /// Returns lane `lane` + lane `lane` + 8 of R x 16 B dot products.
    #[inline(always)]
    fn two_lanes<V: Vector, const R: usize, const B: usize>(
        &self,
        row: usize,
        lane: usize,
        columns: &Buffer,
    ) -> [[V; B]; R] {
        let stride = self.d.stride;
        let mut sums = [[[V::splat(0.0); B]; R]; 2];
        for at in (lane..stride).step_by(LANES) {
            // SAFETY: rows of D are `stride` long, and `columns` holds 16 numbers for each column of each block.
            unsafe {
                for (half, sums) in sums.iter_mut().enumerate() {
                    let at = at + half * LANES / 2;
                    let mut w = [V::splat(0.0); B];
                    for (b, w) in w.iter_mut().enumerate() {
                        *w = V::load(columns.as_ptr().add((b * stride + at) * LANES));
                    }
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let d = V::splat(f64::from(*self.d.data.as_ptr().add((row + r) * stride + at)));
                        for (sum, w) in sums.iter_mut().zip(w) {
                            *sum = d.mul_add(w, *sum);
                        }
                    }
                }
            }
        }
        let [mut both, upper] = sums;
        for (both, upper) in both.as_flattened_mut().iter_mut().zip(upper.as_flattened()) {
            *both = *both + *upper;
        }
        both
    }

    /// Writes sixteen dot products of one row, zero where the input was not active.
    #[inline(always)]
    fn write_block<V: Vector>(&self, row: usize, first: usize, dots: V) {
        // SAFETY: (row, first..first + 16) lies within the output and within `active`, and belongs to this part.
        unsafe {
            let passed = match self.active {
                Some(active) => {
                    let key = V::load(active.data.as_ptr().add(row * active.stride + first));
                    dots.zero_where_below(key, V::splat(f64::from(f32::from_bits(1))))
                }
                None => dots,
            };
            passed.store(self.to.at(row * self.stride + first));
        }
    }

    /// Keeps the pad lanes behind the last outputs zero; done by the part that has them.
    fn clear_pad_lanes(&self) {
        for row in self.rows.clone() {
            // SAFETY: the pad lanes of a row stand behind its outputs, and only this part has the last ones.
            unsafe { self.to.slice(row * self.stride + self.w.rows, self.stride - self.w.rows).fill(0.0) };
        }
    }

    /// Multiplies all rows of D with some rows of W in place.
    #[inline(always)]
    fn strips<V: Vector>(&self, outputs: Range<usize>) {
        let (rest, full) = (self.rows.len() % 3, self.rows.end - self.rows.len() % 3);
        for row in (self.rows.start..full).step_by(3) {
            self.strip::<V, 3>(row, outputs.clone());
        }
        match rest {
            1 => self.strip::<V, 1>(full, outputs),
            2 => self.strip::<V, 2>(full, outputs),
            _ => {}
        }
    }

    /// Multiplies R rows of D with some rows of W, two at a time.
    #[inline(always)]
    fn strip<V: Vector, const R: usize>(&self, row: usize, outputs: Range<usize>) {
        let mut output = outputs.start;
        while output + 2 <= outputs.end {
            self.dots::<V, R, 2>(row, output);
            output += 2;
        }
        if output < outputs.end {
            self.dots::<V, R, 1>(row, output);
        }
    }

    #[inline(always)]
    fn dots<V: Vector, const R: usize, const C: usize>(&self, row: usize, output: usize) {
        let mut sums = [[V::splat(0.0); C]; R];
        for at in (0..self.d.stride).step_by(LANES) {
            // SAFETY: rows of D and W are `d.stride` = `w.stride` long, and the caller stays within their rows.
            unsafe {
                let load = |m: &Matrix, row: usize| V::load(m.data.as_ptr().add(row * m.stride + at));
                let mut w = [V::splat(0.0); C];
                for (c, w) in w.iter_mut().enumerate() {
                    *w = load(&self.w, output + c);
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let d = load(&self.d, row + r);
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = d.mul_add(w, *sum);
                    }
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                self.write(row + r, output + c, sum.sum());
            }
        }
    }

    #[inline(always)]
    fn write(&self, row: usize, output: usize, dot: f32) {
        let passes = self.active.is_none_or(|active| active.data[row * active.stride + output] > 0.0);
        // SAFETY: (row, output) lies within the output and belongs to this part.
        unsafe { *self.to.at(row * self.stride + output) = if passes { dot } else { 0.0 } };
    }
}
