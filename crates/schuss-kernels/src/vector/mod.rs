//! Vectors of sixteen `f32`, on whatever registers the machine has.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::{Kernel, Math};
#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Lanes of a vector, on every instruction set: the order of sums must not depend on the machine.
pub const LANES: usize = 16;

/// Sixteen lanes of `f32`.
pub trait Vector: Math {
    /// Rows of the register tile of a matrix product: as many accumulators as the registers hold.
    const TILE_ROWS: usize;
    /// Panels of 16 columns of that tile.
    const TILE_PANELS: usize;

    /// Rows whose dot products with 16 others are summed side by side, two chains each.
    const DOT_ROWS: usize;
    /// Blocks of 16 others at once.
    const DOT_BLOCKS: usize;

    /// Runs `kernel` on this instruction set as a function of its own, so that it is compiled once.
    fn call<K: Kernel>(kernel: K) -> K::Output;

    /// # Safety
    /// `from` points to 16 readable numbers.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `to` points to 16 writable numbers.
    unsafe fn store(self, to: *mut f32);

    /// Prefetches the cache line at `from`, which may be any address; has no other effect.
    fn prefetch(from: *const f32);

    /// Writes 16 rows of 16 numbers, `stride` apart, as columns: `to[16 j + i]` ← `from[stride i + j]`.
    ///
    /// # Safety
    /// `from` is readable for 16 numbers in every row, `to` writable for 256.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, stride: usize, to: *mut f32) {
        for i in 0..LANES {
            for j in 0..LANES {
                // SAFETY: promised by the caller.
                unsafe { *to.add(LANES * j + i) = *from.add(stride * i + j) };
            }
        }
    }

    /// Returns the sum of all lanes by a fixed tree: lane i + lane i+8, then +4, +2, +1.
    fn sum(self) -> f32;

    /// Returns true if every lane is +0, or finite and of magnitude `least` or more; may be false where fused
    /// multiply-adds are slow.
    fn is_zero_or_from(self, least: f32) -> bool;

    /// Zeroes the lanes in which `key` is below `bound`.
    fn zero_where_below(self, key: Self, bound: Self) -> Self;

    /// Returns the lanes of even and those of odd numbers of two neighbouring vectors.
    fn unzip(self, next: Self) -> [Self; 2];

    /// Returns the nearest bf16, ties to even. NaN stays NaN; values beyond the largest become infinite.
    fn to_bf16(self) -> Self;

    /// Returns pairs of bf16 as bits: those of `self` in the low halves, those of `odd` in the high ones.
    fn pair_bf16(self, odd: Self) -> Self;
}

/// Bits of a bf16 in an f32: its upper half.
#[cfg(target_arch = "x86_64")]
const HIGH_HALF: i32 = !0xffff;

/// What rounds to the nearest bf16 when added to the bits of a number, one more for a tie that goes up.
#[cfg(target_arch = "x86_64")]
const HALF_BF16: i32 = 0x7fff;

/// Bit of a NaN that keeps it one when its lower half is cut off.
#[cfg(target_arch = "x86_64")]
const QUIET: i32 = 0x0040_0000;

/// Implements `+ - * / -x` for a wrapper of registers.
macro_rules! operators {
    ($type:ty, $($trait:ident $method:ident),*; $neg:expr) => {
        $(impl std::ops::$trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, Op::$trait)
            }
        })*
        impl std::ops::Neg for $type {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                $neg(self)
            }
        }
    };
}

use operators;

/// The four element-wise operations.
#[derive(Clone, Copy)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
}
