//! The lane whose numbers are values on the tape.

use super::tape::{self, Op, Value};
use schuss_kernels::{Lane, Math};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number that the shader will compute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded(pub(super) Value);

impl Recorded {
    /// Returns a value given by WGSL.
    pub(super) fn expression(text: &str) -> Self {
        Self(tape::with(|tape| tape.expression(text)))
    }

    fn unary(self, op: Op) -> Self {
        self.ternary(op, self, self)
    }

    fn binary(self, op: Op, other: Self) -> Self {
        self.ternary(op, other, other)
    }

    fn ternary(self, op: Op, second: Self, third: Self) -> Self {
        Self(tape::with(|tape| tape.operation(op, [self.0, second.0, third.0])))
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident),*) => {
        $(impl $trait for Recorded {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.binary(Op::$trait, other)
            }
        })*
    };
}

operators!(Add add, Sub sub, Mul mul, Div div);

impl Neg for Recorded {
    type Output = Self;

    fn neg(self) -> Self {
        self.unary(Op::Neg)
    }
}

impl Lane for Recorded {
    fn splat(x: f64) -> Self {
        Self(tape::with(|tape| tape.number(x as f32)))
    }

    fn mul_add(self, factor: Self, term: Self) -> Self {
        self.ternary(Op::MulAdd, factor, term)
    }

    fn sqrt(self) -> Self {
        self.unary(Op::Sqrt)
    }

    fn flush(self) -> Self {
        self.unary(Op::Flushed)
    }

    fn abs(self) -> Self {
        self.unary(Op::Abs)
    }

    fn max(self, other: Self) -> Self {
        self.binary(Op::Larger, other)
    }

    fn min(self, other: Self) -> Self {
        self.binary(Op::Smaller, other)
    }

    fn copysign(self, sign: Self) -> Self {
        self.binary(Op::WithSign, sign)
    }

    fn where_positive(self, yes: Self, no: Self) -> Self {
        self.ternary(Op::WherePositive, yes, no)
    }
}

impl Math for Recorded {
    type Format = f32;

    fn scale_by_power(self, power: Self) -> Self {
        self.binary(Op::ScaleByPower, power)
    }

    fn split_power(self) -> (Self, Self) {
        (self.unary(Op::Mantissa), self.unary(Op::Power))
    }

    /// Rounds instead of adding a large number and subtracting it again, which drivers cancel.
    fn nearest_integer(self, factor: f64) -> (Self, Self) {
        let nearest = (self * Self::splat(factor)).unary(Op::Round);
        (nearest, nearest)
    }
}
