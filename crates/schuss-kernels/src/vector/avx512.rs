//! Vector of one AVX-512 register. `SAFETY: checked ISA` has the same meaning as in [`super::avx2`].

use super::avx2::{Avx2, transpose_eight};
use super::{HALF_BF16, HIGH_HALF, LANES, Op, QUIET, Vector, operators};
use crate::lane::TINY;
use crate::{Lane, Math};
use std::arch::x86_64::*;
use std::f32::consts::FRAC_1_SQRT_2;

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

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: checked ISA. The instruction gives the second of two equals and where one is NaN.
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as for `max`.
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe {
            let sign_bit = _mm512_set1_epi32(i32::MIN);
            let (x, sign) = (_mm512_castps_si512(self.0), _mm512_castps_si512(sign.0));
            _mm512_castsi512_ps(_mm512_or_si512(
                _mm512_andnot_si512(sign_bit, x),
                _mm512_and_si512(sign_bit, sign),
            ))
        })
    }

    #[inline(always)]
    fn where_positive(self, yes: Self, no: Self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, _mm512_setzero_ps());
            _mm512_mask_blend_ps(positive, no.0, yes.0)
        })
    }
}

impl Math for Avx512 {
    type Format = f32;

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe {
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(power.0));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), exponent))
        })
    }

    #[inline(always)]
    fn split_power(self) -> (Self, Self) {
        // SAFETY: checked ISA.
        unsafe {
            let bits = _mm512_castps_si512(self.0);
            let least = _mm512_castps_si512(_mm512_set1_ps(FRAC_1_SQRT_2));
            let n = _mm512_srai_epi32::<23>(_mm512_sub_epi32(bits, least));
            let m = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(n));
            (Self(_mm512_castsi512_ps(m)), Self(_mm512_cvtepi32_ps(n)))
        }
    }
}

impl Vector for Avx512 {
    const TILE_ROWS: usize = 14;
    const TILE_PANELS: usize = 2;
    const DOT_ROWS: usize = 6;
    const DOT_BLOCKS: usize = 2;

    #[inline(always)]
    fn call<K: crate::Kernel>(kernel: K) -> K::Output {
        // SAFETY: checked ISA.
        unsafe { crate::isa::avx512(kernel) }
    }

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
    fn is_zero_or_from(self, least: f32) -> bool {
        // SAFETY: checked ISA.
        unsafe {
            let bits = _mm512_castps_si512(self.0);
            let magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(i32::MAX));
            let above = _mm512_sub_epi32(magnitude, _mm512_set1_epi32(least.to_bits() as i32));
            let range = _mm512_set1_epi32((f32::INFINITY.to_bits() - least.to_bits()) as i32);
            _mm512_kortestc(_mm512_cmplt_epu32_mask(above, range), _mm512_testn_epi32_mask(bits, bits)) != 0
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
    fn zero_where_below(self, key: Self, bound: Self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLT_UQ>(key.0, bound.0), self.0) })
    }

    #[inline(always)]
    fn unzip(self, next: Self) -> [Self; 2] {
        // SAFETY: checked ISA. Lanes of `next` are numbered from 16 on.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
            [
                Self(_mm512_permutex2var_ps(self.0, even, next.0)),
                Self(_mm512_permutex2var_ps(self.0, odd, next.0)),
            ]
        }
    }

    #[inline(always)]
    fn to_bf16(self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe {
            let bits = _mm512_castps_si512(self.0);
            let tie = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let up = _mm512_add_epi32(tie, _mm512_set1_epi32(HALF_BF16));
            let rounded = _mm512_add_epi32(bits, up);
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0);
            let chosen = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(QUIET));
            _mm512_castsi512_ps(_mm512_and_si512(chosen, _mm512_set1_epi32(HIGH_HALF)))
        })
    }

    #[inline(always)]
    fn pair_bf16(self, odd: Self) -> Self {
        // SAFETY: checked ISA.
        Self(unsafe {
            let even = _mm512_srli_epi32::<16>(_mm512_castps_si512(self.0));
            _mm512_castsi512_ps(_mm512_or_si512(even, _mm512_castps_si512(odd.0)))
        })
    }
}
