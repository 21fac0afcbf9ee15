//! Fuzz targets that read bytes as data files.

use schuss_data::reader::{self, LabelKind, Loaded, LoadedSplit, Missing, ReadOptions};
use schuss_data::{ImageShape, Labels, Samples, Values, read_picture, read_split, write_picture};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Memory budgets for data, in bytes: one large enough for everything, one so small that all streamable data are
/// streamed.
const MEMORY: [u64; 2] = [16 << 20, 64];

thread_local! {
    /// Folder for the files of this thread.
    static FOLDER: TempDir = TempDir::new().expect("a folder for temporary files");
}

/// Writes the bytes to a file, replacing the previous one.
fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.with(|folder| folder.path().join(name));
    fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder that can be made");
    fs::write(&path, bytes).expect("a file that can be written");
    path
}

/// Splits off the first `N` bytes, which choose the options.
fn choices<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    let (choices, rest) = bytes.split_at(bytes.len().min(N));
    let mut all = [0; N];
    all[..choices.len()].copy_from_slice(choices);
    (all, rest)
}

/// Reads the data at a path, resident and streamed.
fn read(path: &Path, ask: &ReadOptions) {
    for memory in MEMORY {
        let ask = ReadOptions { memory, ..ask.clone() };
        if let Some(found) = opened(path, &ask) {
            check(&found);
            if found.table.is_some() {
                let again = ReadOptions { table: found.table.clone(), ..ask };
                opened(path, &again).iter().for_each(check);
            }
        }
    }
}

/// Opens the data; errors must be data errors or usage errors.
fn opened(path: &Path, ask: &ReadOptions) -> Option<Loaded> {
    match reader::open(path, ask) {
        Ok(found) => Some(found),
        Err(error) => {
            assert!(matches!(error.exit_code(), 2 | 3), "{error}");
            None
        }
    }
}

/// Checks that samples have the declared width, labels are existing classes, and all numbers are finite except missing
/// ones of a table.
fn check(found: &Loaded) {
    for part in [Some(&found.train), found.validation.as_ref(), found.test.as_ref()].into_iter().flatten() {
        let Some(samples) = first_and_last(part) else { continue };
        assert_eq!(samples.features(), found.shape.features());
        if let Values::Floats(floats) = samples.values() {
            let lacking = |float: &f32| found.table.is_some() && float.is_nan();
            assert!(floats.iter().all(|float| float.is_finite() || lacking(float)));
        }
        if let Labels::Class(classes) = samples.labels() {
            assert!(classes.iter().all(|&class| (class as usize) < found.classes.len()));
        }
    }
}

/// Returns the samples of a part, or its first and last if streamed; `None` if they are damaged, which may only show
/// here.
fn first_and_last(part: &LoadedSplit) -> Option<Samples> {
    match part {
        LoadedSplit::Resident(samples) => Some(samples.clone()),
        LoadedSplit::Streamed(store) => {
            let mut samples = Samples::default();
            store.read(&[0, store.len().saturating_sub(1)], &mut samples).ok()?;
            Some(samples)
        }
    }
}

/// Returns the options for reading a table, chosen by a byte.
fn asked(choice: u8) -> ReadOptions {
    let missing = [Missing::Refuse, Missing::Mean, Missing::Drop][usize::from(choice & 3) % 3];
    let label = [None, Some("none"), Some("a"), Some("a,b")][usize::from(choice >> 2 & 3)];
    let label_kind = if choice & 16 != 0 { LabelKind::Real } else { LabelKind::Guess };
    ReadOptions { missing, label: label.map(Into::into), label_kind, ..ReadOptions::default() }
}

/// Reads a file of images and one of labels; the first two bytes give the length of the first.
pub(crate) fn idx(bytes: &[u8]) {
    let (length, rest) = choices::<2>(bytes);
    let (images, labels) = rest.split_at(rest.len().min(u16::from_be_bytes(length).into()));
    let error = read_split(&written("images", images), &written("labels", labels)).err();
    assert!(error.is_none_or(|error| error.exit_code() == 3));
}

pub(crate) fn npy(bytes: &[u8]) {
    read(&written("some.npy", bytes), &ReadOptions::default());
}

pub(crate) fn npz(bytes: &[u8]) {
    read(&written("some.npz", bytes), &ReadOptions::default());
}

/// Reads a text, after a byte that chooses the options.
pub(crate) fn csv(bytes: &[u8]) {
    let ([choice], text) = choices(bytes);
    read(&written("some.csv", text), &asked(choice));
}

/// Reads a text compressed with gzip or Zstandard.
pub(crate) fn packed(bytes: &[u8]) {
    read(&written("some.csv.gz", bytes), &ReadOptions::default());
}

pub(crate) fn png(bytes: &[u8]) {
    picture("png", bytes);
}

pub(crate) fn jpeg(bytes: &[u8]) {
    picture("jpg", bytes);
}

/// Reads an image alone, and as the first of a folder with another.
fn picture(ending: &str, bytes: &[u8]) {
    let path = written(&format!("pictures/some/1.{ending}"), bytes);
    let shape = ImageShape { channels: 1, height: 4, width: 5 };
    let good = write_picture(&[7; 20], shape).expect("a picture of one channel");
    written("pictures/other/1.png", &good);
    let _ = read_picture(&path, shape, None);
    let root = FOLDER.with(|folder| folder.path().join("pictures"));
    read(&root, &ReadOptions { size: Some(4), ..ReadOptions::default() });
    read(&root, &ReadOptions::default());
}

pub(crate) fn tar(bytes: &[u8]) {
    read(&written("some.tar", bytes), &ReadOptions::default());
}

/// Reads Parquet or Arrow, after a byte that chooses the options.
#[cfg(feature = "full")]
pub(crate) fn columns(bytes: &[u8]) {
    let ([choice], file) = choices(bytes);
    read(&written("some.parquet", file), &asked(choice));
}

pub(crate) fn pack(bytes: &[u8]) {
    read(&written("some.schuss", bytes), &ReadOptions::default());
}
