//! Hints to the processor.

/// Prefetches all cache lines of `data`, which will be read soon. A processor guesses reads that follow one another, but
/// not which sample is next.
pub fn prefetch<T>(data: &[T]) {
    const LINE: usize = 64;
    let first = data.as_ptr().cast::<u8>();
    for offset in (0..size_of_val(data)).step_by(LINE) {
        prefetch_line(first.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
fn prefetch_line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 processor has the instruction, and may be given any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch_line(_at: *const u8) {}
