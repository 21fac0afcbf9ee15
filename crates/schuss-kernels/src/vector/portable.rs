//! Vector of sixteen plain numbers.

use super::{LANES, Op, Vector, operators};
use crate::{Lane, Math, bf16};
use std::array::from_fn;

/// Plain Rust, for machines without AVX2 or AVX-512. Without hardware FMA the multiply-adds are slow but give
/// the same bits.
#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn pairs(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(from_fn(|i| f(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn zip(self, other: Self, op: Op) -> Self {
        Self(zip(self.0, other.0, op))
    }
}

/// Where a multiply-add is a function call per number, these functions stand in one place of the program instead of
/// wherever a kernel uses them: calls of them do not count then.
macro_rules! compact {
    ($($function:item)*) => {
        $(#[cfg_attr(all(target_arch = "x86_64", not(target_feature = "fma")), inline(never))]
        #[cfg_attr(not(all(target_arch = "x86_64", not(target_feature = "fma"))), inline(always))]
        $function)*
    };
}

compact! {
    fn zip(x: [f32; LANES], y: [f32; LANES], op: Op) -> [f32; LANES] {
        from_fn(|i| match op {
            Op::Add => x[i] + y[i],
            Op::Sub => x[i] - y[i],
            Op::Mul => x[i] * y[i],
            Op::Div => x[i] / y[i],
        })
    }

    fn mul_add(x: [f32; LANES], factor: [f32; LANES], term: [f32; LANES]) -> [f32; LANES] {
        from_fn(|i| x[i].mul_add(factor[i], term[i]))
    }

    fn flush(x: [f32; LANES]) -> [f32; LANES] {
        x.map(Lane::flush)
    }

    fn where_positive(x: [f32; LANES], yes: [f32; LANES], no: [f32; LANES]) -> [f32; LANES] {
        from_fn(|i| x[i].where_positive(yes[i], no[i]))
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
        Self(mul_add(self.0, factor.0, term.0))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }

    #[inline(always)]
    fn flush(self) -> Self {
        Self(flush(self.0))
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.map(f32::abs))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.pairs(other, Lane::max)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.pairs(other, Lane::min)
    }

    #[inline(always)]
    fn copysign(self, sign: Self) -> Self {
        self.pairs(sign, f32::copysign)
    }

    #[inline(always)]
    fn where_positive(self, yes: Self, no: Self) -> Self {
        Self(where_positive(self.0, yes.0, no.0))
    }
}

impl Math for Portable {
    type Format = f32;

    #[inline(always)]
    fn scale_by_power(self, power: Self) -> Self {
        self.pairs(power, Math::scale_by_power)
    }

    #[inline(always)]
    fn split_power(self) -> (Self, Self) {
        (Self(self.0.map(|x| x.split_power().0)), Self(self.0.map(|x| x.split_power().1)))
    }
}

impl Vector for Portable {
    const TILE_ROWS: usize = 6;
    const TILE_PANELS: usize = 1;
    const DOT_ROWS: usize = 3;
    const DOT_BLOCKS: usize = 1;

    #[inline(always)]
    fn call<K: crate::Kernel>(kernel: K) -> K::Output {
        crate::isa::portable(kernel)
    }

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
    fn is_zero_or_from(self, _least: f32) -> bool {
        false
    }

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
    fn zero_where_below(self, key: Self, bound: Self) -> Self {
        Self(from_fn(|i| if key.0[i] < bound.0[i] { 0.0 } else { self.0[i] }))
    }

    #[inline(always)]
    fn unzip(self, next: Self) -> [Self; 2] {
        let lane = |i: usize| if i < LANES { self.0[i] } else { next.0[i - LANES] };
        [0, 1].map(|odd| Self(from_fn(|i| lane(2 * i + odd))))
    }

    #[inline(always)]
    fn to_bf16(self) -> Self {
        Self(self.0.map(|x| f32::from_bits(bf16::round(x))))
    }

    #[inline(always)]
    fn pair_bf16(self, odd: Self) -> Self {
        Self(from_fn(|i| f32::from_bits(self.0[i].to_bits() >> 16 | odd.0[i].to_bits())))
    }
}
