//! A layer's passes for one sample at a time: rows of weights whose input is zero are left out.

use crate::matrix::{Matrix, MatrixMut};
use crate::pointer::SharedMut;
use crate::sweep::{Elementwise, apply_vector};
use crate::{Isa, Kernel, LANES, Vector};

/// Brings rows that were left out up to the present update: (w, v) ← Φᵢ (w, v), where i is the update `last` that the
/// row has seen, for every row whose input is not zero, or for all.
///
/// `x` `[inputs]`, W and V `[inputs, outputs]`, `last` one per row, `phi[i]` = Φᵢ from after update i to now; the
/// present update is `phi.len() - 1`. Without V only Φ's first number counts.
///
/// # Panics
/// If the shapes do not fit.
pub fn catch_up(
    isa: Isa,
    x: Option<&[f32]>,
    w: MatrixMut,
    v: Option<MatrixMut>,
    last: &mut [u32],
    phi: &[[[f32; 2]; 2]],
) {
    let ((rows, cols), now) = (w.shape(), phi.len() - 1);
    assert!(x.is_none_or(|x| x.len() >= rows) && last.len() == rows);
    assert!(v.as_ref().is_none_or(|v| v.shape() == (rows, cols)));
    let stride = crate::padded(cols);
    let (w, v) = (SharedMut::new(w.into_data()), v.map(|v| SharedMut::new(v.into_data())));
    isa.run(CatchUp { x, w, v, last, phi, now, stride });
}

struct CatchUp<'a> {
    x: Option<&'a [f32]>,
    w: SharedMut,
    v: Option<SharedMut>,
    last: &'a mut [u32],
    phi: &'a [[[f32; 2]; 2]],
    now: usize,
    stride: usize,
}

impl Kernel for CatchUp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        for (row, last) in self.last.iter_mut().enumerate() {
            if *last as usize == self.now || self.x.is_some_and(|x| x[row] == 0.0) {
                continue;
            }
            let phi = self.phi[*last as usize].map(|row| row.map(|p| V::splat(f64::from(p))));
            *last = self.now as u32;
            for at in (row * self.stride..(row + 1) * self.stride).step_by(LANES) {
                // SAFETY: `catch_up` checked that W and V have this row.
                unsafe {
                    let w = V::load(self.w.at(at));
                    let mut new_w = phi[0][0] * w;
                    if let Some(velocity) = self.v {
                        let v = V::load(velocity.at(at));
                        new_w = phi[0][1].mul_add(v, new_w);
                        phi[1][1].mul_add(v, phi[1][0] * w).flush().store(velocity.at(at));
                    }
                    new_w.store(self.w.at(at));
                }
            }
        }
    }
}

/// One sample's backward pass and step, in one pass over the rows whose input is not zero:
/// dxᵢ = d · wᵢ with the old weights, then wᵢ ← update(xᵢ d, wᵢ, slots). dx is 0 where x is.
///
/// `x` `[inputs]` is the layer's input after its ReLU, `d` `[outputs]`, W and slots `[inputs, outputs]`. A dot is 16
/// lanes in order and a fixed tree, as in [`crate::matrix::input_gradient`].
///
/// # Panics
/// If the shapes do not fit.
pub fn descend<U: Elementwise<S>, const S: usize>(
    isa: Isa,
    x: &[f32],
    d: Matrix,
    update: &U,
    w: MatrixMut,
    slots: [&mut [f32]; S],
    dx: &mut [f32],
) {
    let (rows, cols) = w.shape();
    assert!(x.len() >= rows && dx.len() >= rows && d.shape() == (1, cols));
    let w = SharedMut::new(w.into_data());
    assert!(slots.iter().all(|slot| slot.len() >= rows * d.row(0).len()));
    isa.run(Descend { x: &x[..rows], d: d.row(0), update, w, slots: slots.map(SharedMut::new), dx });
}

struct Descend<'a, U, const S: usize> {
    x: &'a [f32],
    d: &'a [f32],
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
        for (row, &x) in self.x.iter().enumerate() {
            self.dx[row] = 0.0;
            if x == 0.0 {
                continue;
            }
            let (factor, mut dot) = (V::splat(f64::from(x)), V::splat(0.0));
            for at in (0..stride).step_by(LANES) {
                let place = row * stride + at;
                // SAFETY: `descend` checked that d, W and the slots hold `at..at + 16` of this row.
                unsafe {
                    let d = V::load(self.d.as_ptr().add(at));
                    dot = d.mul_add(V::load(self.w.at(place)), dot);
                    let slots = self.slots.map(|slot| slot.at(place));
                    apply_vector(self.update, factor * d, self.w.at(place), slots);
                }
            }
            self.dx[row] = dot.sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::{self, Sample, pad, unpad};
    use crate::{Buffer, Lane, padded};

    struct HeavyBall;

    impl Elementwise<1> for HeavyBall {
        #[inline(always)]
        fn apply<L: Lane>(&self, gradient: L, weight: L, [velocity]: &mut [L; 1]) -> L {
            *velocity = L::splat(0.9).mul_add(*velocity, gradient);
            weight - L::splat(0.1) * *velocity
        }
    }

    /// Every third number zero.
    fn input(sample: &mut Sample, len: usize) -> Vec<f32> {
        let mut x = sample.vector(len, 1.0);
        x.iter_mut().step_by(3).for_each(|x| *x = 0.0);
        x
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
                descend(isa, &x, Matrix::new(&dp, 1, n), &HeavyBall, to, [&mut vp], &mut dx);
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
            catch_up(isa, Some(&x), to_w, Some(to_v), &mut last, &phi);
            for i in 0..k * n {
                let row = i / n;
                let [[a, b], [c, d]] = phi[seen[row] as usize];
                let idle = x[row] == 0.0 || seen[row] == 3;
                let new = (b.mul_add(v[i], a * w[i]), d.mul_add(v[i], c * w[i]));
                let expected = if idle { (w[i], v[i]) } else { new };
                assert_eq!((unpad(&wp, k, n)[i], unpad(&vp, k, n)[i]), expected);
                assert_eq!(last[row], if x[row] == 0.0 { seen[row] } else { 3 });
            }
        }
    }
}
