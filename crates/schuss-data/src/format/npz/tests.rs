#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::*;
use crate::Shape;
use crate::testing::{npy, samples};
use std::io::{Cursor, Write};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Returns an archive of the given files, each compressed by `method`.
fn archive(files: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn packed(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    archive(files, CompressionMethod::Deflated)
}

fn open_as(bytes: &[u8], ask: &ReadOptions) -> Result<Loaded> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("d.npz");
    std::fs::write(&path, bytes).unwrap();
    let found = crate::reader::open(&path, ask);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is written");
    found
}

fn open(bytes: &[u8]) -> Result<Loaded> {
    open_as(bytes, &ReadOptions::default())
}

fn bytes(count: u8) -> Vec<u8> {
    (0..count).collect()
}

fn floats(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn samples_and_labels_of_all_splits_are_found_by_their_names() {
    let found = open(&packed(&[
        ("x_train.npy", npy("|u1", "(3, 2)", &bytes(6))),
        ("y_train.npy", npy("<i8", "(3,)", &[5_i64, -1, 5].map(i64::to_le_bytes).concat())),
        ("x_val.npy", npy("|u1", "(1, 2)", &bytes(2))),
        ("y_val.npy", npy("<i8", "(1, 1)", &7_i64.to_le_bytes())),
        ("x_test.npy", npy("|u1", "(2, 2)", &bytes(4))),
        ("y_test.npy", npy("<i8", "(2,)", &[5_i64, 5].map(i64::to_le_bytes).concat())),
    ]))
    .unwrap();
    assert_eq!((found.shape, &found.classes[..]), (Shape::Flat(2), &["-1", "5", "7"].map(str::to_owned)[..]));
    assert_eq!(samples(&found.train).labels(), &Labels::Class(vec![1, 0, 1]));
    assert_eq!(samples(&found.validation.unwrap()).labels(), &Labels::Class(vec![2]));
    assert_eq!(samples(&found.test.unwrap()).labels(), &Labels::Class(vec![1, 1]));
}

#[test]
fn x_and_y_are_enough_and_y_may_be_numbers_or_absent() {
    let x = || ("X.npy", npy("|u1", "(2, 2)", &bytes(4)));
    let real = open(&packed(&[x(), ("Y.npy", npy("<f8", "(2,)", &floats(&[0.5, 2.0])))])).unwrap();
    assert_eq!(samples(&real.train).labels(), &Labels::Real { values: vec![0.5, 2.0], width: 1 });
    let several = open(&packed(&[x(), ("Y.npy", npy("<f8", "(2, 2)", &floats(&[0., 1., 1., 1.])))])).unwrap();
    assert_eq!(samples(&several.train).labels(), &Labels::Real { values: vec![0., 1., 1., 1.], width: 2 });
    assert_eq!(samples(&open(&packed(&[x()])).unwrap().train).labels(), &Labels::Absent(2));
}

#[test]
fn an_unpacked_archive_that_does_not_fit_into_memory_is_read_where_it_lies() {
    let files = [("x.npy", npy("|u1", "(60, 2)", &bytes(120))), ("y.npy", npy("|u1", "(60,)", &bytes(60)))];
    let ask = ReadOptions { memory: 100, ..ReadOptions::default() };
    let plain = archive(&files, CompressionMethod::Stored);
    let expected = samples(&open(&plain).unwrap().train);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("d.npz");
    std::fs::write(&path, &plain).unwrap();
    let found = crate::reader::open(&path, &ask).unwrap();
    assert!(matches!(found.train, LoadedSplit::Streamed(_)));
    assert_eq!(samples(&found.train), expected);
    let error = open_as(&packed(&files), &ask).unwrap_err();
    assert!(error.what.contains("it is compressed") && error.exit_code() == 3, "{error}");
}

#[test]
fn every_sort_of_damage_is_refused_in_one_sentence_that_names_the_file() {
    let x = || ("x.npy", npy("|u1", "(2, 2)", &bytes(4)));
    let bomb = npy("|u1", "(50000000, 1)", &vec![0; 50_000_000]);
    let cases = [
        (packed(&[]), "holds no array of samples; its arrays: none"),
        (packed(&[("etc/x", vec![1])]), "holds no array of samples; its arrays: `etc/x`"),
        (
            packed(&[x(), ("y.npy", npy("|u1", "(3,)", &bytes(3)))]),
            "holds 2 samples in `x` but 3 labels in `y`",
        ),
        (
            packed(&[x(), ("x_test.npy", npy("|u1", "(2, 3)", &bytes(6)))]),
            "holds 2 samples of 2 numbers in `x` but 2 samples of 3 numbers in `x_test`",
        ),
        (
            packed(&[
                x(),
                ("y.npy", npy("|u1", "(2,)", &bytes(2))),
                ("x_test.npy", npy("|u1", "(2, 2)", &bytes(4))),
            ]),
            "has labels for other splits, but none for `x_test`",
        ),
        (
            packed(&[("x.npy", npy("|O", "(2, 2)", &bytes(32)))]),
            "has an array `x` that holds Python objects (a pickle), which are never loaded: they could run any code",
        ),
        (packed(&[("x.npy", vec![1, 2, 3])]), "has an array `x` that ends within its header"),
    ];
    for (bytes, sentence) in cases {
        let error = open(&bytes).unwrap_err();
        assert!(error.exit_code() == 3 && error.what.starts_with(&format!("d.npz {sentence}")), "{error}");
    }
    let error =
        open_as(&packed(&[("x.npy", bomb)]), &ReadOptions { memory: 1 << 20, ..ReadOptions::default() })
            .unwrap_err();
    assert!(error.what.starts_with("d.npz holds 50 MB of numbers, more than fits into memory"), "{error}");
}

/// Returns the archive with each `from` in it replaced by as many other bytes.
fn renamed(mut archive: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    for at in 0..=archive.len() - from.len() {
        if archive[at..].starts_with(from) {
            archive[at..at + from.len()].copy_from_slice(to);
        }
    }
    archive
}

#[test]
fn a_name_that_points_outside_is_refused_though_nothing_is_unpacked() {
    let array = || npy("|u1", "(2, 2)", &bytes(4));
    for name in ["../X.npy", "/X.npy", "a/../X.npy", "..\\X.npy", "\\X.npy", "a\\..\\X.npy"] {
        let plain = "_".repeat(name.len());
        let good = packed(&[("x.npy", array()), (&plain, array())]);
        assert!(open(&good).is_ok());
        let error = open(&renamed(good, plain.as_bytes(), name.as_bytes())).unwrap_err();
        let shown = crate::format::table::shown(name);
        assert_eq!(error.what, format!("d.npz holds a member called `{shown}`, which points outside"));
        assert_eq!(error.exit_code(), 3);
    }
}

#[test]
fn two_arrays_of_one_name_are_refused() {
    let array = || npy("|u1", "(2, 2)", &bytes(4));
    let twice = renamed(packed(&[("x.npy", array()), ("z.npy", array())]), b"z.npy", b"x.npy");
    assert_eq!(open(&twice).unwrap_err().what, "d.npz holds two files of the same name");
    let error = open(&packed(&[("x.npy", array()), ("X.npy", array())])).unwrap_err();
    assert_eq!(error.what, "d.npz holds two arrays called `x`, ignoring case");
}

#[test]
fn a_number_that_is_none_is_named_by_its_array_its_sample_and_its_column() {
    let x = |bad: f64| ("x_train.npy", npy("<f8", "(2, 2)", &floats(&[0., 0., 0., bad])));
    let y = |bad: f64| ("y_train.npy", npy("<f8", "(2,)", &floats(&[0.5, bad])));
    let place = |files: &[_]| open(&packed(files)).unwrap_err().place.unwrap().to_string();
    assert!(place(&[x(f64::NAN), y(1.)]).ends_with("d.npz, `x_train`, sample 1, column 1"));
    assert!(place(&[x(1.), y(f64::INFINITY)]).ends_with("d.npz, `y_train`, sample 1"));
    let error = open(&packed(&[x(1.), y(1e300)])).unwrap_err();
    assert_eq!(error.what, "d.npz has an array `y_train` whose label 1 is beyond what 32-bit numbers hold");
    let plain = archive(&[x(f64::NAN), y(1.)], CompressionMethod::Stored);
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("d.npz"), plain).unwrap();
    let found = crate::reader::open(
        &folder.path().join("d.npz"),
        &ReadOptions { memory: 8, ..ReadOptions::default() },
    )
    .unwrap();
    let LoadedSplit::Streamed(store) = found.train else { panic!("16 bytes are more than 8") };
    let place = store.read(&[1], &mut Samples::default()).unwrap_err().place.unwrap().to_string();
    assert!(place.ends_with("d.npz, `x_train`, sample 1, column 1"), "{place}");
}

#[test]
fn labels_that_are_text_are_refused_with_how_to_save_them() {
    let x = ("x_train.npy", npy("|u1", "(2, 2)", &bytes(4)));
    let error = open(&packed(&[x, ("y_train.npy", npy("<U3", "(2,)", &[0; 24]))])).unwrap_err();
    assert_eq!(error.what, "d.npz has an array `y_train` that holds text, not numbers");
    assert!(error.advice.unwrap().starts_with("save classes as whole numbers"));
}

#[test]
fn a_wrong_checksum_is_found() {
    let mut bytes = archive(&[("x.npy", npy("|u1", "(2, 2)", &[9, 9, 9, 233]))], CompressionMethod::Stored);
    let at = bytes.iter().position(|&byte| byte == 233).unwrap();
    bytes[at] = 234;
    assert!(open(&bytes).unwrap_err().what.contains("checksum"));
}

#[test]
fn every_truncation_is_refused() {
    let good = packed(&[("x.npy", npy("|u1", "(2, 2)", &bytes(4)))]);
    for length in 0..good.len() {
        assert_eq!(open(&good[..length]).unwrap_err().exit_code(), 3, "after {length} bytes");
    }
}

#[test]
fn transparent_pictures_show_white_paper_and_arrays_of_other_names_are_named() {
    let pixels = [10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128, 255, 255, 255, 7];
    for order in ["(1, 2, 2, 4)", "(2, 2, 1, 4)"] {
        let found = open(&packed(&[
            ("x.npy", npy("|u1", order, &pixels)),
            ("weights.npy", npy("|u1", "(1,)", &[1])),
        ]))
        .unwrap();
        assert!(found.notes[0].contains("transparent pixels shown as white"), "{}", found.notes[0]);
        assert!(found.notes.contains(&"left out: arrays with other names: `weights`".into()));
        let crate::Values::Bytes(bytes) = samples(&found.train).values().clone() else { panic!("bytes") };
        let planes = match order {
            "(1, 2, 2, 4)" => vec![10, 255, 127, 255, 20, 255, 127, 255, 30, 255, 127, 255],
            _ => vec![10, 255, 20, 255, 30, 255, 127, 255, 127, 255, 127, 255],
        };
        assert_eq!(bytes, planes);
    }
}

#[test]
fn an_archive_is_opened_once() {
    let files = [("x.npy", npy("|u1", "(100, 2)", &bytes(200))), ("y.npy", npy("|u1", "(100,)", &[1; 100]))];
    crate::testing::assert_opened_once("x.npz", &packed(&files), &[1 << 20]);
    crate::testing::assert_opened_once("x.npz", &archive(&files, CompressionMethod::Stored), &[1 << 20, 50]);
}
