//! Powers and cosine in f64 that give the same bits on every machine, unlike those of the C library.

use schuss_kernels::Math;
use std::f64::consts::PI;

/// Interpolates linearly from `start` (p = 0) to `end` (p = 1), exact at both ends.
pub(super) fn between(start: f64, end: f64, p: f64) -> f64 {
    start * (1.0 - p) + end * p
}

/// Computes x^n by repeated squaring.
pub(super) fn powi(x: f64, mut n: u64) -> f64 {
    let (mut power, mut square) = (1.0, x);
    while n > 0 {
        if n & 1 == 1 {
            power *= square;
        }
        square *= square;
        n >>= 1;
    }
    power
}

/// Computes x^p for x ≥ 0 and p ≥ 0.
pub(crate) fn powf(x: f64, p: f64) -> f64 {
    let whole = p as u64; // rounds down and saturates at u64::MAX
    if whole as f64 == p {
        powi(x, whole)
    } else if x == 0.0 {
        0.0
    } else {
        Math::exp(p * Math::ln(x))
    }
}

/// Computes (1 + cos πp) / 2: half a period of the cosine, from 1 at p = 0 to 0 at p = 1; periodic beyond.
pub(super) fn half_cosine(p: f64) -> f64 {
    (1.0 + cos_pi(p)) / 2.0
}

/// Computes cos(πp) to about 1e-16: p is folded exactly into [0, 1/4], where Taylor polynomials are used.
fn cos_pi(p: f64) -> f64 {
    let turn = p.abs() % 2.0;
    let half = if turn > 1.0 { 2.0 - turn } else { turn };
    let (quarter, sign) = if half > 0.5 { (1.0 - half, -1.0) } else { (half, 1.0) };
    sign * if quarter > 0.25 { sin(PI * (0.5 - quarter)) } else { cos(PI * quarter) }
}

/// Cosine for |x| ≤ π/4: 1 − x²/(1·2) (1 − x²/(3·4) (1 − ...)), truncation 3e-18.
fn cos(x: f64) -> f64 {
    (1..=8).rev().fold(1.0, |sum, k| 1.0 - x * x * sum / f64::from((2 * k - 1) * (2 * k)))
}

/// Sine for |x| ≤ π/4: x (1 − x²/(2·3) (1 − x²/(4·5) (1 − ...))), truncation 2e-19.
fn sin(x: f64) -> f64 {
    x * (1..=8).rev().fold(1.0, |sum, k| 1.0 - x * x * sum / f64::from((2 * k) * (2 * k + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_agrees_with_the_true_one_and_is_exact_at_quarters() {
        for step in -4_000..=4_000 {
            let p = f64::from(step) / 1_999.0;
            let error = (cos_pi(p) - (PI * p).cos()).abs();
            assert!(error <= 1e-15, "cos_pi({p}) is off by {error:e}");
        }
        assert_eq!([0.0, 0.5, 1.0, 1.5, 2.0, 1e6].map(cos_pi), [1.0, 0.0, -1.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn powers_agree_with_the_true_ones() {
        for (x, p) in
            [(0.999, 4_000.0), (0.3, 0.9), (0.0, 2.5), (0.0, 0.0), (1.0, 7.5), (1e-6, 3.5), (2.0, 0.5)]
        {
            let (found, exact) = (powf(x, p), f64::powf(x, p));
            assert!((found - exact).abs() <= 1e-12 * exact, "{x}^{p} is {exact}, not {found}");
        }
        assert_eq!((powi(0.5, 10), powi(3.0, 0), powi(0.9, u64::MAX)), (1.0 / 1024.0, 1.0, 0.0));
    }
}
