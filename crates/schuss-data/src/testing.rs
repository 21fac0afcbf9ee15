//! Helpers shared by the tests of several modules: hand-made IDX files, and a second process to run a test in.

use crate::file::OpenFile;
use crate::reader::{self, LoadedSplit, Missing, ReadOptions};
use crate::{Samples, Split};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// Builds an IDX file: magic number, sizes, bytes.
pub(crate) fn idx(magic: u32, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let header = [magic].into_iter().chain(sizes.iter().copied()).flat_map(u32::to_be_bytes);
    header.chain(bytes.iter().copied()).collect()
}

/// Builds `count` images of `side` x `side` pixels.
pub(crate) fn images(count: u32, side: u32) -> Vec<u8> {
    let pixels: Vec<u8> = (0..count * side * side).map(|pixel| (pixel * 7) as u8).collect();
    idx(0x0803, &[count, side, side], &pixels)
}

pub(crate) fn labels(labels: &[u8]) -> Vec<u8> {
    idx(0x0801, &[labels.len() as u32], labels)
}

/// Builds an NPY file of version 1.
pub(crate) fn npy(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(dictionary.len()).unwrap();
    [&b"\x93NUMPY\x01\0"[..], &length.to_le_bytes(), dictionary.as_bytes(), bytes].concat()
}

/// Saves a file in a folder of its own.
pub(crate) fn saved(name: &str, text: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// Returns all samples of a split, resident or streamed.
pub(crate) fn samples(part: &LoadedSplit) -> Samples {
    Split::from(part.clone()).read(&(0..part.len()).collect::<Vec<_>>()).unwrap()
}

/// Every opening of a file by this process.
static OPENINGS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Records that a file is opened.
pub(crate) fn count_opening(path: &Path) {
    OPENINGS.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
}

/// Returns the number of times a file was opened.
pub(crate) fn openings(path: &Path) -> usize {
    let openings = OPENINGS.lock().unwrap_or_else(PoisonError::into_inner);
    openings.iter().filter(|opened| *opened == path).count()
}

/// Checks that a file is opened once however often it is read, with these memory budgets, and that if it is replaced
/// while it is open, its samples are those it held when it was opened.
pub(crate) fn assert_opened_once(name: &str, contents: &[u8], budgets: &[u64]) {
    for &memory in budgets {
        let ask = ReadOptions { memory, missing: Missing::Mean, ..ReadOptions::default() };
        let (_folder, path) = saved(name, contents);
        // as text, in which NaN equals NaN
        let shown = |found: reader::Loaded| format!("{:?}", samples(&found.train));
        let expected = shown(reader::open(&path, &ask).unwrap());
        assert_eq!(openings(&path), 1, "{name} with {memory} bytes of memory");
        let file = OpenFile::open(&path).unwrap();
        let other = path.with_extension("other");
        std::fs::write(&other, "another file").unwrap();
        std::fs::rename(other, &path).unwrap();
        let found = reader::read_file(&file, &ask).unwrap();
        assert_eq!(shown(found), expected, "{name} with {memory} bytes of memory");
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes the four files of a set of 3 + 2 images of 4 x 4 pixels, with the ending `ending`.
pub(crate) fn write_set(folder: &Path, ending: &str) {
    let contents = [images(3, 4), labels(&[0, 1, 2]), images(2, 4), labels(&[3, 1])];
    std::fs::create_dir_all(folder).unwrap();
    for (name, content) in crate::format::folder::NAMES.iter().zip(contents) {
        let content = if ending == ".gz" { gzip(&content) } else { content };
        std::fs::write(folder.join(format!("{name}{ending}")), content).unwrap();
    }
}

/// Adds the arguments that make this test program run only one of its ignored tests, given by its full path.
pub(crate) fn alone(program: &mut Command, test: &str) {
    program.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
}

/// Reports that a test was skipped and why, bypassing the test harness, which captures the output of `eprintln`.
pub(crate) fn skip(why: &str) {
    let thread = std::thread::current();
    writeln!(std::io::stderr(), "SKIPPED: {} {why}", thread.name().unwrap_or("a test")).unwrap();
}

/// Returns the peak resident memory of this process, in KiB.
pub(crate) fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
