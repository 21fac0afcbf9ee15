#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use super::*;
use crate::random::{Draws, Key, Purpose};
use crate::testing::{alone, gzip, idx, images, labels, peak_kib, skip};
use std::fs::{self, File};
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Folder with a pair of files, each of which may be replaced.
struct Pair {
    _folder: TempDir,
    images: PathBuf,
    labels: PathBuf,
}

impl Pair {
    fn new(images: &[u8], labels: &[u8]) -> Self {
        let folder = TempDir::new().unwrap();
        let [a, b] = ["train-images", "train-labels"].map(|name| folder.path().join(name));
        fs::write(&a, images).unwrap();
        fs::write(&b, labels).unwrap();
        Self { _folder: folder, images: a, labels: b }
    }

    fn read(&self) -> Result<(ImageShape, Samples)> {
        read_split(&self.images, &self.labels)
    }
}

fn three() -> (Vec<u8>, Vec<u8>) {
    (images(3, 4), labels(&[2, 0, 9]))
}

#[test]
fn raw_and_gzip_files_hold_the_same_split_whatever_their_names() {
    let (images, labels) = three();
    let raw = Pair::new(&images, &labels).read().unwrap();
    let packed = Pair::new(&gzip(&images), &gzip(&labels)).read().unwrap();
    assert_eq!(raw, packed);
    let (shape, split) = raw;
    assert_eq!(shape, ImageShape { channels: 1, height: 4, width: 4 });
    assert_eq!(split.classes(), [2, 0, 9]);
    assert_eq!(split.values().pixels(), &images[16..]);
}

#[test]
fn a_gzip_file_of_several_members_is_read_as_one() {
    let (images, labels) = three();
    let (front, back) = images.split_at(30);
    let pair = Pair::new(&[gzip(front), gzip(back)].concat(), &labels);
    assert_eq!(pair.read().unwrap().1.values().pixels(), &images[16..]);
}

#[test]
fn every_sort_of_damage_is_refused_in_one_sentence_that_names_the_file() {
    let (good, _) = three();
    let packed = gzip(&good);
    let mut flipped = packed.clone();
    flipped[packed.len() - 6] ^= 1;
    let huge = idx(0x0803, &[u32::MAX; 3], &[0; 40]);
    let bomb = gzip(&idx(0x0803, &[10, 2, 2], &vec![0; 50_000_000]));
    let cases = [
        (vec![], "is empty"),
        (good[..2].to_vec(), "ends within its header"),
        (good[..15].to_vec(), "ends within its header"),
        (gzip(&good[..15]), "ends within its header"),
        (good[..50].to_vec(), "ends after 2 of the 3 images its header promises"),
        (gzip(&good[..50]), "ends after 2 of the 3 images its header promises"),
        (packed[..packed.len() - 20].to_vec(), "of the 3 images its header promises"),
        (packed[..packed.len() - 3].to_vec(), "ends in the middle of a gzip stream"),
        (flipped, "is not valid gzip: corrupt gzip stream does not have a matching checksum"),
        ([&packed[..], b"some more, of ten"].concat(), "is not valid gzip: invalid gzip header"),
        ([&GZIP[..], b"nonsense, not a gzip stream"].concat(), "is not valid gzip: invalid gzip header"),
        ([&good[..], &[0; 5]].concat(), "continues for 5 bytes after the 3 images its header promises"),
        (gzip(&[&good[..], &[0; 5]].concat()), "continues after the 3 images its header promises"),
        (bomb, "continues after the 10 images its header promises"),
        (labels(&[1; 40]), "is not an IDX file of images: it starts with 0x00000801, not 0x00000803"),
        (
            idx(0x0804, &[1; 4], &[0]),
            "is not an IDX file of images: it starts with 0x00000804, not 0x00000803",
        ),
        (b"<!DOCTYPE html>".to_vec(), "is not an IDX file of images: it starts with 0x3c21444f"),
        (idx(0x0803, &[0, 4, 4], &[]), "holds no images: its header says 0"),
        (idx(0x0803, &[3, 0, 4], &[]), "holds images without pixels: its header says 0 rows or columns"),
        (huge.clone(), "ends after 0 of the 4,294,967,295 images its header promises"),
        (gzip(&huge), "cannot hold the 4,294,967,295 images its header promises: it is far too short"),
    ];
    for (bytes, sentence) in cases {
        let error = Pair::new(&bytes, &labels(&[1, 2, 3])).read().unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        let expected = format!("train-images {sentence}");
        let found =
            error.what == expected || error.what.ends_with(sentence) || error.what.starts_with(&expected);
        assert!(
            found && error.what.starts_with("train-images "),
            "expected `{expected}`, got `{}`",
            error.what
        );
        assert!(error.place.unwrap().to_string().contains("train-images (") && error.advice.is_some());
    }
}

#[test]
fn files_that_hold_more_than_may_be_used_are_refused_by_their_headers() {
    let header = idx(0x0803, &[1_000, 100, 100], &[]);
    let large = [&header[..], &vec![0; 10_000_000]].concat();
    for (ending, images) in [("", large.clone()), (".gz", gzip(&large))] {
        let folder = TempDir::new().unwrap();
        crate::testing::write_set(folder.path(), ending);
        fs::write(folder.path().join(format!("train-images-idx3-ubyte{ending}")), images).unwrap();
        let ask = crate::reader::ReadOptions { memory: 4_500_000, ..Default::default() };
        let source: crate::DataSource = format!("path:{}", folder.path().display()).parse().unwrap();
        let load = || source.load(&crate::Request { ask: ask.clone(), ..Default::default() }).unwrap_err();
        let taken = allocation_counter::measure(|| drop(load()));
        assert!(taken.bytes_max < 1 << 20, "took {} bytes", taken.bytes_max);
        let error = load();
        assert_eq!(error.exit_code(), 3);
        assert_eq!(
            error.what,
            format!(
                "train-images-idx3-ubyte{ending} and t10k-images-idx3-ubyte{ending} hold 10 MB of pixels and labels, \
                 but 9.0 MB may be held in memory, and IDX files are not streamed"
            )
        );
        assert!(error.advice.unwrap().starts_with("give more --memory"));
    }
}

#[test]
fn images_and_labels_that_disagree_in_number_are_refused() {
    let error = Pair::new(&images(3, 4), &labels(&[1, 2])).read().unwrap_err();
    assert_eq!(error.what, "train-images holds 3 images but train-labels 2 labels");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn a_folder_a_missing_file_and_a_pipe_are_refused_without_waiting() {
    let (images, labels) = three();
    let pair = Pair::new(&images, &labels);
    fs::remove_file(&pair.images).unwrap();
    assert_eq!(pair.read().unwrap_err().what, "train-images does not exist");
    fs::create_dir(&pair.images).unwrap();
    assert_eq!(pair.read().unwrap_err().what, "train-images is a folder, not a file");
    fs::remove_dir(&pair.images).unwrap();
    match Command::new("mkfifo").arg(&pair.images).status() {
        Ok(status) if status.success() => {
            assert_eq!(pair.read().unwrap_err().what, "train-images is not a regular file");
        }
        _ => skip("cannot make a pipe here"),
    }
}

#[test]
#[cfg(unix)]
fn a_file_this_user_may_not_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (images, labels) = three();
    let pair = Pair::new(&images, &labels);
    fs::set_permissions(&pair.images, fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(&pair.images).is_err() {
        return assert_refused_to_this_user(&pair.images, &pair.labels);
    }
    // Permissions do not bind root, so this is also run as nobody, with a copy of this program that nobody
    // can access.
    let program = pair._folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(pair._folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    alone(&mut nobody, "format::idx::tests::nobody_reads_the_pair");
    let Ok(output) = nobody.env("SCHUSS_TEST_PAIR", pair._folder.path()).output() else {
        return skip("needs setpriv to become another user");
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run as nobody by a_file_this_user_may_not_read_is_refused"]
fn nobody_reads_the_pair() {
    let folder = PathBuf::from(std::env::var_os("SCHUSS_TEST_PAIR").unwrap());
    assert_refused_to_this_user(&folder.join("train-images"), &folder.join("train-labels"));
}

fn assert_refused_to_this_user(images: &Path, labels: &Path) {
    let error = read_split(images, labels).unwrap_err();
    assert_eq!(error.what, "train-images may not be read by this user");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn a_header_that_promises_the_moon_costs_neither_time_nor_memory() {
    if !cfg!(target_os = "linux") {
        return skip("reads peak memory from /proc");
    }
    let mut program = Command::new(std::env::current_exe().unwrap());
    alone(&mut program, "format::idx::tests::promises_of_the_moon_are_refused_at_once");
    let output = program.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "run alone, for its peak memory, by a_header_that_promises_the_moon_costs_neither_time_nor_memory"]
fn promises_of_the_moon_are_refused_at_once() {
    let moon = [u32::MAX; 3];
    let large = [60_000, 28, 28];
    let files = [moon, large].map(|sizes| idx(0x0803, &sizes, &[0; 1_000]));
    let packed = files.each_ref().map(|file| gzip(file));
    let labels = labels(&[1, 2, 3]);
    let pairs: Vec<Pair> = files.iter().chain(&packed).map(|file| Pair::new(file, &labels)).collect();
    assert!(Pair::new(&images(1, 2), &labels).read().is_err(), "starts the threads");
    for pair in pairs {
        let before = peak_kib();
        let timed = |_| {
            let start = Instant::now();
            assert_eq!(pair.read().unwrap_err().exit_code(), 3);
            start.elapsed()
        };
        let (fastest, grown) = ((0..5).map(timed).min().unwrap(), peak_kib() - before);
        assert!(fastest.as_millis() < 10 && grown < 1_024, "took {fastest:?} and {grown} KiB");
    }
}

/// Reads a damaged file from memory and checks the outcome: either everything the header promises, or a data
/// error.
fn read_safely(bytes: Vec<u8>, sort: &Sort, what: &str) -> bool {
    let blame = Blame { path: Path::new("damaged"), length: bytes.len() as u64 };
    let outcome = match sort.magic {
        0x0803 => parse::<3>(Cursor::new(bytes), sort, &blame).map(|(sizes, got)| (sizes.to_vec(), got)),
        _ => parse::<1>(Cursor::new(bytes), sort, &blame).map(|(sizes, got)| (sizes.to_vec(), got)),
    };
    match &outcome {
        Ok((sizes, got)) => assert_eq!(got.len() as u32, sizes.iter().product::<u32>(), "{what}"),
        Err(error) => assert_eq!(error.exit_code(), 3, "{what}: {error}"),
    }
    outcome.is_ok()
}

/// Returns both sorts of file, raw and compressed.
fn good_files() -> [(Vec<u8>, Sort); 4] {
    let (images, labels) = three();
    [(gzip(&images), IMAGES), (gzip(&labels), LABELS), (images, IMAGES), (labels, LABELS)]
}

#[test]
fn every_truncation_is_refused_and_every_flipped_bit_survived() {
    for (good, sort) in good_files() {
        for length in 0..good.len() {
            let read = read_safely(good[..length].to_vec(), &sort, "truncated");
            assert!(!read, "{} cut to {length} bytes", sort.noun);
        }
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            read_safely(bad, &sort, &format!("{} with bit {bit} flipped", sort.noun));
        }
    }
}

#[test]
fn a_million_random_mutations_are_survived() {
    let files = good_files();
    let key = Key { seed: 20, purpose: Purpose::Digits, epoch: 0 };
    for round in 0..1_000_000 {
        let mut draws = key.draws(round);
        let (good, sort) = &files[draws.bits() as usize % files.len()];
        let mut bad = good.clone();
        (0..=draws.bits() % 3).for_each(|_| mutate(&mut bad, &mut draws));
        read_safely(bad, sort, &format!("seed 20, round {round}"));
    }
}

/// Applies one small mutation: a flipped bit, another byte, or a part lost, doubled or cut off.
fn mutate(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let mut below = |limit: usize| draws.bits() as usize % limit.max(1);
    if bytes.is_empty() {
        return bytes.push(below(256) as u8);
    }
    let from = below(bytes.len());
    let to = bytes.len().min(from + 1 + below(8));
    match below(5) {
        0 => bytes[from] ^= 1 << below(8),
        1 => bytes[from] = [0, 1, 3, 0x7f, 0x80, 0xff][below(6)],
        2 => drop(bytes.drain(from..to)),
        3 => bytes.extend_from_within(from..to),
        _ => bytes.truncate(from),
    }
}
