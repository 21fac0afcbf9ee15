//! Replays every input kept by fuzzing on its target, without a fuzzer and on the stable compiler.

use schuss_fuzz::TARGETS;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn what_fuzzing_kept_is_survived() {
    for target in TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        let files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{} is empty", corpus.display());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            assert!(catch_unwind(|| target.run(&bytes)).is_ok(), "{}", file.display());
        }
    }
}
