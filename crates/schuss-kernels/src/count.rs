//! Division of sums by the number of samples they were taken over, without a division.

use crate::{Isa, Vector};

/// Number of samples by which sums are divided, correctly rounded as by an instruction.
///
/// ```text
/// q = a high + a low    r = a - q count    a / count = q + r high    high + low = 1 / count
/// ```
///
/// with fused multiply-adds: `q` is one of the two numbers next to the quotient, so `r` is exact, and the last line is
/// the quotient correctly rounded (Markstein, "Computation of elementary functions on the IBM RISC System/6000
/// processor", 1990, theorem 1). A divider takes many cycles per vector and one at a time.
#[derive(Clone, Copy)]
pub(crate) struct Count {
    count: f32,
    high: f32,
    low: f32,
    /// True if products give the quotients of ordinary sums.
    by_products: bool,
}

/// Magnitude of a sum below which `r` may be too small for an exact f32: 2^-80.
const LEAST: f32 = f32::from_bits((127 - 80) << 23);
/// Largest count for which that bound holds: from there on, f32 skips whole numbers.
const MOST: f32 = (1 << 24) as f32;

impl Count {
    /// Divides by products on processors whose divider is slow.
    pub(crate) fn new(count: f32, isa: Isa) -> Self {
        Self::by(count, isa.divides_slowly())
    }

    fn by(count: f32, products: bool) -> Self {
        let inverse = 1.0 / f64::from(count);
        let high = inverse as f32; // rounding twice is rounding once: 53 bits are more than twice 24 and two
        let low = (inverse - f64::from(high)) as f32;
        Self { count, high, low, by_products: products && (1.0..=MOST).contains(&count) }
    }

    /// Returns `sum / count`.
    #[inline(always)]
    pub(crate) fn divide<V: Vector>(self, sum: V) -> V {
        let [count, high, low] = [self.count, self.high, self.low].map(|x| V::splat(f64::from(x)));
        if !(self.by_products && sum.is_zero_or_from(LEAST)) {
            return sum / count;
        }
        let quotient = sum.mul_add(high, sum * low);
        let rest = (-quotient).mul_add(count, sum);
        rest.mul_add(high, quotient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::Sample;
    use crate::{Kernel, LANES};

    struct Divide<'a> {
        sums: &'a [f32],
        count: f32,
        to: &'a mut [f32],
    }

    impl Kernel for Divide<'_> {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector>(self) {
            let count = Count::by(self.count, true);
            for (from, to) in self.sums.chunks_exact(LANES).zip(self.to.chunks_exact_mut(LANES)) {
                // SAFETY: both are 16 numbers long.
                unsafe { count.divide(V::load(from.as_ptr())).store(to.as_mut_ptr()) };
            }
        }
    }

    /// Checks quotients against the division of the language, bit by bit but for NaN.
    fn check(sums: &[f32], count: f32) {
        for isa in Isa::available() {
            let mut to = vec![0.0; sums.len()];
            isa.run(Divide { sums, count, to: &mut to });
            for (found, sum) in to.iter().zip(sums) {
                let expected = sum / count;
                let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                assert!(same, "{sum:e} / {count} = {found:e}, not {expected:e} ({})", isa.name());
            }
        }
    }

    /// Returns numbers of all magnitudes and signs: random bits.
    fn of_any_bits(sample: &mut Sample, len: usize) -> Vec<f32> {
        let halves = sample.vector(2 * len, 1.0);
        let bits =
            halves.chunks(2).map(|two| two[0].to_bits().rotate_left(16) ^ two[1].to_bits().rotate_left(29));
        bits.map(f32::from_bits).collect()
    }

    #[test]
    fn quotients_have_the_bits_of_a_division_for_every_small_count() {
        let mut sample = Sample::new(1);
        for count in (1..=1024).chain([60_000, 65_535, 65_537, (1 << 24) - 1, 1 << 24]) {
            check(&sample.vector(64 * LANES, 1.0), count as f32);
        }
    }

    #[test]
    fn quotients_have_the_bits_of_a_division_for_random_bits_of_sums_and_counts() {
        let mut sample = Sample::new(2);
        for count in of_any_bits(&mut sample, 500).into_iter().chain([0.0, 0.5, f32::INFINITY]) {
            check(&of_any_bits(&mut sample, 8 * LANES), count);
            check(&of_any_bits(&mut sample, 8 * LANES), 1.0 + count.abs() % 1000.0);
        }
    }

    #[test]
    fn zeros_infinite_and_tiny_sums_have_the_bits_of_a_division() {
        for awkward in [0.0, -0.0, f32::INFINITY, f32::NAN, f32::MAX, f32::MIN_POSITIVE, 1e-45, 1e-30, LEAST]
        {
            for awkward in [awkward, -awkward] {
                let mut sums = vec![awkward; LANES]; // alone, and beside ordinary ones
                sums.extend((0..LANES).map(|i| if i == 5 { awkward } else { i as f32 }));
                [1.0, 3.0, 100.0, 60_000.0].into_iter().for_each(|count| check(&sums, count));
            }
        }
    }
}
