//! Any bytes as a data file: recognised by what they are, then read to the end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schuss_data::found::{self, Ask};
use std::io::Write;

/// Bytes that data may take: more is an allocation over budget, which `-malloc_limit_mb` finds.
const MEMORY: u64 = 16 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let _ = found::open(file.path(), &Ask { memory: MEMORY, ..Ask::default() });
});
