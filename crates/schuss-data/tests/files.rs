//! Files written by NumPy, pandas, PyArrow, Pillow and Python's tarfile are read to exactly the numbers that these read
//! back. `files/make.py` made both.

use schuss_data::reader::{Loaded, LoadedSplit, ReadOptions, open};
use schuss_data::{Labels, Samples, Split, Values};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Expected contents of a file.
#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    first: Vec<f32>,
    last: Vec<f32>,
    sum: f64,
    count: usize,
    labels: Option<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

fn samples(part: &LoadedSplit) -> Samples {
    Split::from(part.clone()).read(&(0..part.len()).collect::<Vec<_>>()).unwrap()
}

fn check(name: &str, found: &Loaded, expected: &Expected) {
    let samples = samples(&found.train);
    let numbers: Vec<f32> = match samples.values() {
        Values::Bytes(bytes) => bytes.iter().copied().map(f32::from).collect(),
        Values::Floats(floats) => floats.clone(),
    };
    let features = expected.shape.iter().product();
    assert_eq!((samples.len(), found.shape.features()), (expected.count, features), "{name}");
    assert_eq!(&numbers[..features], expected.first, "the first sample of {name}");
    assert_eq!(&numbers[numbers.len() - features..], expected.last, "the last sample of {name}");
    let sum: f64 = numbers.iter().copied().map(f64::from).sum();
    let size: f64 = numbers.iter().map(|number| f64::from(number.abs())).sum();
    assert!((sum - expected.sum).abs() <= 1e-12 * size, "{name} sums to {sum}, not {}", expected.sum);
    let labels: Option<Vec<f32>> = match samples.labels() {
        Labels::Class(classes) => Some(classes.iter().map(|&class| class as f32).collect()),
        Labels::Real { values, .. } => Some(values.clone()),
        Labels::Absent(_) => None,
    };
    assert_eq!(labels, expected.labels, "labels of {name}");
}

/// Checks every file with these endings, read whole and, if possible, sample by sample.
fn every_file_with(endings: &[&str]) {
    let expected = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&expected).unwrap();
    let chosen = expected.iter().filter(|(name, _)| endings.iter().any(|ending| name.ends_with(ending)));
    let mut count = 0;
    for (name, expected) in chosen {
        let path = folder().join(name);
        check(name, &open(&path, &ReadOptions::default()).unwrap(), expected);
        let streamed = open(&path, &ReadOptions { memory: 330, ..ReadOptions::default() });
        if let Ok(found) = streamed {
            check(name, &found, expected);
        }
        count += 1;
    }
    assert!(count >= endings.len(), "files of {endings:?}");
}

#[test]
fn numpys_arrays_are_read_to_numpys_numbers() {
    every_file_with(&[".npy", ".npz"]);
}

#[test]
fn pandas_tables_are_read_to_pandas_numbers() {
    every_file_with(&[".csv", ".csv.gz", ".csv.zst", ".tsv"]);
}

#[test]
fn pillows_pictures_in_pythons_tar_are_read_to_the_byte() {
    every_file_with(&[".tar"]);
}

#[cfg(feature = "parquet")]
#[test]
fn pyarrows_tables_and_pictures_are_read_to_pyarrows_numbers() {
    every_file_with(&[".parquet", ".arrow", ".feather"]);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_format_that_was_left_out_says_how_to_build_it_in() {
    let error = open(&folder().join("lists.parquet"), &ReadOptions::default()).unwrap_err();
    assert_eq!((error.exit_code(), error.advice.unwrap().contains("--features full")), (2, true));
}
