//! Activations made of exponentials, and other smooth curves.

use super::Activation;
use crate::Math;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// f(x) = 1 / (1 + e^−x).
#[derive(Clone, Copy, Debug)]
pub struct Sigmoid;

impl Activation for Sigmoid {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x.sigmoid()
    }

    #[inline(always)]
    fn slope<L: Math>(&self, _x: L, y: L) -> L {
        y * (L::splat(1.0) - y)
    }
}

/// f(x) = tanh x.
#[derive(Clone, Copy, Debug)]
pub struct Tanh;

impl Activation for Tanh {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x.tanh()
    }

    #[inline(always)]
    fn slope<L: Math>(&self, _x: L, y: L) -> L {
        L::splat(1.0) - y * y
    }
}

/// f(x) = scale x above zero, else scale α (e^(rate x) − 1): ELU, SELU and CELU.
#[derive(Clone, Copy, Debug)]
pub struct Elu {
    alpha: f64,
    scale: f64,
    rate: f64,
}

impl Elu {
    /// Exponential linear unit.
    pub fn new(alpha: f64) -> Self {
        Self { alpha, scale: 1.0, rate: 1.0 }
    }

    /// Self-normalising variant, whose two constants keep mean 0 and variance 1.
    pub fn selu() -> Self {
        Self { alpha: 1.673_263_242_354_377_2, scale: 1.050_700_987_355_480_5, rate: 1.0 }
    }

    /// Continuously differentiable variant, α (e^(x / α) − 1) below zero.
    pub fn celu(alpha: f64) -> Self {
        Self { alpha, scale: 1.0, rate: 1.0 / alpha }
    }
}

impl Activation for Elu {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        let below = L::splat(self.alpha * self.scale) * (L::splat(self.rate) * x).exp_m1();
        x.where_positive(L::splat(self.scale) * x, below)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let below = L::splat(self.alpha * self.scale * self.rate) * (L::splat(self.rate) * x).exp();
        x.where_positive(L::splat(self.scale), below)
    }
}

/// f(x) = x Φ(x), Φ the normal distribution: (1 + erf(x / √2)) / 2.
#[derive(Clone, Copy, Debug)]
pub struct Gelu;

impl Gelu {
    #[inline(always)]
    fn distribution<L: Math>(x: L) -> L {
        let half = L::splat(0.5);
        half.mul_add((x * L::splat(FRAC_1_SQRT_2)).erf(), half)
    }
}

impl Activation for Gelu {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x * Self::distribution(x)
    }

    /// Φ(x) + x e^(−x²/2) / √(2π).
    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let density = L::splat(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) * (L::splat(-0.5) * x * x).exp();
        x.mul_add(density, Self::distribution(x))
    }
}

/// f(x) = x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³): close to [`Gelu`].
#[derive(Clone, Copy, Debug)]
pub struct GeluTanh;

impl GeluTanh {
    const LINEAR: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    const CUBIC: f64 = 0.044_715;

    /// (1 + tanh u) / 2, which is 1 / (1 + e^(−2u)).
    #[inline(always)]
    fn gate<L: Math>(x: L) -> L {
        let stretch = L::splat(2.0 * Self::LINEAR * Self::CUBIC).mul_add(x * x, L::splat(2.0 * Self::LINEAR));
        (x * stretch).sigmoid()
    }
}

impl Activation for GeluTanh {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x * Self::gate(x)
    }

    /// g + x 2u′ g (1 − g), g the gate.
    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let gate = Self::gate(x);
        let stretch = L::splat(6.0 * Self::LINEAR * Self::CUBIC).mul_add(x * x, L::splat(2.0 * Self::LINEAR));
        (x * stretch).mul_add(gate * (L::splat(1.0) - gate), gate)
    }
}

/// f(x) = x σ(x), also called swish.
#[derive(Clone, Copy, Debug)]
pub struct Silu;

impl Activation for Silu {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x * x.sigmoid()
    }

    /// σ (1 + x (1 − σ)).
    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let (sigmoid, one) = (x.sigmoid(), L::splat(1.0));
        sigmoid * x.mul_add(one - sigmoid, one)
    }
}

/// f(x) = x tanh(ln(1 + e^x)).
#[derive(Clone, Copy, Debug)]
pub struct Mish;

impl Activation for Mish {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x * x.softplus().tanh()
    }

    /// t + x σ (1 − t²) with t = tanh(ln(1 + e^x)).
    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let t = x.softplus().tanh();
        (x * x.sigmoid()).mul_add(L::splat(1.0) - t * t, t)
    }
}

/// f(x) = ln(1 + e^(βx)) / β, and x itself where βx is above the threshold.
#[derive(Clone, Copy, Debug)]
pub struct Softplus {
    /// Steepness.
    pub beta: f64,
    /// Value of βx above which the function is the identity.
    pub threshold: f64,
}

impl Activation for Softplus {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        let beta = L::splat(self.beta);
        (beta * x - L::splat(self.threshold)).where_positive(x, (beta * x).softplus() / beta)
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let scaled = L::splat(self.beta) * x;
        (scaled - L::splat(self.threshold)).where_positive(L::splat(1.0), scaled.sigmoid())
    }
}

/// f(x) = x / (1 + |x|).
#[derive(Clone, Copy, Debug)]
pub struct Softsign;

impl Activation for Softsign {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x / (L::splat(1.0) + x.abs())
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let size = L::splat(1.0) + x.abs();
        L::splat(1.0) / (size * size)
    }
}

/// f(x) = ln σ(x) = −ln(1 + e^−x).
#[derive(Clone, Copy, Debug)]
pub struct LogSigmoid;

impl Activation for LogSigmoid {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        -(-x).softplus()
    }

    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        (-x).sigmoid()
    }
}

/// f(x) = x − tanh x.
#[derive(Clone, Copy, Debug)]
pub struct TanhShrink;

impl Activation for TanhShrink {
    #[inline(always)]
    fn value<L: Math>(&self, x: L) -> L {
        x - x.tanh()
    }

    /// tanh² x.
    #[inline(always)]
    fn slope<L: Math>(&self, x: L, _y: L) -> L {
        let t = x.tanh();
        t * t
    }
}
