//! How the C library's allocator deals with what is freed.

/// Allocations from this size on, in bytes, are mappings of their own, which the system has back the moment they are
/// freed; of smaller ones, as much is kept at the end of a heap.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 1 << 20;

/// Lets the system have large buffers back when they are freed. Left alone, glibc raises the size from which it maps
/// buffers each time it frees one, up to 32 MiB, and keeps what is smaller in a heap with holes: the peak of a process
/// then depends on the order of its allocations and on luck. Elsewhere nothing is to be done.
///
/// For the command to call once, at its start: a library has no business with the allocator of its process.
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes two integers, keeps no pointer, and may be called at any time; it refuses by returning 0.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
    }
}
