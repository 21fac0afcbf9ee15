//! Instruction set that the kernels run on, detected at run time.

use crate::Vector;
use crate::vector::Portable;
#[cfg(target_arch = "x86_64")]
use crate::vector::{Avx2, Avx512};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__cpuid, CpuidResult};
#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

/// Work written once for any vector and compiled once per instruction set.
pub trait Kernel {
    /// Return type.
    type Output;

    /// Does the work. Must be `#[inline(always)]`, so that it is compiled for the instruction set it runs on.
    fn run<V: Vector>(self) -> Self::Output;
}

/// Instruction set this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Returns the best instruction set of this machine, or the one named by the environment variable
    /// `SCHUSS_ISA` (`avx512`, `avx2`, `portable`) if the machine has it.
    pub fn detect() -> Self {
        let available = Self::available();
        let wanted = std::env::var("SCHUSS_ISA").ok();
        let forced = available.iter().find(|isa| Some(isa.name()) == wanted.as_deref());
        *forced.unwrap_or(&available[0])
    }

    /// Lists all instruction sets of this machine, best first; the last one is `portable`.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx2 && is_x86_feature_detected!("avx512f") {
                sets.push(Self(Set::Avx512));
            }
            if avx2 {
                sets.push(Self(Set::Avx2));
            }
        }
        sets.push(Self(Set::Portable));
        sets
    }

    /// Returns its name in records and in `SCHUSS_ISA`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }

    /// Returns true if a division of vectors takes several times as long as the products that give the same quotient: 16
    /// cycles rather than 5 or 6 with AVX-512 on Intel's processors, but 2 to 3 on AMD's.
    pub(crate) fn divides_slowly(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => is_from_intel(),
            _ => false,
        }
    }

    /// Returns the number of multiply-adds that one thread has finished by the time that another would have helped it: a
    /// few microseconds' worth.
    pub(crate) fn solo_work(self) -> usize {
        match self.0 {
            Set::Portable => 1 << 14,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => 1 << 16,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => 1 << 18,
        }
    }

    /// Runs `kernel` on this instruction set.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Portable => portable(kernel),
            // SAFETY: an `Isa` of this value is only created after `available` has checked the processor.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

/// Returns true if CPUID names Intel as the processor's vendor.
#[cfg(target_arch = "x86_64")]
fn is_from_intel() -> bool {
    static INTEL: OnceLock<bool> = OnceLock::new();
    #[allow(unused_unsafe)] // newer compilers call the intrinsic safe
    *INTEL.get_or_init(|| {
        // SAFETY: every x86-64 processor has the instruction.
        let CpuidResult { ebx, ecx, edx, .. } = unsafe { __cpuid(0) };
        [ebx, edx, ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
    })
}

#[inline(never)]
pub(crate) fn portable<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Portable>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline(never)]
pub(crate) fn avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
#[inline(never)]
pub(crate) fn avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}
