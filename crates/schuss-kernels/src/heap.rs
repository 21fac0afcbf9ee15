//! Policy of the C library's allocator for freed memory.

/// Allocations from this size on, in bytes, are separate mappings, returned to the system as soon as they are
/// freed; of smaller ones, as much is kept at the end of a heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 1 << 20;

/// Makes the allocator return large buffers to the system when they are freed. By default, glibc raises the
/// size from which it maps buffers each time it frees one, up to 32 MiB, and keeps smaller ones in a heap
/// with holes: the peak memory of a process then depends on the order of its allocations and on luck. Does
/// nothing on other systems.
///
/// To be called once by the command, at its start: a library should not configure the allocator of its
/// process.
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two integers, keeps no pointer, and may be called at any time; it refuses by returning 0.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}
