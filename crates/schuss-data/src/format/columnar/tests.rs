#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::*;
use crate::reader::{LoadedSplit, Missing};
use crate::{Access, Labels, Samples, Values};
use arrow_array::{ArrayRef, Float64Array, Int32Array, StringArray};
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

mod types;

/// Returns rows 0..10 of a number, a word and a whole number; the number of row 3 is missing.
pub(super) fn batch() -> RecordBatch {
    let numbers =
        Float64Array::from((0..10).map(|at| (at != 3).then_some(f64::from(at) / 2.0)).collect::<Vec<_>>());
    let words = StringArray::from_iter_values((0..10).map(|at| ["1", "x"][at % 2]));
    let labels = Int32Array::from_iter_values((0..10).map(|at| at % 3));
    let columns: [(&str, ArrayRef); 3] =
        [("a", Arc::new(numbers)), ("b", Arc::new(words)), ("y", Arc::new(labels))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

pub(super) fn parquet(batch: &RecordBatch, group: usize) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

pub(super) fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    let middle = batch.num_rows() * 2 / 5;
    writer.write(&batch.slice(0, middle)).unwrap();
    writer.write(&batch.slice(middle, batch.num_rows() - middle)).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn saved(bytes: &[u8]) -> (TempDir, std::path::PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn open(bytes: &[u8], ask: &ReadOptions) -> Result<Loaded> {
    let (_folder, path) = saved(bytes);
    crate::reader::open(&path, ask)
}

fn ask(missing: Missing, memory: u64) -> ReadOptions {
    ReadOptions { missing, memory, ..ReadOptions::default() }
}

fn samples(part: &LoadedSplit, indices: &[u64]) -> Samples {
    let mut samples = Samples::new(Values::Bytes(vec![]), Labels::Absent(0), 0).unwrap();
    match part {
        LoadedSplit::Resident(samples) => samples.clone(),
        LoadedSplit::Streamed(store) => {
            store.read(indices, &mut samples).unwrap();
            samples
        }
    }
}

#[test]
fn words_are_categories_even_if_they_look_like_numbers_and_nulls_are_missing() {
    for bytes in [parquet(&batch(), 4), arrow(&batch())] {
        let error = open(&bytes, &ReadOptions::default()).unwrap_err();
        assert!(error.place.unwrap().to_string().ends_with("t, row 4, column `a`"));
        let found = open(&bytes, &ask(Missing::Mean, 1 << 20)).unwrap();
        assert_eq!(
            (found.shape.features(), &found.classes[..]),
            (3, &["0", "1", "2"].map(str::to_owned)[..])
        );
        let LoadedSplit::Resident(samples) = &found.train else { panic!("it fits") };
        let crate::Row::Floats(row) = samples.row(3) else { panic!("numbers") };
        assert!(row[0].is_nan() && row[1..] == [0.0, 1.0], "{row:?}");
    }
}

#[test]
fn what_does_not_fit_into_memory_is_read_in_parts() {
    let (_folder, path) = saved(&parquet(&batch(), 4));
    for missing in [Missing::Mean, Missing::Drop] {
        let whole = crate::reader::open(&path, &ask(missing, 1 << 20)).unwrap();
        let expected = samples(&whole.train, &[]);
        let found = crate::reader::open(&path, &ask(missing, 100)).unwrap();
        let LoadedSplit::Streamed(store) = &found.train else { panic!("it does not fit") };
        let all: Vec<u64> = (0..store.len()).collect();
        let text = |samples: &Samples, rows: &[usize]| {
            // missing numbers are NaN, which equal nothing
            format!(
                "{:?}",
                rows.iter().map(|&row| (samples.row(row), samples.class(row))).collect::<Vec<_>>()
            )
        };
        let rows: Vec<usize> = (0..expected.len()).collect();
        assert_eq!(text(&samples(&found.train, &all), &rows), text(&expected, &rows));
        let some = samples(&found.train, &[8, 0, 5]);
        assert_eq!(text(&some, &[0, 1, 2]), text(&expected, &[8, 0, 5]));
        assert_eq!(store.access(), Access::Blocks(1), "a group of four is too much");
        let mut nothing = some.clone();
        assert_eq!(store.read(&[10], &mut nothing).unwrap_err().what, "t has no row 10");
    }
}

#[test]
fn a_group_that_does_not_fit_is_read_in_parts_and_a_few_columns_at_a_time() {
    let columns = (0..41).map(|column| {
        let numbers =
            (0..3_000).map(|row| Some(f64::from(column * row % 1_009)).filter(|number| *number > 3.0));
        let words = (0..3_000).map(|row| Some(format!("word {}", (row + column) % 7)));
        let array: ArrayRef = match column % 4 {
            0 => Arc::new(StringArray::from_iter(words)),
            _ => Arc::new(Float64Array::from_iter(numbers)),
        };
        (format!("{column}"), array)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for (bytes, part) in [(parquet(&batch, 1_500), 100), (arrow(&batch), 120)] {
        let (_folder, path) = saved(&bytes);
        let ask = |memory| ReadOptions { missing: Missing::Mean, memory, ..ReadOptions::default() };
        let LoadedSplit::Resident(whole) = crate::reader::open(&path, &ask(1 << 24)).unwrap().train else {
            panic!("it fits")
        };
        let found = crate::reader::open(&path, &ask(400_000)).unwrap();
        let LoadedSplit::Streamed(store) = &found.train else { panic!("it does not fit") };
        assert_eq!(store.access(), Access::Blocks(part), "groups of 1,500, batches of 1,200 and 1,800");
        let indices: Vec<u64> = (0..3_000).map(|at| at * 1_009 % 3_000).collect();
        let read = samples(&found.train, &indices);
        let text = |samples: &Samples, row| format!("{:?}", (samples.row(row), samples.class(row)));
        for (row, &index) in indices.iter().enumerate() {
            assert_eq!(text(&read, row), text(&whole, index as usize), "row {index}");
        }
    }
}

#[test]
fn long_words_that_are_short_in_the_file_are_read_in_ever_smaller_parts() {
    let columns = (0..9).map(|column| {
        let words = (0..4_000).map(|row| format!("{}{}", (row + column) % 3, "w".repeat(400)));
        let array: ArrayRef = Arc::new(StringArray::from_iter_values(words));
        (format!("{column}"), array)
    });
    let (_folder, path) = saved(&parquet(&RecordBatch::try_from_iter(columns).unwrap(), 4_000));
    let found = crate::reader::open(&path, &ask(Missing::Refuse, 1_200_000)).unwrap();
    let read = samples(&found.train, &[]);
    assert_eq!((read.len(), read.class(3_999), read.class(2_000)), (4_000, Some(2), Some(1)));
}

#[test]
fn parts_are_of_one_length_where_one_is_near() {
    let lengths = [(10, 20), (2_000, 700), (1 << 20, 1_570), (60_000, 668), (7, 3), (0, 5), (5, 1)];
    let parts = lengths.map(|(rows, longest)| groups::even(rows, longest));
    assert_eq!(parts, [10, 500, 1_024, 625, 3, 1, 1]);
}

#[test]
fn the_index_of_a_data_frame_is_neither_label_nor_feature() {
    let index: ArrayRef = Arc::new(Int32Array::from_iter_values(0..10));
    let columns = batch().columns().to_vec().into_iter().chain([index]);
    let batch =
        RecordBatch::try_from_iter(["a", "b", "y", "__index_level_0__"].into_iter().zip(columns)).unwrap();
    for bytes in [parquet(&batch, 4), arrow(&batch)] {
        let found = open(&bytes, &ask(Missing::Mean, 1 << 20)).unwrap();
        assert_eq!(found.classes, ["0", "1", "2"]);
        assert!(found.notes.iter().any(|note| note.contains("index of the data frame")), "{:?}", found.notes);
    }
}

/// Returns a Parquet and an Arrow file of a data frame with a named index, which is last there, and first in a CSV.
fn indexed(names: [&str; 4], index: &str) -> [Vec<u8>; 2] {
    let column: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..10).map(|at| ["left", "right"][at % 2])));
    let columns = batch().columns().to_vec().into_iter().chain([column]);
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
    let pandas = format!("{{\"index_columns\": [{index}], \"columns\": []}}");
    let entry = KeyValue::new("pandas".to_owned(), pandas.clone());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![entry])).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let schema = batch.schema().as_ref().clone().with_metadata([("pandas".to_owned(), pandas)]);
    [writer.into_inner().unwrap(), arrow(&batch.with_schema(Arc::new(schema)).unwrap())]
}

#[test]
fn an_index_with_a_name_is_a_feature_and_the_label_the_last_column_before_it() {
    let label = |index: &str| {
        indexed(["a", "b", "y", "side"], index).map(|bytes| {
            let found = open(&bytes, &ask(Missing::Mean, 1 << 20)).unwrap();
            found.classes.join(" ")
        })
    };
    assert_eq!(label("\"side\""), ["0 1 2"; 2]);
    assert_eq!(label("{\"kind\": \"range\", \"name\": \"side\"}"), ["left right"; 2]);
    let named = ReadOptions { label: Some("side".into()), ..ask(Missing::Mean, 1 << 20) };
    let found = indexed(["a", "b", "y", "side"], "\"side\"").map(|bytes| open(&bytes, &named).unwrap());
    assert!(found.iter().all(|found| found.classes == ["left", "right"]));
}

#[test]
fn lists_of_different_lengths_and_columns_of_bytes_are_refused() {
    use arrow_array::types::Float32Type;
    use arrow_array::{BinaryArray, ListArray};
    let lists = ListArray::from_iter_primitive::<Float32Type, _, _>([Some(vec![Some(1.0)]), Some(vec![])]);
    let labels: ArrayRef = Arc::new(Int32Array::from(vec![0, 1]));
    let batch =
        |column: ArrayRef| RecordBatch::try_from_iter([("x", column), ("y", labels.clone())]).unwrap();
    let error = open(&parquet(&batch(Arc::new(lists)), 9), &ReadOptions::default()).unwrap_err();
    assert_eq!(error.what, "t is a list of 0 numbers, but the first list has 1");
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"1"[..], b"2"]));
    for file in [arrow(&batch(bytes.clone())), parquet(&batch(bytes), 9)] {
        let error = open(&file, &ReadOptions::default()).unwrap_err();
        assert!(error.what.contains("is a column of Binary"), "{error}");
        assert!(error.advice.unwrap().contains("--drop 'x'"));
    }
}

#[test]
fn every_truncation_is_refused() {
    for good in [parquet(&batch(), 4), arrow(&batch())] {
        for length in 6..good.len() {
            let error = open(&good[..length], &ask(Missing::Mean, 1 << 20)).unwrap_err();
            assert_eq!(error.exit_code(), 3, "after {length} bytes: {error}");
        }
    }
}

#[test]
fn a_table_of_columns_is_opened_once() {
    for bytes in [parquet(&batch(), 4), arrow(&batch())] {
        crate::testing::assert_opened_once("t", &bytes, &[1 << 20, 100]);
    }
}
