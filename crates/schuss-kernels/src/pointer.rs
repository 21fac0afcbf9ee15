//! Raw pointer shared by the members of a team.

/// Pointer into a buffer in which every part of a job writes its own elements.
///
/// Contract for the creator: the buffer outlives the parallel region, and no two parts of a job touch the
/// same element in it.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut(*mut f32);

// SAFETY: see the contract above; the pointer itself is plain data.
unsafe impl Send for SharedMut {}
// SAFETY: as above.
unsafe impl Sync for SharedMut {}

impl SharedMut {
    pub(crate) fn new(buffer: &mut [f32]) -> Self {
        Self(buffer.as_mut_ptr())
    }

    /// # Safety
    /// `offset` lies within the buffer this was made from.
    #[inline(always)]
    pub(crate) unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: promised by the caller.
        unsafe { self.0.add(offset) }
    }

    /// Returns an address that is never read: for a prefetch.
    #[inline(always)]
    pub(crate) fn wrapping_at(self, offset: usize) -> *const f32 {
        self.0.wrapping_add(offset)
    }

    /// # Safety
    /// `offset..offset + len` lies within the buffer, and no other part touches it.
    #[inline(always)]
    pub(crate) unsafe fn slice<'a>(self, offset: usize, len: usize) -> &'a mut [f32] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.at(offset), len) }
    }
}
