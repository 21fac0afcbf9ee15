//! Passes of a layer over one sample at a time, skipping rows of weights whose input is zero.
//!
//! The active rows are given as a list, so that no branch depends on the data.

use crate::matrix::{Matrix, MatrixMut};
use crate::pointer::SharedMut;
use crate::sweep::{Elementwise, apply_vector};
use crate::{Isa, Kernel, LANES, Vector, padded};
use std::ops::Range;

/// Panels of 16 outputs summed at once.
const WIDE: usize = 4;
/// Number of rows to prefetch ahead.
const AHEAD: usize = 6;

/// Panics if the list has an index out of range.
fn check(active: &[u32], rows: usize) {
    assert!(active.iter().all(|&row| (row as usize) < rows), "an active row is out of range for {rows} rows");
}

/// Inputs of one sample, after the ReLU of the layer before.
#[derive(Clone, Copy, Debug)]
pub struct SparseInput<'a> {
    /// x `[inputs]`
    pub x: &'a [f32],
    /// Indices of the inputs that are not zero, in order: the active rows of W.
    pub active: &'a [u32],
}

/// y ← Σ xᵢ wᵢ + b over the active rows i in order, then ReLU if `relu`: bit-identical to
/// [`crate::matrix::linear`] if all other inputs are zero. W `[inputs, outputs]`, `bias` and
/// `y` `[outputs]`.
///
/// # Panics
/// If the shapes do not match.
pub fn linear(isa: Isa, input: SparseInput, w: Matrix, bias: &[f32], relu: bool, y: &mut [f32]) {
    let SparseInput { x, active } = input;
    let (rows, cols) = w.shape();
    check(active, rows.min(x.len()));
    assert!(bias.len() >= padded(cols) && y.len() >= padded(cols));
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    isa.run(Linear { x, active, w: w.data(), stride: padded(cols), bias, floor, y });
}

struct Linear<'a> {
    x: &'a [f32],
    active: &'a [u32],
    w: &'a [f32],
    stride: usize,
    bias: &'a [f32],
    floor: f32,
    y: &'a mut [f32],
}

impl Kernel for Linear<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        for col in (0..self.stride).step_by(WIDE * LANES) {
            match (self.stride - col) / LANES {
                1 => self.panels::<V, 1>(col),
                2 => self.panels::<V, 2>(col),
                3 => self.panels::<V, 3>(col),
                _ => self.panels::<V, WIDE>(col),
            }
        }
    }
}

impl Linear<'_> {
    #[inline(always)]
    fn panels<V: Vector, const P: usize>(&mut self, col: usize) {
        let mut sums = [V::splat(0.0); P];
        for (i, &row) in self.active.iter().enumerate() {
            let next = self.active[(i + AHEAD).min(self.active.len() - 1)] as usize;
            // SAFETY: `linear` checked that x and W have every active row, and that W's rows are `stride` long.
            unsafe {
                let x = V::splat(f64::from(*self.x.get_unchecked(row as usize)));
                let from = self.w.as_ptr().add(row as usize * self.stride + col);
                let ahead = self.w.as_ptr().wrapping_add(next * self.stride + col);
                for (p, sum) in sums.iter_mut().enumerate() {
                    V::prefetch(ahead.wrapping_add(p * LANES));
                    *sum = x.mul_add(V::load(from.add(p * LANES)), *sum);
                }
            }
        }
        for (p, sum) in sums.into_iter().enumerate() {
            let at = col + p * LANES;
            // SAFETY: `linear` checked that bias and y are `stride` long.
            unsafe {
                let biased = sum + V::load(self.bias.as_ptr().add(at));
                V::splat(f64::from(self.floor)).max(biased).store(self.y.as_mut_ptr().add(at));
            }
        }
    }
}

/// Applies the updates that skipped rows have missed: (w, v) ← Φᵢ (w, v), where i is the last update that the
/// row has seen, from `last`; for the active rows, or for all.
///
/// W and V `[inputs, outputs]`, `last` one per row, `phi[i]` = Φᵢ from after update i to now, which is after
/// update `phi.len() - 1`. These rows are then marked as having seen update `seen`. Without V only Φ's first
/// number is used.
///
/// # Panics
/// If the shapes do not match.
pub fn catch_up(
    isa: Isa,
    active: Option<&[u32]>,
    w: MatrixMut,
    v: Option<MatrixMut>,
    last: &mut [u32],
    phi: &[[[f32; 2]; 2]],
    seen: u32,
) {
    let (rows, cols) = w.shape();
    check(active.unwrap_or(&[]), rows);
    assert!(last.len() == rows && v.as_ref().is_none_or(|v| v.shape() == (rows, cols)));
    let (w, v) = (SharedMut::new(w.into_data()), v.map(|v| SharedMut::new(v.into_data())));
    isa.run(CatchUp { active, w, v, last, phi, seen, stride: padded(cols) });
}

struct CatchUp<'a> {
    active: Option<&'a [u32]>,
    w: SharedMut,
    v: Option<SharedMut>,
    last: &'a mut [u32],
    phi: &'a [[[f32; 2]; 2]],
    seen: u32,
    stride: usize,
}

impl Kernel for CatchUp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self) {
        match self.active {
            Some(active) => active.iter().for_each(|&row| self.row::<V>(row as usize)),
            None => (0..self.last.len()).for_each(|row| self.row::<V>(row)),
        }
    }
}

impl CatchUp<'_> {
    #[inline(always)]
    fn row<V: Vector>(&mut self, row: usize) {
        let before = std::mem::replace(&mut self.last[row], self.seen) as usize;
        if before + 1 == self.phi.len() {
            return;
        }
        let [[a, b], [c, d]] = self.phi[before];
        let [a, b, c, d] = [splat::<V>(a), splat::<V>(b), splat::<V>(c), splat::<V>(d)];
        for at in (row * self.stride..(row + 1) * self.stride).step_by(LANES) {
            // SAFETY: `catch_up` checked that W and V have this row.
            unsafe {
                let w = V::load(self.w.at(at));
                let mut new_w = a * w;
                if let Some(velocity) = self.v {
                    let v = V::load(velocity.at(at));
                    new_w = b.mul_add(v, new_w);
                    d.mul_add(v, c * w).flush().store(velocity.at(at));
                }
                new_w.flush().store(self.w.at(at));
            }
        }
    }
}

/// Broadcasts one number to all lanes.
#[inline(always)]
pub(crate) fn splat<V: Vector>(x: f32) -> V {
    V::splat(f64::from(x))
}

/// Backward pass and update for one sample, in one pass over the active rows: dxᵢ = d · wᵢ with the old
/// weights, then wᵢ ← update(xᵢ d, wᵢ, slots). dx is 0 elsewhere and in the pad lanes.
///
/// `d` `[outputs]` is the gradient at the layer's outputs, W and slots `[inputs, outputs]`. A dot product uses 16 lanes in order and a fixed tree, as in [`crate::matrix::input_gradient`].
///
/// # Panics
/// If the shapes do not match.
pub fn descend<U: Elementwise<S>, const S: usize>(
    isa: Isa,
    input: SparseInput,
    d: &[f32],
    update: &U,
    w: MatrixMut,
    slots: [&mut [f32]; S],
    dx: &mut [f32],
) {
    let SparseInput { x, active } = input;
    let (rows, cols) = w.shape();
    let stride = padded(cols);
    check(active, rows.min(x.len()));
    assert!(dx.len() >= padded(rows) && d.len() >= stride);
    assert!(slots.iter().all(|slot| slot.len() >= rows * stride));
    let (w, slots) = (SharedMut::new(w.into_data()), slots.map(SharedMut::new));
    dx[..padded(rows)].fill(0.0);
    isa.run(Descend { x, d: &d[..stride], active, update, w, slots, dx });
}

struct Descend<'a, U, const S: usize> {
    x: &'a [f32],
    d: &'a [f32],
    active: &'a [u32],
    update: &'a U,
    w: SharedMut,
    slots: [SharedMut; S],
    dx: &'a mut [f32],
}

impl<U: Elementwise<S>, const S: usize> Kernel for Descend<'_, U, S> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let stride = self.d.len();
        let update = *self.update; // in registers: stores cannot change it
        for (i, &row) in self.active.iter().enumerate() {
            let row = row as usize;
            let next = self.active[(i + 1).min(self.active.len() - 1)] as usize;
            let (factor, mut dot) = (splat::<V>(self.x[row]), V::splat(0.0));
            for at in (0..stride).step_by(LANES) {
                let place = row * stride + at;
                V::prefetch(self.w.wrapping_at(next * stride + at));
                // SAFETY: `descend` checked that d, W and the slots hold `at..at + 16` of this row.
                unsafe {
                    let d = V::load(self.d.as_ptr().add(at));
                    dot = d.mul_add(V::load(self.w.at(place)), dot);
                    let slots = self.slots.map(|slot| slot.at(place));
                    apply_vector(&update, factor * d, self.w.at(place), slots);
                }
            }
            self.dx[row] = dot.sum();
        }
    }
}

/// Rank-one update of some rows: wᵢ ← update(xᵢ d, wᵢ, slots).
pub(crate) struct RankOne<'a, U, const S: usize> {
    pub(crate) x: &'a [f32],
    pub(crate) d: &'a [f32],
    pub(crate) update: &'a U,
    pub(crate) w: SharedMut,
    pub(crate) slots: [SharedMut; S],
    pub(crate) rows: Range<usize>,
}

impl<U: Elementwise<S>, const S: usize> Kernel for RankOne<'_, U, S> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (stride, update) = (self.d.len(), *self.update);
        for row in self.rows {
            let factor = splat::<V>(self.x[row]);
            if update.rests_at_zero() && self.x[row] == 0.0 {
                continue;
            }
            for at in (0..stride).step_by(LANES) {
                // SAFETY: `update_weights` checked that d, W and the slots hold `at..at + 16` of this row.
                unsafe {
                    let gradient = factor.mul_add(V::load(self.d.as_ptr().add(at)), V::splat(0.0)); // never -0
                    let slots = self.slots.map(|slot| slot.at(row * stride + at));
                    apply_vector(&update, gradient, self.w.at(row * stride + at), slots);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::{self, Sample, pad, unpad};
    use crate::{Buffer, Lane};

    #[derive(Clone, Copy)]
    struct HeavyBall;

    impl Elementwise<1> for HeavyBall {
        #[inline(always)]
        fn apply<L: Lane>(&self, gradient: L, weight: L, [velocity]: &mut [L; 1]) -> L {
            *velocity = L::splat(0.9).mul_add(*velocity, gradient);
            weight - L::splat(0.1) * *velocity
        }
    }

    /// Returns inputs of which every third is zero.
    fn input(sample: &mut Sample, len: usize) -> Vec<f32> {
        let mut x = sample.vector(len, 1.0);
        x.iter_mut().step_by(3).for_each(|x| *x = 0.0);
        x
    }

    fn active(x: &[f32]) -> Vec<u32> {
        (0..x.len() as u32).filter(|&i| x[i as usize] != 0.0).collect()
    }

    #[test]
    fn the_active_rows_alone_give_the_bits_of_the_whole_product() {
        for isa in Isa::available() {
            for (k, n) in [(1, 1), (5, 16), (17, 33), (40, 100)] {
                let mut sample = Sample::new((k * n) as u64);
                let (x, w, b) = (input(&mut sample, k), sample.vector(k * n, 1.0), sample.vector(n, 1.0));
                let (wp, bp, mut y) = (pad(&w, k, n), pad(&b, 1, n), Buffer::zeros(padded(n)));
                for relu in [false, true] {
                    let input = SparseInput { x: &x, active: &active(&x) };
                    linear(isa, input, Matrix::new(&wp, k, n), &bp, relu, &mut y);
                    assert_eq!(y[..n], naive::linear(&x, &w, &b, relu, 1, k, n), "{k} x {n}");
                }
            }
        }
    }

    #[test]
    fn one_pass_gives_the_bits_of_a_dot_and_then_a_step_of_every_active_row() {
        for isa in Isa::available() {
            for (k, n) in [(1, 1), (5, 16), (17, 33), (40, 10)] {
                let mut sample = Sample::new((k * n) as u64);
                let (x, d) = (input(&mut sample, k), sample.vector(n, 1.0));
                let (w, v) = (sample.vector(k * n, 1.0), sample.vector(k * n, 1.0));
                let (mut wp, mut vp, mut dx) = (pad(&w, k, n), pad(&v, k, n), Buffer::zeros(padded(k)));
                let dp = pad(&d, 1, n);
                let to = MatrixMut::new(&mut wp, k, n);
                let input = SparseInput { x: &x, active: &active(&x) };
                descend(isa, input, &dp, &HeavyBall, to, [&mut vp], &mut dx);
                let (wp, vp) = (unpad(&wp, k, n), unpad(&vp, k, n));
                for row in 0..k {
                    let active = x[row] != 0.0;
                    let dot = naive::dot(&d, &w[row * n..][..n]);
                    assert_eq!(dx[row], if active { dot } else { 0.0 });
                    for (i, &d) in (row * n..).zip(&d) {
                        let mut velocity = [v[i]];
                        let stepped = HeavyBall.apply(x[row] * d, w[i], &mut velocity);
                        let expected = if active { (stepped, velocity[0]) } else { (w[i], v[i]) };
                        assert_eq!((wp[i], vp[i]), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn rows_catch_up_from_the_update_each_has_seen() {
        for isa in Isa::available() {
            let (k, n) = (7, 20);
            let mut sample = Sample::new(3);
            let (x, w, v) = (input(&mut sample, k), sample.vector(k * n, 1.0), sample.vector(k * n, 1.0));
            let phi: Vec<[[f32; 2]; 2]> =
                (0..4).map(|_| [0, 1].map(|_| sample.vector(2, 1.0).try_into().unwrap())).collect();
            let (mut wp, mut vp, mut last) = (pad(&w, k, n), pad(&v, k, n), vec![0, 1, 2, 3, 0, 1, 2]);
            let seen = last.clone();
            let matrices = [MatrixMut::new(&mut wp, k, n), MatrixMut::new(&mut vp, k, n)];
            let [to_w, to_v] = matrices;
            catch_up(isa, Some(&active(&x)), to_w, Some(to_v), &mut last, &phi, 4);
            for i in 0..k * n {
                let row = i / n;
                let [[a, b], [c, d]] = phi[seen[row] as usize];
                let idle = x[row] == 0.0 || seen[row] == 3;
                let new = (b.mul_add(v[i], a * w[i]), d.mul_add(v[i], c * w[i]));
                let expected = if idle { (w[i], v[i]) } else { new };
                assert_eq!((unpad(&wp, k, n)[i], unpad(&vp, k, n)[i]), expected);
                assert_eq!(last[row], if x[row] == 0.0 { seen[row] } else { 4 });
            }
        }
    }
}
