//! Student's t distribution with a whole number of degrees of freedom, in closed form.
//!
//! Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4: with θ = atan(t / √ν),
//!
//! P(|T| ≤ t) = sin θ (1 + 1/2 cos²θ + 1·3/(2·4) cos⁴θ + … up to cos^(ν−2) θ) for even ν, and
//! P(|T| ≤ t) = 2/π (θ + sin θ (cos θ + 2/3 cos³θ + … up to cos^(ν−2) θ)) for odd ν.

use std::f64::consts::{FRAC_1_PI, FRAC_2_PI};

/// Returns P(|T| > t), the two-sided p-value.
pub(super) fn two_sided(t: f64, freedom: usize) -> f64 {
    (1.0 - within(t.abs(), freedom)).clamp(0.0, 1.0)
}

/// Returns the t for which P(|T| ≤ t) = `level`.
///
/// P is concave above 0, so Newton's steps from 0 never pass the solution.
pub(super) fn quantile(level: f64, freedom: usize) -> f64 {
    let height = 2.0 * density_at_zero(freedom);
    let density = |t: f64| height * (1.0 + t * t / freedom as f64).powf(-(freedom as f64 + 1.0) / 2.0);
    let mut t = 0.0;
    loop {
        let next = t + (level - within(t, freedom)) / density(t);
        if next.is_nan() || next <= t * (1.0 + 1e-15) {
            return t;
        }
        t = next;
    }
}

/// Returns Γ((ν+1)/2) / (√(νπ) Γ(ν/2)), by Γ(x + 1) = x Γ(x).
fn density_at_zero(freedom: usize) -> f64 {
    let (first, lowest) = if freedom.is_multiple_of(2) { (0.5, 2) } else { (FRAC_1_PI, 1) };
    let below = (lowest..freedom.saturating_sub(1)).step_by(2);
    let ratio: f64 = below.map(|nu| (nu + 1) as f64 / nu as f64).product();
    first * ratio / (freedom as f64).sqrt()
}

/// Returns P(|T| ≤ t) for t ≥ 0.
fn within(t: f64, freedom: usize) -> f64 {
    let angle = (t / (freedom as f64).sqrt()).atan();
    let (sin, cos) = angle.sin_cos();
    let is_even = freedom.is_multiple_of(2);
    let (mut term, mut sum) = if is_even { (1.0, 1.0) } else { (cos, cos) };
    let first = if is_even { 2 } else { 3 };
    for power in (first..freedom.saturating_sub(1)).step_by(2) {
        term *= (power - 1) as f64 / power as f64 * cos * cos;
        sum += term;
    }
    match freedom {
        1 => FRAC_2_PI * angle,
        _ if is_even => sin * sum,
        _ => FRAC_2_PI * (angle + sin * sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of scipy 1.17.1: `t.ppf((1 + level) / 2, df)`.
    #[test]
    fn quantiles_are_those_of_scipy() {
        let known = [
            (0.95, 1, 12.706_204_736_174_694),
            (0.95, 2, 4.302_652_729_749_462),
            (0.95, 4, 2.776_445_105_197_793_4),
            (0.95, 9, 2.262_157_162_798_205),
            (0.95, 30, 2.042_272_456_301_237_8),
            (0.8, 3, 1.637_744_353_696_209),
            (0.99, 5, 4.032_142_983_555_228),
        ];
        for (level, freedom, t) in known {
            assert!((quantile(level, freedom) / t - 1.0).abs() < 1e-12, "{level} {freedom}");
        }
    }

    /// Values of scipy 1.17.1: `2 * t.sf(|t|, df)`.
    #[test]
    fn p_values_are_those_of_scipy() {
        let known = [
            (1.0, 1, 0.5),
            (2.5, 2, 0.129_611_720_221_510_82),
            (-3.0, 4, 0.039_941_968_071_718_83),
            (0.3, 9, 0.770_990_703_741_524_7),
            (12.0, 5, 7.089_492_517_161_522e-5),
            (50.0, 3, 1.761_715_204_127_197e-5),
        ];
        for (t, freedom, p) in known {
            assert!((two_sided(t, freedom) / p - 1.0).abs() < 1e-9, "{t} {freedom}");
        }
    }

    /// The naive twin integrates the density (1 + x²/ν)^(−(ν+1)/2) numerically; x = √ν tan θ makes it cos^(ν−1) θ.
    #[test]
    fn the_series_is_the_integral_of_the_density() {
        for freedom in 1..12 {
            let density = |angle: f64| angle.cos().powi(freedom - 1);
            let integral = |to: f64| {
                let steps = 20_000;
                let width = to / f64::from(steps);
                (0..steps).map(|step| density((f64::from(step) + 0.5) * width) * width).sum::<f64>()
            };
            let angle = (1.7 / f64::from(freedom).sqrt()).atan();
            let naive = integral(angle) / integral(std::f64::consts::FRAC_PI_2);
            assert!((naive - within(1.7, freedom as usize)).abs() < 1e-8, "{freedom}");
        }
    }
}
