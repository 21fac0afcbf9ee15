//! Vector of two AVX2 registers.
//!
//! The intrinsics are reached only through [`crate::Isa::run`], which has checked that the processor has them;
//! that is what every `SAFETY: checked ISA` below refers to.

use super::{HALF_BF16, HIGH_HALF, LANES, Op, QUIET, Vector, operators};
use crate::lane::TINY;
use crate::{Lane, Math};
use std::arch::x86_64::*;
use std::f32::consts::FRAC_1_SQRT_2;

/// Transposes eight rows of eight numbers: pairs, pairs of pairs, halves. Plain loops over arrays, because closures would
/// be compiled without the registers of the instruction set.
///
/// # Safety
/// The processor has AVX2; `from` is readable for 8 numbers in 8 rows `stride` apart, `to` writable likewise in rows
/// of 16.
#[inline(always)]
pub(super) unsafe fn transpose_eight(from: *const f32, stride: usize, to: *mut f32) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut pairs = [_mm256_setzero_pd(); 8];
        for i in [0, 2, 4, 6] {
            let row = _mm256_loadu_ps(from.add(stride * i));
            let next = _mm256_loadu_ps(from.add(stride * (i + 1)));
            pairs[i] = _mm256_castps_pd(_mm256_unpacklo_ps(row, next));
            pairs[i + 1] = _mm256_castps_pd(_mm256_unpackhi_ps(row, next));
        }
        let mut columns = [_mm256_setzero_ps(); 8]; // 0 to 3 of the upper four rows, then of the lower ones
        for i in [0, 4] {
            columns[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[i], pairs[i + 2]));
            columns[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[i], pairs[i + 2]));
            columns[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[i + 1], pairs[i + 3]));
            columns[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[i + 1], pairs[i + 3]));
        }
        for i in 0..4 {
            let (upper, lower) = (columns[i], columns[i + 4]);
            _mm256_storeu_ps(to.add(LANES * i), _mm256_permute2f128_ps::<0x20>(upper, lower));
            _mm256_storeu_ps(to.add(LANES * (i + 4)), _mm256_permute2f128_ps::<0x31>(upper, lower));
        }
    }
}

/// Two registers of eight lanes.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(pub(super) __m256, pub(super) __m256);

impl Avx2 {
    #[inline(always)]
    fn zip(self, other: Self, op: Op) -> Self {
        // SAFETY: checked ISA.
        self.pairs(other, |a, b| unsafe {
            match op {
                Op::Add => _mm256_add_ps(a, b),
                Op::Sub => _mm256_sub_ps(a, b),
                Op::Mul => _mm256_mul_ps(a, b),
                Op::Div => _mm256_div_ps(a, b),
            }
        })
    }

    #[inline(always)]
    fn each(self, f: impl Fn(__m256) -> __m256) -> Self {
        Self(f(self.0), f(self.1))
    }

    /// Exchanges the second and third pair of lanes of each register.
    #[inline(always)]
    fn in_order(registers: [__m256; 2]) -> Self {
        // SAFETY: checked ISA.
        Self(registers[0], registers[1]).each(|x| unsafe {
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(x)))
        })
    }

    #[inline(always)]
    fn pairs(self, other: Self, f: impl Fn(__m256, __m256) -> __m256) -> Self {
        Self(f(self.0, other.0), f(self.1, other.1))
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
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, term.0), _mm256_fmadd_ps(self.1, factor.1, term.1)) }
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

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: checked ISA.
        self.each(|x| unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), x) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: checked ISA. The instruction gives the second of two equals and where one is NaN.
        self.pairs(other, |a, b| unsafe { _mm256_max_ps(a, b) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as for `max`.
        self.pairs(other, |a, b| unsafe { _mm256_min_ps(a, b) })
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        // SAFETY: checked ISA.
        self.pairs(sign, |x, sign| unsafe {
            let sign_bit = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(sign_bit, x), _mm256_and_ps(sign_bit, sign))
        })
    }

    #[inline(always)]
    fn where_positive(self, yes: Self, no: Self) -> Self {
        // SAFETY: checked ISA.
        let choose = |x, yes, no| unsafe {
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()))
        };
        Self(choose(self.0, yes.0, no.0), choose(self.1, yes.1, no.1))
    }
}

impl Math for Avx2 {
    type Format = f32;

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        // SAFETY: checked ISA.
        self.pairs(power, |x, power| unsafe {
            let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(power));
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
        })
    }

    #[inline(always)]
    fn split_power(self) -> (Self, Self) {
        // SAFETY: checked ISA.
        let split = |x: __m256| unsafe {
            let bits = _mm256_castps_si256(x);
            let least = _mm256_castps_si256(_mm256_set1_ps(FRAC_1_SQRT_2));
            let n = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, least));
            let m = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(n));
            (_mm256_castsi256_ps(m), _mm256_cvtepi32_ps(n))
        };
        let ((m0, n0), (m1, n1)) = (split(self.0), split(self.1));
        (Self(m0, m1), Self(n0, n1))
    }
}

impl Vector for Avx2 {
    const TILE_ROWS: usize = 6;
    const TILE_PANELS: usize = 1;
    const DOT_ROWS: usize = 3;
    const DOT_BLOCKS: usize = 1;

    #[inline(always)]
    fn call<K: crate::Kernel>(kernel: K) -> K::Output {
        // SAFETY: checked ISA.
        unsafe { crate::isa::avx2(kernel) }
    }

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
    fn is_zero_or_from(self, least: f32) -> bool {
        // SAFETY: checked ISA.
        let check = |x: __m256| unsafe {
            let bits = _mm256_castps_si256(x);
            let magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(i32::MAX));
            let large = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(least.to_bits() as i32 - 1));
            let finite = _mm256_cmpgt_epi32(_mm256_set1_epi32(f32::INFINITY.to_bits() as i32), magnitude);
            let zero = _mm256_cmpeq_epi32(bits, _mm256_setzero_si256());
            _mm256_or_si256(zero, _mm256_and_si256(large, finite))
        };
        // SAFETY: checked ISA.
        unsafe { _mm256_movemask_epi8(_mm256_and_si256(check(self.0), check(self.1))) == -1 }
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
    fn unzip(self, next: Self) -> [Self; 2] {
        // SAFETY: checked ISA. The shuffles leave pairs of lanes in the order 0, 2, 1, 3.
        unsafe {
            let even = [
                _mm256_shuffle_ps::<0b10_00_10_00>(self.0, self.1),
                _mm256_shuffle_ps::<0b10_00_10_00>(next.0, next.1),
            ];
            let odd = [
                _mm256_shuffle_ps::<0b11_01_11_01>(self.0, self.1),
                _mm256_shuffle_ps::<0b11_01_11_01>(next.0, next.1),
            ];
            [Self::in_order(even), Self::in_order(odd)]
        }
    }

    #[inline(always)]
    fn to_bf16(self) -> Self {
        // SAFETY: checked ISA.
        self.each(|x| unsafe {
            let bits = _mm256_castps_si256(x);
            let tie = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let up = _mm256_add_epi32(tie, _mm256_set1_epi32(HALF_BF16));
            let rounded = _mm256_castsi256_ps(_mm256_add_epi32(bits, up));
            let quiet = _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(QUIET)));
            let chosen = _mm256_blendv_ps(rounded, quiet, _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x));
            _mm256_and_ps(chosen, _mm256_castsi256_ps(_mm256_set1_epi32(HIGH_HALF)))
        })
    }

    #[inline(always)]
    fn pair_bf16(self, odd: Self) -> Self {
        // SAFETY: checked ISA.
        self.pairs(odd, |even, odd| unsafe {
            let even = _mm256_srli_epi32::<16>(_mm256_castps_si256(even));
            _mm256_or_ps(_mm256_castsi256_ps(even), odd)
        })
    }
}
