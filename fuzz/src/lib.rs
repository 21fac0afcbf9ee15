//! What schuss reads, given any bytes: refused or read, without a panic, a hang, or memory beyond what was allowed.
//!
//! One function per kind of file or text. `cargo fuzz` looks for bytes that break one of them, and an ordinary test
//! replays the bytes that were kept under `corpus/`.

mod data;
mod texts;
mod training;

use std::sync::LazyLock;

/// A kind of file or text: its name, and what is done with the bytes.
pub struct Target {
    /// Its name, also that of its folder under `corpus/`.
    pub name: &'static str,
    read: fn(&[u8]),
}

/// Every target that this build can run.
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

/// Does with `bytes` what the target of this name does.
///
/// # Panics
/// If there is no such target, or the bytes break a promise.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this build");
    target.run(bytes);
}

/// Most that this thread may hold at once, beyond what it held: twice the memory that is allowed for data.
const MOST_MEMORY: u64 = 32 << 20;

/// Decoders work on this very thread, where what they take is counted.
static ONE_THREAD: LazyLock<bool> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().is_ok()
});

impl Target {
    /// # Panics
    /// If the bytes break a promise.
    pub fn run(&self, bytes: &[u8]) {
        let _ours = *ONE_THREAD;
        let taken = allocation_counter::measure(|| (self.read)(bytes)).bytes_max;
        assert!(taken <= MOST_MEMORY, "{} takes {taken} bytes of memory", self.name);
    }
}
