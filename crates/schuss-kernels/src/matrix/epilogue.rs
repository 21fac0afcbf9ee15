//! Epilogues of a matrix product: bias and ReLU, a plain sum, an optimizer's update.

use super::tile::Place;
use super::{Matrix, Start};
use crate::count::Count;
use crate::pointer::SharedMut;
use crate::sweep::{Elementwise, apply_vector};
use crate::{LANES, Vector};

/// Operations before and after the accumulation chain of one vector of outputs.
pub(crate) trait Epilogue: Copy + Sync {
    /// Returns true if chains start from zero rather than from `start`.
    fn is_fresh(&self) -> bool {
        true
    }

    /// Returns true if outputs whose sum is zero need no `finish`.
    fn skips_zero_sums(&self) -> bool {
        false
    }

    /// Returns the place of the outputs from (row, col) on, if `start` and `finish` only read and write them: tiles then
    /// sum there. An epilogue that is not fresh has one.
    ///
    /// # Safety
    /// The output at (row, col) exists.
    #[inline(always)]
    unsafe fn destination(&self, _row: usize, _col: usize) -> Option<Place> {
        None
    }

    /// Prefetches the inputs of `finish`.
    #[inline(always)]
    fn prefetch<V: Vector>(&self, _row: usize, _col: usize) {}

    /// Returns the start of the chain.
    ///
    /// # Safety
    /// The output at (row, col..col + 16) exists and belongs to this part.
    unsafe fn start<V: Vector>(&self, row: usize, col: usize) -> V;

    /// Receives the end of the chain.
    ///
    /// # Safety
    /// As for `start`.
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V);
}

/// Bias and ReLU.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a> {
    pub(crate) bias: &'a [f32],
    pub(crate) floor: f32,
    pub(crate) y: SharedMut,
    pub(crate) stride: usize,
}

impl Epilogue for Forward<'_> {
    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        // SAFETY: `linear` checked that bias and y hold col..col + 16 of this row. The floor comes first, so
        // that a NaN in the sum passes through.
        unsafe {
            let biased = sum + V::load(self.bias.as_ptr().add(col));
            V::splat(f64::from(self.floor)).max(biased).store(self.y.at(row * self.stride + col));
        }
    }
}

/// A plain sum.
#[derive(Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) start: Start,
    pub(crate) to: SharedMut,
    pub(crate) stride: usize,
}

impl Epilogue for Sum {
    fn is_fresh(&self) -> bool {
        self.start == Start::Fresh
    }

    #[inline(always)]
    unsafe fn destination(&self, row: usize, col: usize) -> Option<Place> {
        // SAFETY: promised by the caller.
        Some(Place { first: unsafe { self.to.at(row * self.stride + col) }, stride: self.stride })
    }

    #[inline(always)]
    fn prefetch<V: Vector>(&self, row: usize, col: usize) {
        V::prefetch(self.to.wrapping_at(row * self.stride + col));
    }

    #[inline(always)]
    unsafe fn start<V: Vector>(&self, row: usize, col: usize) -> V {
        match self.start {
            Start::Fresh => V::splat(0.0),
            // SAFETY: `weight_gradient` checked that the output holds col..col + 16 of this row.
            Start::Continue => unsafe { V::load(self.to.at(row * self.stride + col)) },
        }
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        // SAFETY: as in `start`.
        unsafe { sum.store(self.to.at(row * self.stride + col)) }
    }
}

/// Sum where the layer's input was active, else zero.
#[derive(Clone, Copy)]
pub(crate) struct Masked<'a> {
    pub(crate) active: Option<Matrix<'a>>,
    pub(crate) cols: usize,
    pub(crate) to: SharedMut,
    pub(crate) stride: usize,
}

impl Epilogue for Masked<'_> {
    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        // SAFETY: `input_gradient` checked that the output and `active` hold col..col + 16 of this row.
        unsafe {
            let passed = match self.active {
                Some(active) => {
                    let key = V::load(active.data.as_ptr().add(row * active.stride + col));
                    key.where_positive(sum, V::splat(0.0))
                }
                None => sum,
            };
            let to = row * self.stride + col;
            passed.store(self.to.at(to));
            if self.cols - col < LANES {
                self.to.slice(to, LANES)[self.cols - col..].fill(0.0); // pad lanes
            }
        }
    }
}

/// Optimizer update of the weights whose gradient was just summed.
#[derive(Clone, Copy)]
pub(crate) struct Step<U, const S: usize> {
    pub(crate) update: U,
    pub(crate) count: Count,
    pub(crate) w: SharedMut,
    pub(crate) slots: [SharedMut; S],
    pub(crate) stride: usize,
}

impl<U: Elementwise<S>, const S: usize> Epilogue for Step<U, S> {
    #[inline(always)]
    fn skips_zero_sums(&self) -> bool {
        self.update.rests_at_zero()
    }

    #[inline(always)]
    fn prefetch<V: Vector>(&self, row: usize, col: usize) {
        let at = row * self.stride + col;
        [self.w].iter().chain(&self.slots).for_each(|to| V::prefetch(to.wrapping_at(at)));
    }

    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        let at = row * self.stride + col;
        let gradient = self.count.divide(sum);
        // SAFETY: `update_weights` checked that weights and slots hold col..col + 16 of this row.
        unsafe { apply_vector(&self.update, gradient, self.w.at(at), self.slots.map(|slot| slot.at(at))) }
    }
}
