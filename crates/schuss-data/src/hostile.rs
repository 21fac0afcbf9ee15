//! Damaged and malicious files in every format: each is refused as bad data or read to valid samples; nothing panics,
//! hangs, or exceeds its memory budget.

use crate::format::encoded::{self, Blob, Blobs, Encoded};
use crate::format::table::Origin;
use crate::format::{csv, npy};
use crate::random::{Draws, Key, Purpose};
use crate::reader::{self, Loaded, LoadedSplit, Missing, ReadOptions};
use crate::testing::{gzip, npy};
use crate::{Error, Labels, Result, RowUnit, Samples, Values};
use allocation_counter::measure;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Fragments of malicious files: sizes beyond all limits, delimiters, invalid numbers.
const TOKENS: [&[u8]; 24] = [
    b"0",
    b"-1",
    b"4294967296",
    b"18446744073709551615",
    b"1e999",
    b"nan",
    b"inf",
    b",",
    b"\"",
    b"\n",
    b"\r\n",
    b"\0",
    b"'",
    b"(",
    b")",
    b"{",
    b"}",
    b"True",
    b"|O",
    b">f8",
    b"../x",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xef\xbb\xbf",
];

/// Key of all mutation tests; each round draws its own mutations.
pub(crate) const KEY: Key = Key { seed: 20, purpose: Purpose::Digits, epoch: 0 };

/// Applies one mutation: a flipped bit, another byte, a part that is lost, doubled or cut off, or a malicious fragment
/// inserted or substituted.
pub(crate) fn mutate(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let mut below = |limit: usize| draws.bits() as usize % limit.max(1);
    if bytes.is_empty() {
        return bytes.push(below(256) as u8);
    }
    let from = below(bytes.len());
    let to = bytes.len().min(from + 1 + below(8));
    match below(7) {
        0 => bytes[from] ^= 1 << below(8),
        1 => bytes[from] = [0, 1, b'9', 0x7f, 0x80, 0xff][below(6)],
        2 => drop(bytes.drain(from..to)),
        3 => bytes.extend_from_within(from..to),
        4 => bytes.truncate(from),
        5 => drop(bytes.splice(from..from, TOKENS[below(TOKENS.len())].iter().copied())),
        _ => drop(bytes.splice(from..to, TOKENS[below(TOKENS.len())].iter().copied())),
    }
}

/// Reads `rounds` mutations of `goods`; returns how many could be read.
fn survive(rounds: u64, goods: &[Vec<u8>], read: impl FnMut(&[u8], u64) -> Result<()>) -> u64 {
    survive_all(rounds, goods, mutate, read)
}

/// Reads `rounds` files, each one of `goods` after up to three mutations; returns how many could be read.
pub(crate) fn survive_all(
    rounds: u64,
    goods: &[Vec<u8>],
    accident: impl Fn(&mut Vec<u8>, &mut Draws),
    mut read: impl FnMut(&[u8], u64) -> Result<()>,
) -> u64 {
    let mut sound = 0;
    for round in 0..rounds {
        let mut draws = KEY.draws(round);
        let mut bad = goods[draws.bits() as usize % goods.len()].clone();
        (0..=draws.bits() % 3).for_each(|_| accident(&mut bad, &mut draws));
        match read(&bad, round) {
            Ok(()) => sound += 1,
            Err(error) => assert_eq!(error.exit_code(), 3, "round {round}: {error}"),
        }
    }
    sound
}

/// Checks that samples have the promised width and that all values are finite, except those that a table lacks.
pub(crate) fn assert_sound(found: &Loaded) -> Result<()> {
    for part in [Some(&found.train), found.validation.as_ref(), found.test.as_ref()].into_iter().flatten() {
        let samples = match part {
            LoadedSplit::Resident(samples) => samples.clone(),
            LoadedSplit::Streamed(store) => {
                let mut samples = Samples::new(Values::Bytes(vec![]), Labels::Absent(0), 0)?;
                store.read(&[0], &mut samples)?;
                samples
            }
        };
        assert_eq!(samples.features(), found.shape.features());
        if let Values::Floats(floats) = samples.values() {
            let lacking = |float: &f32| found.table.is_some() && float.is_nan();
            assert!(floats.iter().all(|float| float.is_finite() || lacking(float)));
        }
        if let Labels::Class(classes) = samples.labels() {
            assert!(classes.iter().all(|&class| (class as usize) < found.classes.len()));
        }
    }
    Ok(())
}

fn csvs() -> Vec<Vec<u8>> {
    let texts = [
        "a,b,c\n1,x,0\n2.5,\"y, z\",1\n-3,x,0\n",
        "1;2;3\r\n4;5;6\r\n",
        "\u{feff}name\tprice\nx\t1.5\n\ny\t\n",
        "a|b\n\"1\"\"\"|2\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

#[test]
fn a_million_mutated_tables_are_survived() {
    let sound = survive(1_000_000, &csvs(), |bytes, round| {
        let missing = [Missing::Refuse, Missing::Mean, Missing::Drop][round as usize % 3];
        let label = round.is_multiple_of(2).then(|| "none".to_owned());
        assert_sound(&csv::read_bytes(bytes, &ReadOptions { missing, label, ..ReadOptions::default() })?)
    });
    assert!(sound > 100_000, "only {sound} could be read");
}

fn npys() -> Vec<Vec<u8>> {
    vec![
        npy("<f4", "(2, 3)", &[0; 24]),
        npy("|u1", "(2, 2, 2, 3)", &[7; 24]),
        npy(">i8", "(3,)", &[1; 24]),
        npy("<f2", "(1, 2, 3, 2)", &[3; 24]),
    ]
}

/// Reads an array from memory.
fn array(bytes: &[u8]) -> Result<()> {
    let mut reader = Cursor::new(bytes);
    let origin = Origin::new(Path::new("x.npy"), RowUnit::Sample);
    let array = npy::Array::new(&mut reader, bytes.len() as u64).map_err(Error::data)?;
    let values = array.values(&mut reader, &origin)?;
    Samples::new(values, Labels::Absent(array.samples()), array.layout.shape.features()).map(drop)
}

#[test]
fn a_million_mutated_arrays_are_survived() {
    let sound = survive(1_000_000, &npys(), |bytes, _| array(bytes));
    assert!(sound > 10_000, "only {sound} could be read");
}

/// A sample in memory, as encoded bytes.
struct InMemory(Vec<u8>);

impl Blobs for InMemory {
    fn len(&self) -> usize {
        1
    }

    fn open(&self, _: usize) -> Result<(Box<dyn Blob>, u64)> {
        Ok((Box::new(Cursor::new(self.0.clone())), self.0.len() as u64))
    }

    fn origin(&self, _: usize) -> Origin {
        Origin::new(Path::new("picture"), RowUnit::Sample)
    }
}

pub(crate) fn picture(format: image::ImageFormat) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(5, 4, |x, y| image::Rgb([(x * 50) as u8, (y * 60) as u8, 7]));
    let mut file = Cursor::new(Vec::new());
    pixels.write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn decode(bytes: &[u8], size: Option<usize>) -> Result<()> {
    let encoded = Encoded { blobs: Arc::new(InMemory(bytes.to_vec())), labels: Labels::Absent(1) };
    let ask = ReadOptions { size, memory: 1 << 16, ..ReadOptions::default() };
    let found = encoded::found(encoded, None, None, Vec::new(), Vec::new(), &ask)?;
    if found.shape.features() > 1 << 16 { Ok(()) } else { assert_sound(&found) }
}

#[test]
fn fifty_thousand_mutated_pictures_of_each_format_are_survived() {
    for format in [image::ImageFormat::Png, image::ImageFormat::Jpeg] {
        let size = |round: u64| round.is_multiple_of(8).then_some(3);
        let sound = survive(50_000, &[picture(format)], |bytes, round| decode(bytes, size(round)));
        assert!(sound > 100, "only {sound} could be read as {format:?}");
    }
}

fn archive() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, method) in
        [("x.npy", zip::CompressionMethod::Deflated), ("y.npy", zip::CompressionMethod::Stored)]
    {
        writer.start_file(name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        std::io::Write::write_all(&mut writer, &npy("|u1", "(3,)", &[1, 2, 1])).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarball() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in [("1.npy", npy("|u1", "(3,)", &[1, 2, 1])), ("1.cls", b"x".to_vec())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Replaces the file of that name with a new one; overwriting it makes some file systems wait for the disk.
pub(crate) fn rewritten(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    drop(std::fs::remove_file(&path));
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Writes bytes to a file and reads it in whichever format it seems to be in.
fn open(folder: &TempDir, name: &str, bytes: &[u8]) -> Result<()> {
    let path = rewritten(folder, name, bytes);
    assert_sound(&reader::open(
        &path,
        &ReadOptions { memory: 1 << 20, label: Some("none".into()), ..ReadOptions::default() },
    )?)
}

#[test]
fn fifty_thousand_mutated_archives_of_each_format_are_survived() {
    for good in [archive(), tarball()] {
        let folder = TempDir::new().unwrap();
        survive(50_000, &[good], |bytes, _| open(&folder, "archive", bytes));
    }
}

#[test]
fn every_truncation_of_every_format_is_survived() {
    let folder = TempDir::new().unwrap();
    let packed = gzip(&csvs()[0]);
    let pictures = [image::ImageFormat::Png, image::ImageFormat::Jpeg].map(picture);
    for good in [&[archive(), tarball(), packed], &csvs()[..3], &npys()[..3]].concat() {
        for length in 0..good.len() {
            if let Err(error) = open(&folder, "some", &good[..length]) {
                assert_eq!(error.exit_code(), 3, "after {length} bytes: {error}");
            }
        }
    }
    for good in pictures {
        (0..good.len()).for_each(|length| drop(decode(&good[..length], None)));
    }
}

#[test]
fn sizes_beyond_all_measure_are_refused_within_a_mebibyte() {
    let folder = TempDir::new().unwrap();
    let mut png = picture(image::ImageFormat::Png);
    png[16..24].copy_from_slice(&[0x7f; 8]);
    let mut tarball = tarball();
    tarball[124..136].copy_from_slice(b"77777777777\0");
    let mut zip = archive();
    let central = zip.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    zip[central + 20..central + 28].copy_from_slice(&[0xfe; 8]);
    let long = [&b"\x93NUMPY\x02\0"[..], &u32::MAX.to_le_bytes(), b"{"].concat();
    let files = [
        npy("<f8", "(1000000000000, 1000)", &[0; 8]),
        npy("<f8", "(4294967296, 4294967296)", &[0; 8]),
        long,
        tarball,
        zip,
    ];
    for bytes in files {
        let taken = measure(|| assert_eq!(open(&folder, "moon", &bytes).unwrap_err().exit_code(), 3));
        assert!(taken.bytes_max < 1 << 20, "took {} bytes", taken.bytes_max);
    }
    let taken = measure(|| assert!(decode(&png, None).is_err()));
    assert!(taken.bytes_max < 1 << 20, "took {} bytes", taken.bytes_max);
}

/// Number of bytes that headers claim to follow, and that do follow, as a hole in the file.
const CLAIMED: u64 = 64 << 20;
/// Maximum memory for reading them when the memory budget for data is 1 MiB.
const TAKEN: u64 = 8 << 20;

/// Writes a file of `start`, then `CLAIMED` bytes of zeros, then `end`.
fn with_hole(folder: &TempDir, name: &str, start: &[u8], end: &[u8]) -> PathBuf {
    let path = rewritten(folder, name, start);
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.set_len(start.len() as u64 + CLAIMED).unwrap();
    std::io::Write::write_all(&mut file, end).unwrap();
    path
}

/// Returns the peak memory of opening a file on one thread, pictures included; the file must be refused as bad data.
fn taken(path: &Path) -> u64 {
    let ask = ReadOptions { memory: 1 << 20, label: Some("none".into()), ..ReadOptions::default() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let mut refused = String::new();
        let taken = measure(|| match reader::open(path, &ask).and_then(|found| assert_sound(&found)) {
            Ok(()) => panic!("{} was read", path.display()),
            Err(error) => refused = format!("{} {error}", error.exit_code()),
        });
        assert!(refused.starts_with('3'), "{refused}");
        taken.bytes_max
    })
}

#[test]
fn long_names_and_extensions_of_a_tar_take_no_more_memory_than_names_need() {
    let folder = TempDir::new().unwrap();
    for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(CLAIMED);
        header.set_cksum();
        let path = with_hole(&folder, "names.tar", header.as_bytes(), &tarball());
        assert!(taken(&path) < TAKEN, "{kind:?}");
    }
}

#[test]
fn labels_of_a_tar_take_no_more_than_the_memory_for_data() {
    let mut builder = tar::Builder::new(Vec::new());
    for sample in 0..400 {
        for (ending, bytes) in
            [("npy", npy("|u1", "(3,)", &[1, 2, 1])), ("cls", format!("{sample:060000}").into_bytes())]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, format!("{sample}.{ending}"), &bytes[..]).unwrap();
        }
    }
    let folder = TempDir::new().unwrap();
    assert!(taken(&rewritten(&folder, "labels.tar", &builder.into_inner().unwrap())) < TAKEN);
}

#[test]
fn the_directory_of_a_zip_takes_no_more_memory_than_one_of_arrays_needs() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..800 {
        let name = format!("{number:060000}.npy");
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    let folder = TempDir::new().unwrap();
    assert!(taken(&rewritten(&folder, "names.npz", &writer.finish().unwrap().into_inner())) < TAKEN);
}

#[test]
fn labels_in_idx_that_unpack_to_much_are_refused_before_they_do() {
    use crate::testing::{idx, images};
    let folder = TempDir::new().unwrap();
    let labels = gzip(&idx(0x0801, &[CLAIMED as u32], &vec![0; CLAIMED as usize]));
    for (name, bytes) in
        crate::format::folder::NAMES.iter().zip([images(3, 4), labels.clone(), images(3, 4), labels])
    {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let request = crate::Request {
        ask: ReadOptions { memory: 1 << 20, ..ReadOptions::default() },
        ..crate::Request::default()
    };
    let source: crate::DataSource = format!("path:{}", folder.path().display()).parse().unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let taken = pool.install(|| measure(|| assert_eq!(source.load(&request).unwrap_err().exit_code(), 3)));
    assert!(taken.bytes_max < TAKEN, "{}", taken.bytes_max);
}

/// Builds a PNG chunk with its checksum.
fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(name);
    sum.update(data);
    [&(data.len() as u32).to_be_bytes()[..], name, data, &sum.sum().to_be_bytes()].concat()
}

/// Creates a folder with one picture.
fn folder_of(name: &str, bytes: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

#[test]
fn a_picture_of_few_bytes_takes_no_memory_for_many_pixels() {
    let mut png = picture(image::ImageFormat::Png);
    let header =
        chunk(b"IHDR", &[&8_000_u32.to_be_bytes()[..], &8_000_u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat());
    png.splice(8..33, header);
    let alone = folder_of("1.png", &png);
    assert!(taken(alone.path()) < TAKEN);
    let shape = crate::ImageShape { channels: 1, height: 4, width: 5 };
    let taken_alone =
        measure(|| drop(crate::read_picture(&alone.path().join("1.png"), shape, None).unwrap_err()));
    assert!(taken_alone.bytes_max < TAKEN, "{}", taken_alone.bytes_max);
    let mut jpeg = picture(image::ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x1f, 0x40, 0x1f, 0x40]);
    assert!(taken(folder_of("1.jpg", &jpeg).path()) < TAKEN);
}

#[test]
fn texts_and_profiles_in_pictures_take_no_memory() {
    use std::io::Write;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b'x'; CLAIMED as usize]).unwrap();
    let bomb = packed.finish().unwrap();
    for (name, lead) in [(b"zTXt", &b"k\0\0"[..]), (b"iTXt", b"k\0\x01\0\0\0"), (b"iCCP", b"k\0\0")] {
        let mut png = picture(image::ImageFormat::Png);
        png.splice(33..33, chunk(name, &[lead, &bomb].concat()));
        png.truncate(png.len() - 12); // so that it is refused in the end
        assert!(taken(folder_of("1.png", &png).path()) < TAKEN, "{name:?}");
    }
}
