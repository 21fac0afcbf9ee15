//! Tile unit in plain Rust: the naive reference for [`super::amx`], and a way to run this path on any
//! machine.

use super::tile::{Block, SIDE, SPLIT_PRODUCTS, Sums, Tile, TileUnit};
use crate::{Isa, Kernel, Vector};

/// Emulates TDPBF16PS as specified by the manual, slowly.
pub(crate) struct Emulator(Isa);

impl TileUnit for Emulator {
    unsafe fn configure(isa: Isa) -> Self {
        Self(isa)
    }

    fn multiply(&mut self, block: Block, sums: &mut [Sums; 4]) {
        self.0.run(Emulate { block, sums });
    }
}

struct Emulate<'a> {
    block: Block<'a>,
    sums: &'a mut [Sums; 4],
}

impl Kernel for Emulate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Self { block: Block { a, b, panel, parts, is_fresh }, sums } = self;
        if is_fresh {
            *sums = [Sums::ZERO; 4];
        }
        for (r, a) in a.chunks_exact(panel).enumerate() {
            for (c, b) in b.chunks_exact(panel).enumerate() {
                add_product(a, b, parts, &mut sums[2 * r + c]);
            }
        }
    }
}

/// Adds to one tile of sums at full depth.
#[inline(always)]
fn add_product(a: &[Tile], b: &[Tile], parts: usize, sums: &mut Sums) {
    let products: &[(usize, usize)] = if parts == 2 { &SPLIT_PRODUCTS } else { &[(0, 0)] };
    for (a, b) in a.chunks_exact(parts).zip(b.chunks_exact(parts)) {
        for &(of_a, of_b) in products {
            tdpbf16ps(sums, &a[of_a], &b[of_b]);
        }
    }
}

/// C ← C + A B as Intel's Software Developer's Manual specifies TDPBF16PS: the even and the odd terms of a
/// sum are two chains of fused multiply-adds from zero, the chains are added, and that is added to C. (The
/// guide to the intrinsics adds term after term to C instead; the manual is authoritative.) Every operation
/// rounds to nearest even, treats denormal inputs as zeros and flushes denormal results to zero.
///
/// Not emulated: which NaN results, and a result a hair below the smallest normal number that rounds up to
/// it, which is kept here.
#[inline(always)]
pub(crate) fn tdpbf16ps(c: &mut Sums, a: &Tile, b: &Tile) {
    for (c, a) in c.0.iter_mut().zip(&a.0) {
        let (mut even, mut odd) = ([0.0_f32; SIDE], [0.0_f32; SIDE]);
        for (&a, b) in a.iter().zip(&b.0) {
            for i in 0..SIDE {
                even[i] = flush(low(a).mul_add(low(b[i]), even[i]));
                odd[i] = flush(high(a).mul_add(high(b[i]), odd[i]));
            }
        }
        for (c, (even, odd)) in c.iter_mut().zip(even.into_iter().zip(odd)) {
            *c = flush(flush(*c) + flush(even + odd));
        }
    }
}

/// Returns the number in the low half of a pair.
#[inline(always)]
fn low(pair: u32) -> f32 {
    flush(f32::from_bits(pair << 16))
}

/// Returns the number in the high half of a pair.
#[inline(always)]
fn high(pair: u32) -> f32 {
    flush(f32::from_bits(pair & 0xffff_0000))
}

/// Flushes a denormal number to zero, keeping its sign.
#[inline(always)]
fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(x) } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the sum that one instruction computes from a start and two lists of terms.
    fn one_sum(start: f32, a: &[f32], b: &[f32]) -> f32 {
        let (mut c, mut left, mut right) = (Sums::ZERO, Tile::ZERO, Tile::ZERO);
        c.0[0][0] = start;
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            left.0[0][i / 2] |= (a.to_bits() >> 16) << (16 * (i % 2));
            right.0[i / 2][0] |= (b.to_bits() >> 16) << (16 * (i % 2));
        }
        tdpbf16ps(&mut c, &left, &right);
        c.0[0][0]
    }

    #[test]
    fn an_instruction_adds_even_and_odd_terms_in_chains_of_their_own_and_then_to_the_sum() {
        let large = 16_777_216.0; // 2²⁴: adding 1 changes nothing
        let ones = [1.0; 6];
        assert_eq!(one_sum(0.0, &[large, 1.0, 1.0, 1.0, -large, 1.0], &ones), 3.0); // even: 0, odd: 3
        assert_eq!(one_sum(large, &[1.0, 1.0], &ones), large + 2.0); // 2 at once, not 1 by 1
    }

    #[test]
    fn an_instruction_takes_denormal_numbers_as_zeros_and_makes_none() {
        let (tiny, denormal) = (f32::MIN_POSITIVE, f32::from_bits(0x0040_0000));
        assert_eq!(one_sum(0.0, &[denormal], &[2.0]), 0.0);
        assert_eq!(one_sum(denormal, &[1.0], &[0.0]), 0.0);
        assert_eq!(one_sum(0.0, &[tiny], &[0.5]), 0.0);
        assert_eq!(one_sum(0.0, &[tiny], &[1.0]), tiny);
    }
}
