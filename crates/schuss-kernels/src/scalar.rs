//! Exponential and logarithm of our own: the same bits on every machine, unlike a C library's.

use crate::Vector;

/// e^x in every lane, within 2 units in the last place; 0 below -87.33, where the result would be denormal.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7 (truncation below 1e-8
/// relative), then n is added to the exponent. For x <= 88.
#[inline(always)]
pub fn exp<V: Vector>(x: V) -> V {
    const TAYLOR: [f64; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let lowest = V::splat(-87.33);
    let magic = V::splat(12_582_912.0); // 1.5 * 2^23: adding it rounds to an integer in the low bits
    let clamped = lowest.max(x); // in this order a NaN passes through
    let power = clamped.mul_add(V::splat(std::f64::consts::LOG2_E), magic);
    let n = power - magic;
    let r = n.mul_add(V::splat(-LN_2_HIGH), clamped);
    let r = n.mul_add(V::splat(-LN_2_LOW), r);
    let polynomial =
        TAYLOR[1..].iter().fold(V::splat(TAYLOR[0]), |sum, &term| sum.mul_add(r, V::splat(term)));
    polynomial.scale_by_power(power).zero_where_below(x, lowest)
}

/// ln 2 in two parts; the high one has 9 bits, so that n times it is exact.
const LN_2_HIGH: f64 = 0.693_359_375;
const LN_2_LOW: f64 = -2.121_944_400_546_905_8e-4;

/// ln x for positive, normal x, to about 1e-16: x = 2^n m, ln m = 2 artanh((m - 1) / (m + 1)).
/// NaN and infinity give NaN.
pub fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3FE6_A09E_667F_3BCD; // bits of sqrt(1/2): m lies between it and sqrt(2)
    let n = (x.to_bits() as i64 - SQRT_HALF as i64) >> 52;
    let m = f64::from_bits((x.to_bits() as i64 - (n << 52)) as u64);
    let s = (m - 1.0) / (m + 1.0);
    let series = (0..11).rev().fold(0.0_f64, |sum, k| sum.mul_add(s * s, 1.0 / f64::from(2 * k + 1)));
    let not_finite = 0.0 * x;
    (n as f64).mul_add(std::f64::consts::LN_2, 2.0 * s * series) + not_finite
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Kernel, LANES};

    struct Exp([f32; LANES]);

    impl Kernel for Exp {
        type Output = [f32; LANES];

        #[inline(always)]
        fn run<V: Vector>(self) -> [f32; LANES] {
            let mut out = [0.0; LANES];
            // SAFETY: both arrays are 16 numbers long.
            unsafe { exp(V::load(self.0.as_ptr())).store(out.as_mut_ptr()) };
            out
        }
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place_and_equal_on_every_instruction_set() {
        for step in 0..20_000 {
            let x: [f32; LANES] =
                std::array::from_fn(|i| -87.3 + (step * 16 + i) as f32 * (175.0 / 320_000.0));
            let results: Vec<_> = Isa::available().into_iter().map(|isa| isa.run(Exp(x))).collect();
            assert!(results.iter().all(|result| result == &results[0]), "x from {}", x[0]);
            for (x, y) in x.into_iter().zip(results[0]) {
                let exact = f64::from(x).exp();
                assert!((f64::from(y) - exact).abs() <= 2.4e-7 * exact, "exp({x}) = {y}, not {exact}");
            }
        }
    }

    #[test]
    fn exp_of_extremes_is_zero_one_or_nan() {
        let mut x = [0.0; LANES];
        x[..5].copy_from_slice(&[f32::NEG_INFINITY, -1e4, f32::NAN, -0.0, -87.4]);
        for isa in Isa::available() {
            let y = isa.run(Exp(x));
            assert_eq!((y[0], y[1], y[3], y[4]), (0.0, 0.0, 1.0, 0.0), "{}", isa.name());
            assert!(y[2].is_nan());
        }
    }

    #[test]
    fn ln_agrees_with_the_true_logarithm() {
        for step in 1..100_000 {
            let x = f64::from(step) * f64::from(step) * 1e-4;
            let error = (ln(x) - x.ln()).abs();
            assert!(error <= 4e-16 * x.ln().abs().max(1.0), "ln({x}) is off by {error}");
        }
        assert_eq!(ln(1.0), 0.0);
    }
}
