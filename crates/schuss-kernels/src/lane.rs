//! Arithmetic written once: for `f64` (the reference), `f32`, and vectors of 16 x f32.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number, or several side by side, on which an optimizer's update is written.
pub trait Lane:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The same number in every lane, rounded once.
    fn splat(x: f64) -> Self;

    /// `self * factor + term` with a single rounding.
    fn mul_add(self, factor: Self, term: Self) -> Self;

    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;

    /// Zero where the magnitude is below 1e-30: a decaying slot otherwise turns denormal and slow.
    fn flush(self) -> Self;
}

/// Below this an optimizer's slot counts as zero.
pub(crate) const TINY: f32 = 1e-30;

impl Lane for f64 {
    #[inline(always)]
    fn splat(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        f64::mul_add(self, factor, term)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn flush(self) -> Self {
        if self.abs() < f64::from(TINY) { 0.0 } else { self }
    }
}

impl Lane for f32 {
    #[inline(always)]
    fn splat(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        f32::mul_add(self, factor, term)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn flush(self) -> Self {
        if self.abs() < TINY { 0.0 } else { self }
    }
}
