//! Our own exponentials, logarithms and related functions: bit-identical on every machine, unlike a C
//! library's.
//!
//! Each is written once for `f64`, `f32` and vectors of 16 x f32; the format decides how many terms a
//! polynomial has ([`Format`]). NaN gives NaN. Results are within 4 units in the last place in `f32` and
//! 1e-15 relative in `f64`; an exponential below the smallest normal number is zero.

mod format;

use crate::Lane;
pub use format::Format;
use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

/// Lane with elementary functions. For a plain number write `Math::exp(x)`: `x.exp()` is the C library's.
pub trait Math: Lane {
    /// Number format of its lanes.
    type Format: Format;

    /// Multiplies by 2^power, for a `power` from [`nearest_integer`](Self::nearest_integer): adds its low bits to the
    /// exponent.
    fn scale_by_power(self, power: Self) -> Self;

    /// Returns m and n with self = 2^n m and m between √½ and √2, for a positive, normal number.
    fn split_power(self) -> (Self, Self);

    /// Returns the integer nearest to x times `factor`, for [`scale_by_power`](Self::scale_by_power) and as a number.
    #[inline(always)]
    fn nearest_integer(self, factor: f64) -> (Self, Self) {
        let magic = Self::splat(Self::Format::MAGIC);
        let power = self.mul_add(Self::splat(factor), magic);
        (power, power - magic)
    }

    /// e^x.
    #[inline(always)]
    fn exp(self) -> Self {
        let (power, r, series) = exponential_parts(self);
        let y = series.mul_add(r, Self::splat(1.0)).scale_by_power(power);
        let y = (Self::splat(Self::Format::LOWEST) - self).where_positive(Self::splat(0.0), y);
        (self - Self::splat(Self::Format::HIGHEST)).where_positive(Self::splat(f64::INFINITY), y)
    }

    /// e^x − 1, exact also where x is small: with x = n ln 2 + r it is
    /// 2 (2^(n−1) (e^r − 1) + 2^(n−1) − ½), which overflows only where the result does.
    #[inline(always)]
    fn exp_m1(self) -> Self {
        let beyond = Self::splat(Self::Format::HIGHEST + 0.25);
        let (power, r, series) = exponential_parts(beyond.min(self));
        let half = Self::splat(0.5);
        let scale = half.scale_by_power(power);
        let y = scale.mul_add(series * r, scale - half);
        y + y
    }

    /// ln x; −∞ at zero, NaN below. A denormal number is treated as about the smallest normal one.
    #[inline(always)]
    fn ln(self) -> Self {
        let (m, n) = self.split_power();
        let one = Self::splat(1.0);
        let y = n.mul_add(Self::splat(LN_2), twice_artanh((m - one) / (m + one)));
        let infinity = Self::splat(f64::INFINITY);
        let y = (self - Self::splat(Self::Format::MAX)).where_positive(infinity, y);
        let not_positive = (-self).where_positive(Self::splat(f64::NAN), self - infinity);
        self.where_positive(y, not_positive)
    }

    /// ln (1 + x) for x from 0 to 1, exact also where x is small: 1 + x is m, or 2 m above √2, and
    /// ln m = 2 artanh ((m − 1) / (m + 1)).
    #[inline(always)]
    fn ln_1p(self) -> Self {
        let upper = self - Self::splat(SQRT_2 - 1.0);
        let numerator = upper.where_positive(self - Self::splat(1.0), self);
        let denominator = self + upper.where_positive(Self::splat(3.0), Self::splat(2.0));
        let power = upper.where_positive(Self::splat(LN_2), Self::splat(0.0));
        twice_artanh(numerator / denominator) + power
    }

    /// tanh x = −t / (t + 2) with t = e^(−2|x|) − 1, and the sign of x.
    #[inline(always)]
    fn tanh(self) -> Self {
        let t = (Self::splat(-2.0) * self.abs()).exp_m1();
        (t / (t + Self::splat(2.0))).copysign(self)
    }

    /// 1 / (1 + e^−x).
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        self.where_positive(Self::splat(1.0), e) / (Self::splat(1.0) + e)
    }

    /// ln (1 + e^x).
    #[inline(always)]
    fn softplus(self) -> Self {
        self.max(Self::splat(0.0)) + (-self.abs()).exp().ln_1p()
    }

    /// The error function, 2/√π ∫ e^(−t²) dt from 0 to x.
    ///
    /// x + x P(x²) up to 1, then 1 − e^(−Q(|x|)) until that is 1: see [`Format::ERF`] and [`Format::ERFC`].
    #[inline(always)]
    fn erf(self) -> Self {
        let small = horner(self * self, Self::Format::ERF).mul_add(self, self);
        let size = Self::splat(Self::Format::ERF_IS_ONE).min(self.abs());
        let large = Self::splat(1.0) - (-horner(size, Self::Format::ERFC)).exp();
        (size - Self::splat(1.0)).where_positive(large.copysign(self), small)
    }

    /// ∛x. A denormal number is treated as about the smallest normal one.
    ///
    /// With |x| = 2^(3q + r) m and r = −1, 0 or 1: the Taylor polynomial of ∛m around 1, then Halley's steps
    /// y − y (y³ − m) / (2 y³ + m), each of which triples the number of correct digits.
    #[inline(always)]
    fn cbrt(self) -> Self {
        let size = self.abs();
        let (m, n) = size.split_power();
        let (power, q) = n.nearest_integer(1.0 / 3.0);
        let r = q.mul_add(Self::splat(-3.0), n);
        let mut y = horner(m - Self::splat(1.0), &[5.0 / 81.0, -1.0 / 9.0, 1.0 / 3.0, 1.0]);
        for _ in 0..Self::Format::HALLEY_STEPS {
            let cube = y * y * y;
            y = y - y * (cube - m) / (cube + cube + m);
        }
        let down = (-r).where_positive(Self::splat(0.793_700_525_984_099_8), Self::splat(1.0));
        let y = (y * r.where_positive(Self::splat(1.259_921_049_894_873_2), down)).scale_by_power(power);
        let y = (size - Self::splat(Self::Format::MAX)).where_positive(size, y);
        size.where_positive(y.copysign(self), self)
    }
}

/// Splits x = n ln 2 + r with n an integer and |r| <= ln 2 / 2, and evaluates the Taylor series of (e^r − 1)
/// / r. Returns the integer as a power for [`Math::scale_by_power`], r, and the series. An x below the logarithm
/// of the smallest normal number is clamped to it.
#[inline(always)]
fn exponential_parts<L: Math>(x: L) -> (L, L, L) {
    let clamped = L::splat(L::Format::LOWEST).max(x); // in this order a NaN passes through
    let (power, n) = clamped.nearest_integer(LOG2_E);
    let r = n.mul_add(L::splat(-L::Format::LN_2_HIGH), clamped);
    let r = n.mul_add(L::splat(-L::Format::LN_2_LOW), r);
    (power, r, horner(r, L::Format::EXPONENTIAL))
}

/// Returns 2 artanh s for |s| <= 0.172, by its Taylor series.
#[inline(always)]
fn twice_artanh<L: Math>(s: L) -> L {
    L::splat(2.0) * s * horner(s * s, L::Format::ARTANH)
}

/// Evaluates a polynomial by Horner's rule, the highest coefficient first.
#[inline(always)]
fn horner<L: Lane>(x: L, coefficients: &[f64]) -> L {
    let highest = L::splat(coefficients[0]);
    coefficients[1..].iter().fold(highest, |sum, &coefficient| sum.mul_add(x, L::splat(coefficient)))
}

/// Lane of one number, given its bits as integers and its number of binary digits.
macro_rules! scalar {
    ($type:ident, $signed:ident, $digits:literal) => {
        impl Math for $type {
            type Format = Self;

            #[inline(always)]
            fn scale_by_power(self, power: Self) -> Self {
                Self::from_bits(self.to_bits().wrapping_add(power.to_bits() << $digits))
            }

            #[inline(always)]
            fn split_power(self) -> (Self, Self) {
                let bits = self.to_bits() as $signed;
                let least = std::$type::consts::FRAC_1_SQRT_2.to_bits() as $signed;
                let n = bits.wrapping_sub(least) >> $digits;
                (Self::from_bits(bits.wrapping_sub(n << $digits) as _), n as Self)
            }
        }
    };
}

scalar!(f64, i64, 52);
scalar!(f32, i32, 23);

#[cfg(test)]
mod tests;
