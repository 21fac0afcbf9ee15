//! Sixteen `f32` side by side, on whatever registers the machine has.

use crate::Lane;
use crate::lane::TINY;
use std::array::from_fn;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Lanes of a vector, on every instruction set: the order of sums must not depend on the machine.
pub const LANES: usize = 16;

/// Sixteen lanes of `f32`.
pub trait Vector: Lane {
    /// Rows of the register tile of a matrix product: as many accumulators as the registers hold.
    const TILE_ROWS: usize;

    /// # Safety
    /// `from` points to 16 readable numbers.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `to` points to 16 writable numbers.
    unsafe fn store(self, to: *mut f32);

    /// Asks for the cache line at `from`, wherever it points; changes nothing.
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

    /// The sum of all lanes by a fixed tree: lane i + lane i+8, then +4, +2, +1.
    fn sum(self) -> f32;

    /// The larger of each pair of lanes; the second where one of them is NaN.
    fn max(self, other: Self) -> Self;

    /// Zero where `key` is below `bound` in its lane.
    fn zero_where_below(self, key: Self, bound: Self) -> Self;

    /// Adds the integer in the low bits of `power` to the exponent: multiplies by 2^power.
    fn scale_by_power(self, power: Self) -> Self;
}

/// `+ - * / -x` for a wrapper of registers.
macro_rules! operators {
    ($type:ty, $($trait:ident $method:ident),*; $neg:expr) => {
        $(impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, Op::$trait)
            }
        })*
        impl Neg for $type {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                $neg(self)
            }
        }
    };
}

/// The four element-wise operations.
#[derive(Clone, Copy)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
}

/// Plain Rust, for machines without the registers below. Without hardware FMA the multiply-adds are slow but
/// give the same bits.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, op: Op) -> Self {
        Self(from_fn(|i| match op {
            Op::Add => self.0[i] + other.0[i],
            Op::Sub => self.0[i] - other.0[i],
            Op::Mul => self.0[i] * other.0[i],
            Op::Div => self.0[i] / other.0[i],
        }))
    }
}

operators!(Portable, Add add, Sub sub, Mul mul, Div div; |x: Portable| Portable(x.0.map(|x| -x)));

impl Lane for Portable {
    #[inline(always)]
    fn splat(x: f64) -> Self {
        Self([x as f32; LANES])
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        Self(from_fn(|i| self.0[i].mul_add(factor.0[i], term.0[i])))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }

    #[inline(always)]
    fn flush(self) -> Self {
        Self(self.0.map(Lane::flush))
    }
}

impl Vector for Portable {
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: 16 readable numbers, as promised by the caller.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: 16 writable numbers, as promised by the caller.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn prefetch(_from: *const f32) {}

    #[inline(always)]
    fn sum(self) -> f32 {
        let mut lanes = self.0;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
    }

    #[inline(always)]
    fn zero_where_below(self, key: Self, bound: Self) -> Self {
        Self(from_fn(|i| if key.0[i] < bound.0[i] { 0.0 } else { self.0[i] }))
    }

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        Self(from_fn(|i| f32::from_bits(self.0[i].to_bits().wrapping_add(power.0[i].to_bits() << 23))))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// The intrinsics are reached only through [`crate::Isa::run`], which has checked that the processor has them;
/// that is what every `SAFETY: checked ISA` below refers to.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;
    use std::arch::x86_64::*;

    /// Eight rows of eight numbers as columns: pairs, pairs of pairs, halves.
    ///
    /// # Safety
    /// The processor has AVX2; `from` is readable for 8 numbers in 8 rows `stride` apart, `to` writable likewise in rows
    /// of 16.
    #[inline(always)]
    unsafe fn transpose_eight(from: *const f32, stride: usize, to: *mut f32) {
        // SAFETY: promised by the caller.
        unsafe {
            let row: [__m256; 8] = from_fn(|i| _mm256_loadu_ps(from.add(stride * i)));
            let pair = |low: bool, i: usize| {
                let (a, b) = (row[i], row[i + 1]);
                _mm256_castps_pd(if low { _mm256_unpacklo_ps(a, b) } else { _mm256_unpackhi_ps(a, b) })
            };
            let quad = |low: bool, column: usize, i: usize| {
                let (a, b) = (pair(low, i), pair(low, i + 2));
                _mm256_castpd_ps(if column == 0 {
                    _mm256_unpacklo_pd(a, b)
                } else {
                    _mm256_unpackhi_pd(a, b)
                })
            };
            for (column, (low, half)) in
                [(true, 0), (true, 1), (false, 0), (false, 1)].into_iter().enumerate()
            {
                let (a, b) = (quad(low, half, 0), quad(low, half, 4));
                _mm256_storeu_ps(to.add(LANES * column), _mm256_permute2f128_ps::<0x20>(a, b));
                _mm256_storeu_ps(to.add(LANES * (column + 4)), _mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }

    /// Two registers of eight lanes.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256, __m256);

    impl Avx2 {
        #[inline(always)]
        fn zip(self, other: Self, op: Op) -> Self {
            // SAFETY: checked ISA.
            unsafe {
                match op {
                    Op::Add => Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)),
                    Op::Sub => Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1)),
                    Op::Mul => Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)),
                    Op::Div => Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)),
                }
            }
        }

        #[inline(always)]
        fn each(self, f: impl Fn(__m256) -> __m256) -> Self {
            Self(f(self.0), f(self.1))
        }
    }

    operators!(Avx2, Add add, Sub sub, Mul mul, Div div; |x: Avx2| {
        // SAFETY: checked ISA.
        x.each(|x| unsafe { _mm256_xor_ps(x, _mm256_set1_ps(-0.0)) })
    });

    impl Lane for Avx2 {
        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: checked ISA.
            let register = unsafe { _mm256_set1_ps(x as f32) };
            Self(register, register)
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: checked ISA.
            unsafe {
                Self(_mm256_fmadd_ps(self.0, factor.0, term.0), _mm256_fmadd_ps(self.1, factor.1, term.1))
            }
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: checked ISA.
            self.each(|x| unsafe { _mm256_sqrt_ps(x) })
        }

        #[inline(always)]
        fn flush(self) -> Self {
            // SAFETY: checked ISA. "Not less than" keeps NaN, as the scalar form does.
            self.each(|x| unsafe {
                let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
                _mm256_and_ps(x, _mm256_cmp_ps::<_CMP_NLT_UQ>(magnitude, _mm256_set1_ps(TINY)))
            })
        }
    }

    impl Vector for Avx2 {
        const TILE_ROWS: usize = 6;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: checked ISA; 16 readable numbers.
            unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: checked ISA; 16 writable numbers.
            unsafe {
                _mm256_storeu_ps(to, self.0);
                _mm256_storeu_ps(to.add(8), self.1);
            }
        }

        #[inline(always)]
        fn prefetch(from: *const f32) {
            // SAFETY: a prefetch of any address is allowed.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f32, stride: usize, to: *mut f32) {
            for (i, j) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
                // SAFETY: checked ISA (AVX-512 machines have AVX2); a quarter of what the caller promised.
                unsafe { transpose_eight(from.add(stride * i + j), stride, to.add(LANES * j + i)) };
            }
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            // SAFETY: checked ISA.
            unsafe {
                let eight = _mm256_add_ps(self.0, self.1);
                let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: checked ISA.
            unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
        }

        #[inline(always)]
        fn zero_where_below(self, key: Self, bound: Self) -> Self {
            // SAFETY: checked ISA.
            unsafe {
                Self(
                    _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_NLT_UQ>(key.0, bound.0)),
                    _mm256_and_ps(self.1, _mm256_cmp_ps::<_CMP_NLT_UQ>(key.1, bound.1)),
                )
            }
        }

        #[inline(always)]
        fn scale_by_power(self, power: Self) -> Self {
            let scale = |x: __m256, power: __m256| {
                // SAFETY: checked ISA.
                unsafe {
                    let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(power));
                    _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
                }
            };
            Self(scale(self.0, power.0), scale(self.1, power.1))
        }
    }

    /// One register of sixteen lanes.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    impl Avx512 {
        #[inline(always)]
        fn zip(self, other: Self, op: Op) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe {
                match op {
                    Op::Add => _mm512_add_ps(self.0, other.0),
                    Op::Sub => _mm512_sub_ps(self.0, other.0),
                    Op::Mul => _mm512_mul_ps(self.0, other.0),
                    Op::Div => _mm512_div_ps(self.0, other.0),
                }
            })
        }
    }

    operators!(Avx512, Add add, Sub sub, Mul mul, Div div; |x: Avx512| {
        // SAFETY: checked ISA.
        Avx512(unsafe { _mm512_mul_ps(x.0, _mm512_set1_ps(-1.0)) })
    });

    impl Lane for Avx512 {
        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe { _mm512_set1_ps(x as f32) })
        }

        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, term.0) })
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe { _mm512_sqrt_ps(self.0) })
        }

        #[inline(always)]
        fn flush(self) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe {
                let keep = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(_mm512_abs_ps(self.0), _mm512_set1_ps(TINY));
                _mm512_maskz_mov_ps(keep, self.0)
            })
        }
    }

    impl Vector for Avx512 {
        const TILE_ROWS: usize = 14;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: checked ISA; 16 readable numbers.
            Self(unsafe { _mm512_loadu_ps(from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: checked ISA; 16 writable numbers.
            unsafe { _mm512_storeu_ps(to, self.0) }
        }

        #[inline(always)]
        fn prefetch(from: *const f32) {
            // SAFETY: a prefetch of any address is allowed.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }

        #[inline(always)]
        unsafe fn transpose(from: *const f32, stride: usize, to: *mut f32) {
            for (i, j) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
                // SAFETY: checked ISA (AVX-512 machines have AVX2); a quarter of what the caller promised.
                unsafe { transpose_eight(from.add(stride * i + j), stride, to.add(LANES * j + i)) };
            }
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            // SAFETY: checked ISA; the halves are added by the tree of eight lanes.
            unsafe {
                let low = _mm512_castps512_ps256(self.0);
                let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
                Avx2(low, high).sum()
            }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe { _mm512_max_ps(self.0, other.0) })
        }

        #[inline(always)]
        fn zero_where_below(self, key: Self, bound: Self) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(key.0, bound.0), self.0) })
        }

        #[inline(always)]
        fn scale_by_power(self, power: Self) -> Self {
            // SAFETY: checked ISA.
            Self(unsafe {
                let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(power.0));
                _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), exponent))
            })
        }
    }
}
