//! Tests of columns of every type that databases and data frames write.

use super::{arrow, open, parquet, samples};
use crate::reader::{Loaded, LoadedSplit, Missing, ReadOptions};
use crate::{Labels, Values};
use arrow_array::types::{ArrowDictionaryKeyType, Decimal256Type, Int8Type, Int32Type};
use arrow_array::*;
use std::sync::Arc;

type Native256 = <Decimal256Type as ArrowPrimitiveType>::Native;

/// Returns a table of one column and a numeric target that is not a class label.
fn table(column: &ArrayRef) -> RecordBatch {
    let target = Float64Array::from_iter_values((0..column.len()).map(|at| at as f64 + 0.5));
    let columns: [(&str, ArrayRef); 2] = [("x", Arc::clone(column)), ("target", Arc::new(target))];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn ask() -> ReadOptions {
    ReadOptions { missing: Missing::Mean, ..ReadOptions::default() }
}

fn numbers(found: &Loaded) -> Vec<f32> {
    let Values::Floats(floats) = samples(&found.train, &[]).values().clone() else { panic!("bytes") };
    floats
}

/// Returns the values of a column in an Arrow file, which equal those in a Parquet file; NaN if missing.
fn read(column: impl Array + 'static) -> Vec<f32> {
    let batch = table(&(Arc::new(column) as ArrayRef));
    let found = open(&arrow(&batch), &ask()).unwrap();
    let written = open(&parquet(&batch, 9), &ask()).unwrap();
    let [one, other] = [numbers(&found), numbers(&written)];
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
    one
}

#[test]
fn decimals_are_the_numbers_that_they_are_written_as() {
    let of = |column: Decimal128Array, precision, scale| {
        column.with_precision_and_scale(precision, scale).unwrap()
    };
    let amounts = Decimal128Array::from(vec![Some(1234), Some(-5), None]);
    let found = read(of(amounts, 10, 2));
    assert_eq!(found[..2], [12.34, -0.05]);
    assert!(found[2].is_nan());
    assert_eq!(read(of(Decimal128Array::from(vec![7, 38]), 38, 0)), [7.0, 38.0]);
    let wide = Decimal256Array::from_iter_values([Native256::from_i128(1_500), Native256::from_i128(-3)]);
    assert_eq!(read(wide.with_precision_and_scale(60, 3).unwrap()), [1.5, -0.003]);
    let short = Decimal32Array::from(vec![15, 25]).with_precision_and_scale(5, 1).unwrap();
    assert_eq!(read(short), [1.5, 2.5]);
    let long = Decimal64Array::from(vec![15, 25]).with_precision_and_scale(12, 1).unwrap();
    assert_eq!(read(long), [1.5, 2.5]);
}

#[test]
fn dates_are_days_and_times_are_seconds_whatever_their_unit() {
    assert_eq!(read(Date32Array::from(vec![0, 19_782])), [0.0, 19_782.0]);
    let day = 86_400_000;
    let dates = table(&(Arc::new(Date64Array::from(vec![0, 19_782 * day])) as ArrayRef));
    assert_eq!(numbers(&open(&arrow(&dates), &ask()).unwrap()), [0.0, 19_782.0]);
    assert_eq!(read(TimestampMillisecondArray::from(vec![1_500, -500])), [1.5, -0.5]);
    assert_eq!(read(TimestampMicrosecondArray::from(vec![1_500_000, 0]).with_timezone("+02:00")), [1.5, 0.0]);
    assert_eq!(read(Time32MillisecondArray::from(vec![3_600_000, 500])), [3_600.0, 0.5]);
    assert_eq!(read(Time64NanosecondArray::from(vec![500_000_000, 0])), [0.5, 0.0]);
    assert_eq!(read(DurationMicrosecondArray::from(vec![2_500_000, 0])), [2.5, 0.0]);
    assert_eq!(read(DurationSecondArray::from(vec![90, 0])), [90.0, 0.0]);
    assert_eq!(read(TimestampSecondArray::from(vec![90, -3])), [90.0, -3.0]);
    let durations = table(&(Arc::new(DurationNanosecondArray::from(vec![500_000_000, 0])) as ArrayRef));
    for file in [arrow(&durations), parquet(&durations, 9)] {
        let found = open(&file, &ask()).unwrap();
        assert!(found.notes.iter().any(|note| note.contains("`x` in seconds")), "{:?}", found.notes);
        assert_eq!(numbers(&found), [0.5, 0.0]);
    }
}

#[test]
fn timestamps_within_a_minute_keep_their_digits() {
    let start = 1_764_230_400_000_000_000_i64;
    let times = TimestampNanosecondArray::from_iter_values((0..4).map(|at| start + at * 500_000_000));
    let batch = table(&(Arc::new(times) as ArrayRef));
    let found = open(&parquet(&batch, 9), &ask()).unwrap();
    assert_eq!((numbers(&found), found.offsets.value(0)), (vec![0.0, 0.5, 1.0, 1.5], 1_764_230_400.0));
}

fn dictionary<K: ArrowDictionaryKeyType<Native: From<i8>>>(values: ArrayRef) -> DictionaryArray<K> {
    let keys = [Some(1_i8), None, Some(0)].map(|key| key.map(K::Native::from));
    DictionaryArray::new(PrimitiveArray::<K>::from_iter(keys), values)
}

#[test]
fn dictionaries_truths_halves_and_nullable_numbers_are_columns_like_any_other() {
    let halves = Float16Array::from_iter_values([0.5, 2.0].map(half));
    assert_eq!(read(halves), [0.5, 2.0]);
    assert_eq!(read(BooleanArray::from(vec![true, false])), [1.0, 0.0]);
    let nullable = read(Int64Array::from(vec![Some(5), None]));
    assert!(nullable[0] == 5.0 && nullable[1].is_nan());
    assert_eq!(read(UInt64Array::from(vec![3, 4])), [3.0, 4.0]);
    let values: ArrayRef = Arc::new(Int32Array::from(vec![10, 20]));
    let found = read(dictionary::<Int8Type>(values));
    assert!(found[0] == 20.0 && found[1].is_nan() && found[2] == 10.0, "{found:?}");
    let words: ArrayRef = Arc::new(LargeStringArray::from(vec!["a", "b"]));
    assert_eq!(read(dictionary::<Int32Type>(words)), [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    assert_eq!(read(StringViewArray::from(vec!["b", "a"])), [0.0, 1.0, 1.0, 0.0]);
}

fn half(number: f32) -> <arrow_array::types::Float16Type as ArrowPrimitiveType>::Native {
    <arrow_array::types::Float16Type as ArrowPrimitiveType>::Native::from_f32(number)
}

#[test]
fn labels_of_such_types_work() {
    let features: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]));
    let open_label = |label: ArrayRef| {
        let batch = RecordBatch::try_from_iter([("x", features.clone()), ("label", label)]).unwrap();
        let found = open(&parquet(&batch, 9), &ReadOptions::default()).unwrap();
        let LoadedSplit::Resident(samples) = &found.train else { panic!("it fits") };
        (samples.labels().clone(), found.classes)
    };
    let kinds = Decimal128Array::from(vec![3, 1, 3]).with_precision_and_scale(38, 0).unwrap();
    let (labels, classes) = open_label(Arc::new(kinds));
    assert_eq!((labels, &classes[..]), (Labels::Class(vec![1, 0, 1]), &["1", "3"].map(str::to_owned)[..]));
    let (labels, _) = open_label(Arc::new(BooleanArray::from(vec![true, false, true])));
    assert_eq!(labels, Labels::Class(vec![1, 0, 1]));
    let amounts = Decimal128Array::from(vec![310, 125, 99]).with_precision_and_scale(10, 2).unwrap();
    let (labels, _) = open_label(Arc::new(amounts));
    assert_eq!(labels, Labels::Real { values: vec![3.1, 1.25, 0.99], width: 1 });
}

#[test]
fn structs_and_bytes_are_named_with_their_type_and_a_way_out() {
    use arrow_schema::{DataType, Field};
    let inner: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let place = StructArray::from(vec![(Arc::new(Field::new("lat", DataType::Int32, true)), inner)]);
    let batch = table(&(Arc::new(place) as ArrayRef));
    for file in [arrow(&batch), parquet(&batch, 9)] {
        let error = open(&file, &ask()).unwrap_err();
        assert!(
            error.what.contains("Struct") && error.place.as_ref().unwrap().to_string().contains("`x`"),
            "{error}"
        );
        assert!(error.advice.unwrap().contains("--drop"));
    }
}

#[test]
fn a_model_asks_nothing_of_columns_that_it_does_not_read() {
    let [features, target, bytes]: [ArrayRef; 3] = [
        Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5])),
        Arc::new(Int32Array::from(vec![1, 0, 1])),
        Arc::new(BinaryArray::from(vec![&b"1"[..], b"2", b"3"])),
    ];
    let trained = [("x", features.clone()), ("y", target.clone())];
    let table =
        open(&arrow(&RecordBatch::try_from_iter(trained).unwrap()), &ReadOptions::default()).unwrap().table;
    let more = RecordBatch::try_from_iter([("raw", bytes), ("x", features), ("y", target)]).unwrap();
    for file in [arrow(&more), parquet(&more, 9)] {
        assert!(open(&file, &ReadOptions::default()).is_err());
        let found = open(&file, &ReadOptions { table: table.clone(), ..ReadOptions::default() }).unwrap();
        assert_eq!(numbers(&found), [0.5, 1.5, 2.5]);
    }
}

#[test]
fn whole_numbers_keep_their_digits_as_labels_and_as_codes() {
    let ids = [1_582_218_195_625_938_945_i64, 1_582_218_195_625_938_946, -1_582_218_195_625_938_947];
    let ids: ArrayRef = Arc::new(Int64Array::from(ids.repeat(4)));
    let x: ArrayRef = Arc::new(Float64Array::from_iter_values((0..12).map(f64::from)));
    let as_label = RecordBatch::try_from_iter([("x", Arc::clone(&x)), ("id", Arc::clone(&ids))]).unwrap();
    let as_code = RecordBatch::try_from_iter([("id", ids), ("y", x)]).unwrap();
    for write in [arrow, |batch: &RecordBatch| parquet(batch, 5)] {
        let names = ["-1582218195625938947", "1582218195625938945", "1582218195625938946"];
        let mut found = open(&write(&as_label), &ReadOptions::default()).unwrap().classes;
        found.sort_unstable();
        assert_eq!(found, names);
        assert_eq!(open(&write(&as_code), &ReadOptions::default()).unwrap().shape.features(), 3);
    }
}

#[test]
fn chosen_spellings_of_nothing_count_in_columns_of_numbers_and_words() {
    let x: ArrayRef = Arc::new(Int64Array::from(vec![1, -999, 3]));
    let y: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    let batch = RecordBatch::try_from_iter([("x", x), ("y", y)]).unwrap();
    let chosen = ReadOptions { missing_values: "-999,-".parse().unwrap(), ..ask() };
    let found = open(&parquet(&batch, 2), &chosen).unwrap();
    assert!(numbers(&found)[1].is_nan());
    assert!(
        found.notes.iter().any(|note| note.contains("taken as missing: `-999` once")),
        "{:?}",
        found.notes
    );
}

#[test]
fn timestamps_are_days_for_a_model_that_learnt_from_days() {
    let (_folder, path) = crate::testing::saved("t.csv", "t,y\n2024-03-01,a\n2024-03-03,b\n2024-03-05,a\n");
    let table = crate::reader::open(&path, &ReadOptions::default()).unwrap().table;
    let times = TimestampMillisecondArray::from(vec![19_783 * 86_400_000, 19_785 * 86_400_000]);
    let batch = RecordBatch::try_from_iter([("t", Arc::new(times) as ArrayRef)]).unwrap();
    let found = open(&parquet(&batch, 9), &ReadOptions { table, ..ReadOptions::default() }).unwrap();
    assert_eq!(numbers(&found), [19_783.0, 19_785.0]);
}

#[test]
fn a_list_is_the_label_as_a_whole() {
    let lists = FixedSizeListArray::from_iter_primitive::<arrow_array::types::Float64Type, _, _>(
        [[1.5, 0.0], [0.0, 2.5], [1.0, 1.0]].map(|row| Some(row.map(Some))),
        2,
    );
    let x: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
    let batch = RecordBatch::try_from_iter([("x", x), ("tgt", Arc::new(lists) as ArrayRef)]).unwrap();
    for label in [None, Some("tgt".to_owned())] {
        let found = open(&parquet(&batch, 9), &ReadOptions { label, ..ask() }).unwrap();
        let labels = samples(&found.train, &[]).labels().clone();
        assert_eq!(
            (found.shape.features(), labels),
            (1, Labels::Real { values: vec![1.5, 0.0, 0.0, 2.5, 1.0, 1.0], width: 2 })
        );
    }
}

#[test]
fn numbers_stored_as_text_are_numbers_and_floats_without_fraction_are_classes_like_whole_numbers() {
    assert_eq!(read(StringArray::from(vec!["1.5", "-2"])), [1.5, -2.0]);
    let features: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5, 3.5]));
    let label: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 0.0, 1.0, 0.0]));
    let batch = RecordBatch::try_from_iter([("x", features), ("label", label)]).unwrap();
    for file in [arrow(&batch), parquet(&batch, 9)] {
        assert_eq!(open(&file, &ReadOptions::default()).unwrap().classes, ["0", "1"]);
    }
}
