//! Forward-mode derivatives: numbers with their rates of change.

use crate::{Lane, Math};
use std::f64::consts::FRAC_2_SQRT_PI;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number and its rate of change along a direction: arithmetic written once for all lanes is differentiated by
/// running it on this one. At kinks, the rate is that of the branch taken.
#[derive(Clone, Copy, Debug)]
pub struct Dual<L> {
    /// The number.
    pub value: L,
    /// Its rate of change.
    pub rate: L,
}

impl<L: Math> Dual<L> {
    #[inline(always)]
    fn new(value: L, rate: L) -> Self {
        Self { value, rate }
    }
}

impl<L: Math> Add for Dual<L> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::new(self.value + other.value, self.rate + other.rate)
    }
}

impl<L: Math> Sub for Dual<L> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::new(self.value - other.value, self.rate - other.rate)
    }
}

impl<L: Math> Mul for Dual<L> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::new(self.value * other.value, self.rate * other.value + self.value * other.rate)
    }
}

impl<L: Math> Div for Dual<L> {
    type Output = Self;

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        Self::new(quotient, (self.rate - quotient * other.rate) / other.value)
    }
}

impl<L: Math> Neg for Dual<L> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self::new(-self.value, -self.rate)
    }
}

impl<L: Math> Lane for Dual<L> {
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self::new(L::splat(x), L::splat(0.0))
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        let rate = self.rate.mul_add(factor.value, self.value.mul_add(factor.rate, term.rate));
        Self::new(self.value.mul_add(factor.value, term.value), rate)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        Self::new(root, self.rate / (root + root))
    }

    #[inline(always)]
    fn flush(self) -> Self {
        Self::new(self.value.flush(), self.rate.flush())
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self::new(self.value.abs(), self.value.where_positive(self.rate, -self.rate))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        let above = self.value - other.value;
        Self::new(self.value.max(other.value), above.where_positive(self.rate, other.rate))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        let below = other.value - self.value;
        Self::new(self.value.min(other.value), below.where_positive(self.rate, other.rate))
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        let one = L::splat(1.0);
        let flip = one.copysign(self.value) * one.copysign(sign.value);
        Self::new(self.value.copysign(sign.value), self.rate * flip)
    }

    #[inline(always)]
    fn where_positive(self, yes: Self, no: Self) -> Self {
        let choose = |yes: L, no: L| self.value.where_positive(yes, no);
        Self::new(choose(yes.value, no.value), choose(yes.rate, no.rate))
    }
}

impl<L: Math> Math for Dual<L> {
    type Format = L::Format;

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        Self::new(self.value.scale_by_power(power.value), self.rate.scale_by_power(power.value))
    }

    #[inline(always)]
    fn split_power(self) -> (Self, Self) {
        let (m, n) = self.value.split_power();
        (Self::new(m, self.rate * m / self.value), Self::new(n, L::splat(0.0)))
    }

    #[inline(always)]
    fn exp(self) -> Self {
        let value = self.value.exp();
        Self::new(value, self.rate * value)
    }

    #[inline(always)]
    fn exp_m1(self) -> Self {
        Self::new(self.value.exp_m1(), self.rate * self.value.exp())
    }

    #[inline(always)]
    fn ln(self) -> Self {
        Self::new(self.value.ln(), self.rate / self.value)
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        Self::new(self.value.ln_1p(), self.rate / (L::splat(1.0) + self.value))
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let value = self.value.tanh();
        Self::new(value, self.rate * (L::splat(1.0) - value * value))
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        let value = self.value.sigmoid();
        Self::new(value, self.rate * value * (L::splat(1.0) - value))
    }

    #[inline(always)]
    fn softplus(self) -> Self {
        Self::new(self.value.softplus(), self.rate * self.value.sigmoid())
    }

    #[inline(always)]
    fn erf(self) -> Self {
        let slope = L::splat(FRAC_2_SQRT_PI) * (-self.value * self.value).exp();
        Self::new(self.value.erf(), self.rate * slope)
    }

    #[inline(always)]
    fn cbrt(self) -> Self {
        let root = self.value.cbrt();
        Self::new(root, self.rate / (L::splat(3.0) * root * root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function of a lane, smooth at the points it is called with.
    fn functions<L: Math>(x: L) -> Vec<L> {
        let (one, two) = (L::splat(1.0), L::splat(2.0));
        vec![
            x * x + x,
            (x - two) / (x + two),
            -x.mul_add(x, one),
            (x * x).sqrt(),
            x.flush(),
            x.abs(),
            x.max(L::splat(0.1)),
            x.min(L::splat(0.1)),
            x.copysign(-one),
            (x - one).where_positive(x * x, two * x),
            x.sign(),
            x.exp(),
            x.exp_m1(),
            x.abs().ln(),
            (x.abs() / two).ln_1p(),
            x.tanh(),
            x.sigmoid(),
            x.softplus(),
            x.erf(),
            x.cbrt(),
        ]
    }

    #[test]
    fn rates_of_all_functions_are_their_central_differences() {
        for x in [-1.7, -0.6, 0.05, 0.3, 1.4] {
            let dual = functions(Dual { value: x, rate: 3.0 });
            let (plain, step) = (functions(x), 1e-6);
            for (index, (above, below)) in functions(x + step).iter().zip(functions(x - step)).enumerate() {
                let rate = 3.0 * (above - below) / (2.0 * step);
                assert_eq!(dual[index].value, plain[index], "function {index} at {x}");
                assert!((dual[index].rate - rate).abs() < 1e-7, "function {index} at {x}");
            }
        }
    }
}
