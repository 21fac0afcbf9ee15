//! Copies of factors in the order in which tiles read them.

use super::product::Left;
use crate::{Buffer, LANES, Vector};
use std::cell::Cell;
use std::ops::Range;

/// Copies some blocks of the `rows` rows of Aᵀ, so that the `height` numbers of each of its `depth` terms are
/// contiguous.
#[inline(always)]
pub(crate) fn pack_left<V: Vector>(
    a: Left,
    rows: usize,
    depth: usize,
    height: usize,
    blocks: Range<usize>,
    packed: &mut [f32],
) {
    for (block, packed) in blocks.zip(packed.chunks_exact_mut(height * depth)) {
        let first = block * height;
        let here = height.min(rows - first);
        for (k, to) in packed.chunks_exact_mut(height).enumerate() {
            let from = &a.data[k * a.step + first..];
            if here == V::TILE_ROWS {
                to[..V::TILE_ROWS].copy_from_slice(&from[..V::TILE_ROWS]); // a length known to the compiler
            } else {
                to[..here].copy_from_slice(&from[..here]);
            }
        }
    }
}

/// Copies `rows` rows of 16, `stride` apart, so that they are `to_stride` apart.
///
/// # Safety
/// `from` is readable for 16 numbers in every row.
#[inline(always)]
pub(crate) unsafe fn pack_panel<V: Vector>(
    from: *const f32,
    stride: usize,
    rows: usize,
    to_stride: usize,
    packed: &mut [f32],
) {
    assert!(rows == 0 || packed.len() >= (rows - 1) * to_stride + LANES);
    for row in 0..rows {
        // SAFETY: promised by the caller; checked above.
        unsafe { V::load(from.wrapping_add(row * stride)).store(packed.as_mut_ptr().add(row * to_stride)) };
    }
}

/// Takes this thread's buffers for a panel of the right factor and for blocks of the left one. Not
/// `with_borrow_mut`: a closure would be compiled without the registers of the instruction set.
pub(super) fn take_packed(panel: usize, left: usize) -> [Buffer; 2] {
    let mut packed = PACKED.take();
    for (buffer, len) in packed.iter_mut().zip([panel, left]) {
        if buffer.len() < len {
            *buffer = Buffer::zeros(len);
        }
    }
    packed
}

thread_local! {
    /// Room for the packed factors; grows to the largest product a thread has seen and stays.
    pub(super) static PACKED: Cell<[Buffer; 2]> = Cell::default();
}
