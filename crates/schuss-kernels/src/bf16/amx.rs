//! Intel's tile unit, AMX, through `asm!`: the intrinsics are not stable.
//!
//! Rust guarantees nothing about tile registers between two `asm!` blocks, so the sums of a block of tiles
//! stay within one. The configuration of the registers persists; only this module touches it.

use super::tile::{Block, Sums, TileUnit};
use crate::Isa;
use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, CpuidResult};
use std::marker::PhantomData;
use std::sync::OnceLock;

/// Returns true if the processor has AMX with bf16 and the system lets this process use it; checked once.
pub(crate) fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| processor_has_it() && system_saves_tiles() && permitted())
}

/// Checks CPUID leaf 7: bf16 products (bit 22) and tiles (bit 24).
fn processor_has_it() -> bool {
    const WANTED: u32 = 1 << 22 | 1 << 24;
    cpuid(0).eax >= 7 && cpuid(7).edx & WANTED == WANTED
}

/// Returns true if the system saves tile registers and their configuration when it switches threads: bits 17
/// and 18 of XCR0.
fn system_saves_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    if cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let states: u32;
    // SAFETY: XGETBV of register 0 exists where OSXSAVE is set; it reads and changes nothing else.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") states, out("edx") _, options(nomem, nostack, preserves_flags));
    }
    states >> 17 & 0b11 == 0b11
}

/// Returns CPUID leaf `leaf`, subleaf 0.
#[allow(unused_unsafe)] // newer compilers call the intrinsic safe
fn cpuid(leaf: u32) -> CpuidResult {
    // SAFETY: every x86-64 processor has the instruction.
    unsafe { __cpuid_count(leaf, 0) }
}

/// Requests permission from Linux for every thread of this process to use tiles; this enlarges signal frames
/// on the stack.
fn permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: a system call by Linux's convention for x86-64; it takes two numbers and touches no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Operand of LDTILECFG: eight registers of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static FULL_TILES: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Wraps an `asm!` block that may write all tile registers.
macro_rules! with_tiles {
    ($($argument:tt)*) => {
        asm!(
            $($argument)*
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
        )
    };
}

/// Loads the tiles of A at `offset` from the start of the panels: tmm4, and tmm5 of a second panel.
macro_rules! load_a {
    ($offset:literal) => {
        concat!(
            "tileloadd tmm4, [{a} + {line} + ",
            $offset,
            "]
             .if {rows} > 1
             tileloadd tmm5, [{next_a} + {line} + ",
            $offset,
            "]
             .endif"
        )
    };
}

/// Loads the tiles of B likewise: tmm6 and tmm7.
macro_rules! load_b {
    ($offset:literal) => {
        concat!(
            "tileloadd tmm6, [{b} + {line} + ",
            $offset,
            "]
             .if {cols} > 1
             tileloadd tmm7, [{next_b} + {line} + ",
            $offset,
            "]
             .endif"
        )
    };
}

/// Adds the products of the tiles loaded last to the sums in tmm0 to tmm3.
macro_rules! multiply_add {
    () => {
        "tdpbf16ps tmm0, tmm4, tmm6
         .if {cols} > 1
         tdpbf16ps tmm1, tmm4, tmm7
         .endif
         .if {rows} > 1
         tdpbf16ps tmm2, tmm5, tmm6
         .endif
         .if {rows} + {cols} > 3
         tdpbf16ps tmm3, tmm5, tmm7
         .endif"
    };
}

/// Configured unit of this thread. It must stay on its thread, as the configuration does.
pub(crate) struct Amx(PhantomData<*const ()>);

impl TileUnit for Amx {
    #[inline(always)]
    unsafe fn configure(_isa: Isa) -> Self {
        // SAFETY: the unit is there, as promised by the caller, and the configuration is one that palette 1 allows.
        unsafe {
            with_tiles!("ldtilecfg [{}]", in(reg) &raw const FULL_TILES, options(nostack, preserves_flags, readonly),)
        }
        Self(PhantomData)
    }

    fn multiply(&mut self, block: Block, sums: &mut [Sums; 4]) {
        if block.is_fresh {
            self.start::<1>(block, sums);
        } else {
            self.start::<0>(block, sums);
        }
    }
}

impl Amx {
    /// Sums a block, from zero if `FRESH` is 1.
    #[inline]
    fn start<const FRESH: usize>(&mut self, block: Block, sums: &mut [Sums; 4]) {
        match (block.panels(), block.parts) {
            ([1, 1], 1) => self.sum::<1, 1, 1, FRESH>(block, sums),
            ([1, _], 1) => self.sum::<1, 2, 1, FRESH>(block, sums),
            ([_, 1], 1) => self.sum::<2, 1, 1, FRESH>(block, sums),
            (_, 1) => self.sum::<2, 2, 1, FRESH>(block, sums),
            ([1, 1], _) => self.sum::<1, 1, 2, FRESH>(block, sums),
            ([1, _], _) => self.sum::<1, 2, 2, FRESH>(block, sums),
            ([_, 1], _) => self.sum::<2, 1, 2, FRESH>(block, sums),
            _ => self.sum::<2, 2, 2, FRESH>(block, sums),
        }
    }

    /// Sums R x C tiles in registers at full depth, zeroed or loaded before and stored after.
    #[inline]
    fn sum<const R: usize, const C: usize, const PARTS: usize, const FRESH: usize>(
        &mut self,
        block: Block,
        sums: &mut [Sums; 4],
    ) {
        let Block { a, b, panel, .. } = block;
        assert!(a.len() == R * panel && b.len() == C * panel && panel.is_multiple_of(PARTS) && panel > 0);
        // SAFETY: `self` is proof that the unit is configured to 16 rows of 64 bytes. Each turn reads the `PARTS`
        // tiles, of 1024 bytes, that stand for its terms in R panels of `a` and C panels of `b`, `panel / PARTS`
        // turns long, checked above; `next_a` and `next_b` are read only where there is a second panel. The first
        // instructions zero registers or read whole tiles of `sums`, the last write them.
        unsafe {
            with_tiles!(
                ".if {fresh}",
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                ".else",
                "tileloadd tmm0, [{sums} + {line}]",
                ".if {cols} > 1", "tileloadd tmm1, [{sums} + {line} + 1024]", ".endif",
                ".if {rows} > 1", "tileloadd tmm2, [{sums} + {line} + 2048]", ".endif",
                ".if {rows} + {cols} > 3", "tileloadd tmm3, [{sums} + {line} + 3072]", ".endif",
                ".endif",
                "2:",
                ".if {parts} > 1",
                load_a!(0), load_b!(1024), multiply_add!(), // high by low
                load_b!(0), multiply_add!(), // high by high
                load_a!(1024), multiply_add!(), // low by high
                ".else",
                load_a!(0), load_b!(0), multiply_add!(),
                ".endif",
                "add {a}, 1024 * {parts}", "add {next_a}, 1024 * {parts}",
                "add {b}, 1024 * {parts}", "add {next_b}, 1024 * {parts}",
                "dec {turns}",
                "jnz 2b",
                "tilestored [{sums} + {line}], tmm0",
                ".if {cols} > 1", "tilestored [{sums} + {line} + 1024], tmm1", ".endif",
                ".if {rows} > 1", "tilestored [{sums} + {line} + 2048], tmm2", ".endif",
                ".if {rows} + {cols} > 3", "tilestored [{sums} + {line} + 3072], tmm3", ".endif",
                rows = const R,
                cols = const C,
                parts = const PARTS,
                fresh = const FRESH,
                a = inout(reg) a.as_ptr() => _,
                next_a = inout(reg) a.as_ptr().wrapping_add(panel) => _,
                b = inout(reg) b.as_ptr() => _,
                next_b = inout(reg) b.as_ptr().wrapping_add(panel) => _,
                turns = inout(reg) panel / PARTS => _,
                sums = in(reg) sums.as_mut_ptr(),
                line = in(reg) 64_usize,
                options(nostack),
            );
        }
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: the creator of `self` promised that the unit exists.
        unsafe { with_tiles!("tilerelease", options(nomem, nostack, preserves_flags),) }
    }
}
