//! D Wᵀ as dots of rows: 16 lanes in order, then a fixed tree.

use super::Matrix;
use crate::pointer::SharedMut;
use crate::{Kernel, LANES, Vector};
use std::ops::Range;

/// Rows of W that stay in the first cache while all rows of D pass.
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
        for first in self.outputs.clone().step_by(DOT_BLOCK) {
            let outputs = first..(first + DOT_BLOCK).min(self.outputs.end);
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
    }
}

impl Dots<'_> {
    /// The part with the last outputs also keeps the lanes behind them zero.
    fn clear_pad_lanes(&self) {
        for row in self.rows.clone() {
            // SAFETY: the pad lanes of a row stand behind its outputs, and only this part has the last ones.
            unsafe { self.to.slice(row * self.stride + self.w.rows, self.stride - self.w.rows).fill(0.0) };
        }
    }

    /// R rows of D against some rows of W, two at a time.
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
