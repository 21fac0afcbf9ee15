//! Fuzz targets for everything schuss reads: any bytes must be read or refused, without a panic, a hang, or memory use
//! beyond the limit.
//!
//! There is one function per kind of file or text. `cargo fuzz` searches for bytes that break one of them, and an
//! ordinary test replays the bytes kept under `corpus/`.

mod data;
mod texts;
mod training;

use std::sync::LazyLock;

/// A kind of file or text, and the function that reads it.
pub struct Target {
    /// Name, also of its folder under `corpus/`.
    pub name: &'static str,
    read: fn(&[u8]),
}

/// All targets available in this build.
pub const TARGETS: &[Target] = &[
    Target { name: "idx", read: data::idx },
    Target { name: "npy", read: data::npy },
    Target { name: "npz", read: data::npz },
    Target { name: "csv", read: data::csv },
    Target { name: "packed", read: data::packed },
    Target { name: "png", read: data::png },
    Target { name: "jpeg", read: data::jpeg },
    Target { name: "tar", read: data::tar },
    #[cfg(feature = "full")]
    Target { name: "parquet", read: data::columns },
    #[cfg(feature = "full")]
    Target { name: "arrow", read: data::columns },
    Target { name: "pack", read: data::pack },
    Target { name: "model", read: training::model },
    Target { name: "checkpoint", read: training::checkpoint },
    Target { name: "spec", read: texts::spec },
    Target { name: "study", read: texts::study },
];

/// Runs the target of this name on `bytes`.
///
/// # Panics
/// If there is no such target, or the bytes break a guarantee.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this build");
    target.run(bytes);
}

/// Maximum additional memory of this thread at any time: twice the memory budget for data.
const MOST_MEMORY: u64 = 32 << 20;

/// Makes decoders work on this thread, where their allocations are counted.
static ONE_THREAD: LazyLock<bool> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().is_ok()
});

impl Target {
    /// Runs the target on `bytes`.
    ///
    /// # Panics
    /// If the bytes break a guarantee.
    pub fn run(&self, bytes: &[u8]) {
        let _ours = *ONE_THREAD;
        let taken = allocation_counter::measure(|| (self.read)(bytes)).bytes_max;
        assert!(taken <= MOST_MEMORY, "{} takes {taken} bytes of memory", self.name);
    }
}
