//! Damaged and malicious Parquet and Arrow files.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::tests::batch;
use crate::Samples;
use crate::hostile::{KEY, assert_sound, mutate, picture, rewritten, survive_all};
use crate::random::Draws;
use crate::reader::{self, LoadedSplit, Missing, ReadOptions};
use allocation_counter::measure;
use arrow_array::types::{Float32Type, Int8Type};
use arrow_array::{
    ArrayRef, BinaryArray, DictionaryArray, Float64Array, Int32Array, ListArray, RecordBatch, StructArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use std::sync::Arc;
use tempfile::TempDir;

/// Maximum bytes for reading a damaged file, at a limit of 4 MiB per row group.
const MOST: u64 = 32 << 20;

fn table(columns: [(&str, ArrayRef); 2]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn lists() -> RecordBatch {
    let row = |at: i32| (at != 4).then(|| vec![Some(at as f32), (at != 5).then_some(1.5), Some(0.5)]);
    let lists = ListArray::from_iter_primitive::<Float32Type, _, _>((0..10).map(row));
    table([("x", Arc::new(lists)), ("y", Arc::new(Int32Array::from_iter_values((0..10).map(|at| at % 2))))])
}

fn categories() -> RecordBatch {
    let words: DictionaryArray<Int8Type> = (0..10).map(|at| Some(["red", "green"][at % 2])).collect();
    table([("x", Arc::new(Int32Array::from_iter_values(0..10))), ("y", Arc::new(words))])
}

fn pictures() -> RecordBatch {
    let png = picture(image::ImageFormat::Png);
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..4).map(|_| &png)));
    let records = StructArray::from(vec![(Arc::new(Field::new("bytes", DataType::Binary, true)), bytes)]);
    table([
        ("image", Arc::new(records)),
        ("label", Arc::new(Int32Array::from_iter_values((0..4).map(|at| at % 2)))),
    ])
}

fn tables() -> [RecordBatch; 4] {
    [batch(), lists(), categories(), pictures()]
}

fn parquet(batch: &RecordBatch, packing: Compression, dictionary: bool, version: WriterVersion) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(packing)
        .set_dictionary_enabled(dictionary)
        .set_writer_version(version)
        .set_max_row_group_row_count(Some(4))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn parquets() -> Vec<Vec<u8>> {
    let (one, two) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    let ways = [
        (Compression::UNCOMPRESSED, false, one),
        (Compression::UNCOMPRESSED, true, two),
        (Compression::SNAPPY, true, one),
        (Compression::GZIP(GzipLevel::default()), false, one),
        (Compression::ZSTD(ZstdLevel::default()), true, two),
        (Compression::LZ4_RAW, false, one),
    ];
    let files = tables().into_iter().flat_map(|table| {
        ways.map(|(packing, dictionary, version)| parquet(&table, packing, dictionary, version))
    });
    files.collect()
}

fn arrow(batch: &RecordBatch, packing: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(packing).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(&batch.slice(0, 2)).unwrap();
    writer.write(&batch.slice(2, batch.num_rows() - 2)).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn arrows() -> Vec<Vec<u8>> {
    let packings = [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)];
    tables().into_iter().flat_map(|table| packings.map(|packing| arrow(&table, packing))).collect()
}

/// Damages a file anywhere, or so that it still ends with a footer: in the body, which keeps its length, or in the
/// footer itself. The last `tail` bytes begin with the footer's length.
fn accident(file: &mut Vec<u8>, tail: usize, draws: &mut Draws) {
    let end = file.len().saturating_sub(tail);
    let footer = file[end..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    let start = end.saturating_sub(footer);
    match draws.bits() % 4 {
        0 => mutate(file, draws),
        1 => {
            let mut footer = file[start..end].to_vec();
            mutate(&mut footer, draws);
            let length = (footer.len() as u32).to_le_bytes();
            let magic = file.split_off((end + 4).min(file.len()));
            file.truncate(start);
            file.extend([&footer, &length[..], &magic].concat());
        }
        _ => {
            let mut body = file[..start].to_vec();
            mutate(&mut body, draws);
            body.resize(start, 0);
            file[..start].copy_from_slice(&body);
        }
    }
}

/// Reads a file, resident or streamed.
fn read(path: &std::path::Path, round: u64) -> crate::Result<()> {
    let ask = ReadOptions {
        missing: [Missing::Drop, Missing::Mean][round as usize % 2],
        memory: [100, 1 << 20][round as usize / 2 % 2],
        ..ReadOptions::default()
    };
    assert_sound(&reader::open(path, &ask)?)
}

fn fifty_thousand(goods: &[Vec<u8>], tail: usize) {
    let folder = TempDir::new().unwrap();
    let accident = |file: &mut Vec<u8>, draws: &mut Draws| accident(file, tail, draws);
    let sound = survive_all(50_000, goods, accident, |bytes, round| {
        let path = rewritten(&folder, "t", bytes);
        let mut outcome = Ok(());
        let taken = measure(|| outcome = read(&path, round));
        assert!(taken.bytes_max < MOST, "round {round} took {} bytes: {outcome:?}", taken.bytes_max);
        outcome
    });
    assert!(sound > 1_000, "only {sound} could be read");
}

#[test]
fn fifty_thousand_mutated_parquet_files_are_survived() {
    fifty_thousand(&parquets(), 8);
}

#[test]
fn fifty_thousand_mutated_arrow_files_are_survived() {
    fifty_thousand(&arrows(), 10);
}

#[test]
fn undamaged_they_are_read() {
    let folder = TempDir::new().unwrap();
    for bytes in [parquets(), arrows()].concat() {
        let path = rewritten(&folder, "t", &bytes);
        (2..4).for_each(|round| read(&path, round).unwrap());
    }
}

/// Returns a Parquet file with a footer only: a version and a tree of columns with these numbers of children.
fn tree(columns: &[u32]) -> Vec<u8> {
    let varint = |number: u32| [0, 7, 14, 21, 28].map(|shift| (number >> shift) as u8 | 0x80);
    let ended = |number: u32| {
        let mut bytes = varint(number);
        bytes[4] &= 0x7f;
        bytes
    };
    let mut footer = vec![0x15, 2, 0x19, 0xfc];
    footer.extend(ended(columns.len() as u32));
    for &children in columns {
        footer.extend([0x48, 1, b'a', 0x15]);
        footer.extend(ended(children << 1));
        footer.push(0);
    }
    footer.push(0);
    let length = (footer.len() as u32).to_le_bytes();
    [b"PAR1", &footer[..], &length, b"PAR1"].concat()
}

/// Replaces the first occurrence of some bytes in a file.
fn with(file: &[u8], bytes: &[u8], others: &[u8]) -> Vec<u8> {
    let at = file.windows(bytes.len()).position(|window| window == bytes).unwrap();
    [&file[..at], others, &file[at + bytes.len()..]].concat()
}

fn zeros(rows: usize) -> RecordBatch {
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0; rows]));
    table([("x", zeros.clone()), ("y", zeros)])
}

/// Returns a file whose single page unpacks to 80 kB, but claims 4 kB.
fn bomb() -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(GzipLevel::default()))
        .set_dictionary_enabled(false)
        .build();
    let zeros = zeros(10_000);
    let mut writer = ArrowWriter::try_new(Vec::new(), zeros.schema(), Some(properties)).unwrap();
    writer.write(&zeros).unwrap();
    // PageHeader: type, uncompressed_page_size; the levels take 8 bytes more than the values
    with(&writer.into_inner().unwrap(), &[0x15, 0, 0x15, 0x90, 0xe2, 0x09], &[0x15, 0, 0x15, 0x80, 0xc0, 0])
}

#[test]
fn claims_beyond_all_measure_are_refused_within_a_mebibyte() {
    let good = arrow(&zeros(1_000), Some(CompressionType::ZSTD));
    let packed = with(&good, &7_984_u64.to_le_bytes(), &(u64::MAX / 2).to_le_bytes());
    let long = |mut file: Vec<u8>, tail: usize| {
        let end = file.len() - tail;
        file[end..end + 4].copy_from_slice(&(u32::MAX / 2).to_le_bytes());
        file
    };
    let cases = [
        (long(parquets().remove(0), 8), "t claims a footer of 2.1 GB"),
        (long(good, 10), "t claims a footer of 2.1 GB"),
        (tree(&[1 << 30, 0]), "t claims a column of 1,073,741,824 columns at depth 1"),
        (tree(&[1; 100_000]), "t claims a column of 1 columns at depth 33"),
        (packed, "t has a row group that unpacks to 9223372 TB, above the limit of 8.6 GB"),
        (bomb(), "t has a page that unpacks to more than the 4097 bytes it claims"),
    ];
    let folder = TempDir::new().unwrap();
    for (bytes, what) in cases {
        let path = rewritten(&folder, "t", &bytes);
        let taken = measure(|| {
            let error = reader::open(&path, &ReadOptions::default()).unwrap_err();
            assert_eq!((error.exit_code(), &*error.what), (3, what));
        });
        assert!(taken.bytes_max < 1 << 20, "{what}: took {} bytes", taken.bytes_max);
    }
}

#[test]
fn a_few_bytes_do_not_stand_for_millions_of_missing_cells() {
    let nulls: ArrayRef = Arc::new(Float64Array::new_null(3_000_000));
    let batch = table([("x", nulls.clone()), ("y", nulls)]);
    let properties = WriterProperties::builder().set_data_page_row_count_limit(usize::MAX).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let folder = TempDir::new().unwrap();
    let path = rewritten(&folder, "t", &writer.into_inner().unwrap());
    let error =
        reader::open(&path, &ReadOptions { missing: Missing::Drop, ..ReadOptions::default() }).unwrap_err();
    assert!(error.exit_code() == 3 && error.what.starts_with("t claims 9000000 values in "), "{error}");
}

/// Returns 400,000 rows of 20 incompressible numbers, in eight groups of 8 MB each.
fn large() -> Vec<u8> {
    let numbers = |column: u64| -> ArrayRef {
        let mut draws = KEY.draws(column);
        Arc::new(Float64Array::from_iter_values((0..400_000).map(|_| draws.bits() as f64)))
    };
    let names: Vec<String> = (0..20).map(|column| format!("x{column}")).collect();
    let columns = (0..).map(numbers);
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
    super::tests::parquet(&batch, 50_000)
}

#[test]
fn a_parquet_file_of_many_groups_takes_the_memory_that_is_allowed_and_a_group_at_most() {
    const MEMORY: u64 = 12 << 20;
    let folder = TempDir::new().unwrap();
    let path = rewritten(&folder, "large.parquet", &large());
    let taken = measure(|| {
        let ask = ReadOptions { memory: MEMORY, label: Some("none".into()), ..ReadOptions::default() };
        let LoadedSplit::Streamed(store) = reader::open(&path, &ask).unwrap().train else {
            panic!("it fits")
        };
        let mut samples = Samples::default();
        for first in (0..400_000).step_by(1_000) {
            store.read(&(first..first + 1_000).collect::<Vec<_>>(), &mut samples).unwrap();
        }
    });
    println!("{} bytes", taken.bytes_max);
    assert!(taken.bytes_max < 2 * MEMORY, "{} bytes", taken.bytes_max);
}
