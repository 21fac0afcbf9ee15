//! Any text as a study file: read, then resolved on a few digits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use schuss::data::Dataset;
use schuss::study::{Study, StudyFile};
use std::sync::OnceLock;

fn digits() -> &'static Dataset {
    static DIGITS: OnceLock<Dataset> = OnceLock::new();
    DIGITS.get_or_init(|| schuss::data::load("digits:train=20,test=10,size=8").unwrap())
}

fuzz_target!(|text: &str| {
    if let Ok(study) = StudyFile::parse(text, "fuzzed") {
        let _ = Study::resolve("fuzzed", &study, digits());
    }
});
