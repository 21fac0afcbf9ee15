//! Arithmetic written once: for `f64` (the reference), `f32`, and vectors of 16 x f32.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// Number, or several side by side, in terms of which an optimizer's update is written.
pub trait Lane:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// Broadcasts a number to every lane, rounded once.
    fn splat(x: f64) -> Self;

    /// Returns `self * factor + term` with a single rounding.
    fn mul_add(self, factor: Self, term: Self) -> Self;

    /// Returns the square root, correctly rounded.
    fn sqrt(self) -> Self;

    /// Flushes to zero where the magnitude is below 1e-30: a decaying slot otherwise turns denormal and slow.
    fn flush(self) -> Self;

    /// Returns the magnitude.
    fn abs(self) -> Self;

    /// Returns the larger of each pair; `other` where one of them is NaN.
    fn max(self, other: Self) -> Self;

    /// Returns the smaller of each pair; `other` where one of them is NaN.
    fn min(self, other: Self) -> Self;

    /// Returns the magnitude of `self` with the sign bit of `sign`.
    fn copysign(self, sign: Self) -> Self;

    /// Selects `yes` where `self` is above zero, else `no`, also where it is NaN.
    fn where_positive(self, yes: Self, no: Self) -> Self;

    /// Returns 1 above zero, -1 below, 0 at zero and for NaN.
    #[inline(always)]
    fn sign(self) -> Self {
        let one = Self::splat(1.0);
        self.where_positive(one, (-self).where_positive(-one, Self::splat(0.0)))
    }
}

/// Magnitude below which an optimizer's slot counts as zero.
pub(crate) const TINY: f32 = 1e-30;

/// Lane of one number.
macro_rules! scalar {
    ($type:ident) => {
        impl Lane for $type {
            #[inline(always)]
            fn splat(x: f64) -> Self {
                x as $type
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                $type::mul_add(self, factor, term)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                $type::sqrt(self)
            }

            #[inline(always)]
            fn flush(self) -> Self {
                if self.abs() < $type::from(TINY) { 0.0 } else { self }
            }

            #[inline(always)]
            fn abs(self) -> Self {
                $type::abs(self)
            }

            #[inline(always)]
            fn max(self, other: Self) -> Self {
                if self > other { self } else { other }
            }

            #[inline(always)]
            fn min(self, other: Self) -> Self {
                if self < other { self } else { other }
            }

            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                $type::copysign(self, sign)
            }

            #[inline(always)]
            fn where_positive(self, yes: Self, no: Self) -> Self {
                if self > 0.0 { yes } else { no }
            }
        }
    };
}

scalar!(f64);
scalar!(f32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel, LANES, Vector};

    type Lanes = [f32; LANES];

    /// Applies every operation with a choice in it, lane by lane.
    #[inline(always)]
    fn choices<L: Lane>(a: L, b: L) -> [L; 7] {
        [a.abs(), a.max(b), a.min(b), a.copysign(b), a.where_positive(a, b), a.sign(), (a * b).flush()]
    }

    struct Choices(Lanes, Lanes);

    impl Kernel for Choices {
        type Output = [Lanes; 7];

        #[inline(always)]
        fn run<V: Vector>(self) -> [Lanes; 7] {
            // SAFETY: all arrays are 16 numbers long.
            unsafe {
                choices(V::load(self.0.as_ptr()), V::load(self.1.as_ptr())).map(|result| {
                    let mut lanes = [0.0; LANES];
                    result.store(lanes.as_mut_ptr());
                    lanes
                })
            }
        }
    }

    const AWKWARD: Lanes = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e-40,
        -1e-40,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        3.5,
        -2e-16,
        1e-15,
        -7.25,
    ];

    /// Returns bits that distinguish zeros, but not one NaN from another: Rust guarantees nothing about
    /// those.
    fn bits(x: f32) -> u32 {
        if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
    }

    #[test]
    fn choices_have_the_same_bits_on_every_instruction_set_and_alone() {
        for shift in 0..LANES {
            let mut other = AWKWARD;
            other.rotate_left(shift);
            for isa in Isa::available() {
                let found = isa.run(Choices(AWKWARD, other));
                for (i, (a, b)) in AWKWARD.into_iter().zip(other).enumerate() {
                    let lane = found.map(|result| bits(result[i]));
                    assert_eq!(lane, choices(a, b).map(bits), "{a}, {b}, {}", isa.name());
                }
            }
        }
    }

    #[test]
    fn nan_is_not_positive_has_no_sign_and_gives_way_to_the_second() {
        let nan = f64::NAN;
        assert_eq!((nan.where_positive(1.0, 2.0), nan.sign()), (2.0, 0.0));
        assert_eq!((Lane::max(nan, 1.0), Lane::min(nan, 1.0)), (1.0, 1.0));
        assert!(Lane::max(1.0, nan).is_nan() && Lane::min(1.0, nan).is_nan());
    }
}
