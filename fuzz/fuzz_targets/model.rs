//! See `schuss_fuzz::TARGETS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| schuss_fuzz::run("model", bytes));
