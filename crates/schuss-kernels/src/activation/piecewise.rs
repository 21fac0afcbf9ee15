//! Piecewise linear activations and others with kinks.

use super::Activation;
use crate::Math;

/// Clamps x to the bounds, in an order that propagates NaN.
#[inline(always)]
fn clamp<L: Math>(x: L, min: f64, max: f64) -> L {
    L::splat(max).min(L::splat(min).max(x))
}

/// Returns 1 strictly between the bounds, else 0.
#[inline(always)]
fn inside<L: Math>(x: L, min: f64, max: f64) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    (x - L::splat(min)).where_positive((L::splat(max) - x).where_positive(one, zero), zero)
}

/// f(x) = x.
#[derive(Clone, Copy, Debug)]
pub struct Identity;

impl Activation for Identity {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x
    }

    #[inline(always)]
    fn slope<L: Math>(&self, _x: L, _y: L) -> L {
        L::splat(1.0)
    }
}

/// f(x) = max(0, x).
#[derive(Clone, Copy, Debug)]
pub struct Relu;

impl Activation for Relu {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        L::splat(0.0).max(x)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        x.where_positive(L::splat(1.0), L::splat(0.0))
    }
}

/// f(x) = x above zero, else `slope` x.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    /// Slope at and below zero.
    pub slope: f64,
}

impl Activation for LeakyRelu {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x.where_positive(x, L::splat(self.slope) * x)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        x.where_positive(L::splat(1.0), L::splat(self.slope))
    }
}

/// f(x) = x between two bounds, else the nearer bound.
#[derive(Clone, Copy, Debug)]
pub struct HardTanh {
    /// Lower bound.
    pub min: f64,
    /// Upper bound.
    pub max: f64,
}

impl HardTanh {
    /// ReLU6: bounds 0 and 6.
    pub const RELU6: Self = Self { min: 0.0, max: 6.0 };
}

impl Activation for HardTanh {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        clamp(x, self.min, self.max)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        inside(x, self.min, self.max)
    }
}

/// f(x) = min(max(x + 3, 0), 6) / 6.
#[derive(Clone, Copy, Debug)]
pub struct HardSigmoid;

impl Activation for HardSigmoid {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        clamp(x + L::splat(3.0), 0.0, 6.0) / L::splat(6.0)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        inside(x, -3.0, 3.0) / L::splat(6.0)
    }
}

/// f(x) = x min(max(x + 3, 0), 6) / 6.
#[derive(Clone, Copy, Debug)]
pub struct HardSwish;

impl Activation for HardSwish {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x * clamp(x + L::splat(3.0), 0.0, 6.0) / L::splat(6.0)
    }

    /// Returns 0 up to −3, 1 from 3 on, x / 3 + ½ between.
    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let between = x / L::splat(3.0) + L::splat(0.5);
        let below = (x + L::splat(3.0)).where_positive(between, L::splat(0.0));
        (L::splat(3.0) - x).where_positive(below, L::splat(1.0))
    }
}

/// f(x) = x outside ±λ, else 0.
#[derive(Clone, Copy, Debug)]
pub struct HardShrink {
    /// Half the width of the interval that becomes zero.
    pub lambda: f64,
}

impl Activation for HardShrink {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        (x.abs() - L::splat(self.lambda)).where_positive(x, L::splat(0.0) * x) // the product propagates NaN
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        (x.abs() - L::splat(self.lambda)).where_positive(L::splat(1.0), L::splat(0.0))
    }
}

/// f(x) = x moved by λ towards 0, and 0 within ±λ.
#[derive(Clone, Copy, Debug)]
pub struct SoftShrink {
    /// Shift λ.
    pub lambda: f64,
}

impl Activation for SoftShrink {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        L::splat(0.0).max(x.abs() - L::splat(self.lambda)).copysign(x)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        (x.abs() - L::splat(self.lambda)).where_positive(L::splat(1.0), L::splat(0.0))
    }
}
