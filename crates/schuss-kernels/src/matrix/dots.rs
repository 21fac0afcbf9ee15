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
        for first in self.outputs.clone().step_by(DOT_BLOCK) {
            let outputs = first..(first + DOT_BLOCK).min(self.outputs.end);
            if outputs.len() == DOT_BLOCK && self.rows.len() >= MANY_ROWS {
                self.block::<V>(first, &mut columns);
            } else {
                self.strips::<V>(outputs);
            }
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
    /// Multiplies all rows of D with the 16 rows of W from `first` on, as 16 dot products side by side: lane
    /// l of each is the chain over the columns l, l + 16, ... of W, and the tree adds whole vectors of lanes.
    #[inline(always)]
    fn block<V: Vector>(&self, first: usize, columns: &mut Buffer) {
        let stride = self.d.stride;
        if columns.len() < stride * LANES {
            *columns = Buffer::zeros(stride * LANES);
        }
        for at in (0..stride).step_by(LANES) {
            // SAFETY: W has the rows `first..first + 16`, each `stride` long, and `columns` 16 numbers for each column.
            unsafe {
                let from = self.w.data.as_ptr().add(first * stride + at);
                V::transpose(from, stride, columns.as_mut_ptr().add(at * LANES));
            }
        }
        let mut row = self.rows.start;
        while row < self.rows.end {
            row += match self.rows.end - row {
                1 => self.side_by_side::<V, 1>(row, first, columns),
                2 => self.side_by_side::<V, 2>(row, first, columns),
                _ => self.side_by_side::<V, 3>(row, first, columns),
            };
        }
    }

    /// Multiplies R rows of D with a transposed block of W; returns R.
    #[inline(always)]
    fn side_by_side<V: Vector, const R: usize>(&self, row: usize, first: usize, columns: &Buffer) -> usize {
        let mut tree = [[V::splat(0.0); R]; 4];
        for (step, lane) in LANE_ORDER.into_iter().enumerate() {
            let mut sums = self.two_lanes::<V, R>(row, lane, columns);
            // The number of complete levels of the tree is the number of trailing ones of `step`.
            let levels = (step as u32).trailing_ones() as usize;
            for before in &tree[..levels] {
                for (sum, &before) in sums.iter_mut().zip(before) {
                    *sum = before + *sum;
                }
            }
            tree[levels] = sums;
        }
        for (r, dots) in tree[3].into_iter().enumerate() {
            self.write_block(row + r, first, dots);
        }
        R
    }

    /// Returns lane `lane` + lane `lane` + 8 of R x 16 dot products.
    #[inline(always)]
    fn two_lanes<V: Vector, const R: usize>(&self, row: usize, lane: usize, columns: &Buffer) -> [V; R] {
        let mut sums = [[V::splat(0.0); 2]; R];
        for at in (lane..self.d.stride).step_by(LANES) {
            // SAFETY: rows of D are `stride` long, and `columns` holds 16 numbers for each column.
            unsafe {
                let w = [at, at + 8].map(|at| V::load(columns.as_ptr().add(at * LANES)));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let d = self.d.data.as_ptr().add((row + r) * self.d.stride + at);
                    sums[0] = V::splat(f64::from(*d)).mul_add(w[0], sums[0]);
                    sums[1] = V::splat(f64::from(*d.add(8))).mul_add(w[1], sums[1]);
                }
            }
        }
        let mut both = [V::splat(0.0); R];
        for (both, sums) in both.iter_mut().zip(sums) {
            *both = sums[0] + sums[1];
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
