//! Operations on vectors of the weights' length, bitwise identical on any number of threads.

use crate::optim::arithmetic::Arithmetic;
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use schuss_kernels::sweep::Elementwise;

/// xᵀ y
pub(super) fn dot<A: Arithmetic>(arithmetic: &mut A, x: &[A::T], y: &[A::T]) -> f64 {
    let [dot] = arithmetic.reduce(&Dot, x, y, []);
    dot
}

/// Σ |x|
pub(super) fn sum_of_magnitudes<A: Arithmetic>(arithmetic: &mut A, x: &[A::T]) -> f64 {
    let [sum] = arithmetic.reduce(&Magnitude, x, x, []);
    sum
}

/// max |x|
pub(super) fn largest<T: Lane + Default + Into<f64>>(x: &[T]) -> f64 {
    x.iter().fold(T::default(), |largest, x| x.abs().max(largest)).into()
}

/// y ← a x
pub(super) fn set_scaled<A: Arithmetic>(arithmetic: &mut A, y: &mut [A::T], a: f64, x: &[A::T]) {
    arithmetic.sweep(&Scale(a), x, 1.0, y, []);
}

/// y ← y + a x
pub(super) fn add_scaled<A: Arithmetic>(arithmetic: &mut A, y: &mut [A::T], a: f64, x: &[A::T]) {
    arithmetic.sweep(&Add { a, b: 1.0 }, x, 1.0, y, []);
}

/// y ← a x + b y
pub(super) fn combine<A: Arithmetic>(arithmetic: &mut A, y: &mut [A::T], a: f64, x: &[A::T], b: f64) {
    arithmetic.sweep(&Add { a, b }, x, 1.0, y, []);
}

struct Dot;

impl Reduction<0, 1> for Dot {
    #[inline(always)]
    fn terms<L: Lane>(&self, x: L, y: L, []: [L; 0]) -> [L; 1] {
        [x * y]
    }
}

struct Magnitude;

impl Reduction<0, 1> for Magnitude {
    #[inline(always)]
    fn terms<L: Lane>(&self, x: L, _: L, []: [L; 0]) -> [L; 1] {
        [x.abs()]
    }
}

#[derive(Clone, Copy)]
struct Scale(f64);

impl Elementwise<0> for Scale {
    #[inline(always)]
    fn apply<L: Lane>(&self, x: L, _: L, []: &mut [L; 0]) -> L {
        L::splat(self.0) * x
    }
}

#[derive(Clone, Copy)]
struct Add {
    a: f64,
    b: f64,
}

impl Elementwise<0> for Add {
    #[inline(always)]
    fn apply<L: Lane>(&self, x: L, y: L, []: &mut [L; 0]) -> L {
        L::splat(self.a).mul_add(x, L::splat(self.b) * y)
    }
}
