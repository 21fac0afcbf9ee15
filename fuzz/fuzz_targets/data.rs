//! Any bytes as a data file: recognised by what they are, then read to the end, in memory and streamed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schuss_data::Samples;
use schuss_data::found::{self, Ask, Missing, Part};
use std::io::Write;

/// Bytes that data may take: more is an allocation over budget, which `-malloc_limit_mb` finds.
const MEMORY: u64 = 16 << 20;
/// So few that whatever can be streamed is.
const LITTLE: u64 = 64;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    for memory in [MEMORY, LITTLE] {
        let ask = Ask { memory, missing: Missing::Drop, ..Ask::default() };
        let Ok(found) = found::open(file.path(), &ask) else { continue };
        if let Part::Streamed(store) = found.train {
            let _ = store.read(&[0, store.len().saturating_sub(1)], &mut Samples::default());
        }
    }
});
