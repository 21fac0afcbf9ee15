#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::*;
use crate::ImageShape;
use crate::testing::{npy, samples, saved};

fn open_as(bytes: &[u8], ask: &ReadOptions) -> Result<Loaded> {
    let (_folder, path) = saved("x.npy", bytes);
    crate::reader::open(&path, ask)
}

fn open(bytes: &[u8]) -> Result<Loaded> {
    open_as(bytes, &ReadOptions::default())
}

#[test]
fn bytes_in_three_dimensions_are_grey_pictures_and_in_two_plain_numbers() {
    let pictures = open(&npy("|u1", "(2, 3, 2)", &[7; 12])).unwrap();
    assert_eq!(pictures.shape, Shape::Image(ImageShape { channels: 1, height: 3, width: 2 }));
    assert_eq!(
        (pictures.usual, samples(&pictures.train).labels()),
        (DefaultNormalisation::Unit, &Labels::Absent(2))
    );
    let flat = open(&npy("|u1", "(2, 6)", &[7; 12])).unwrap();
    assert_eq!(flat.shape, Shape::Flat(6));
    let single = open(&npy("|i1", "(2,)", &[3, 255])).unwrap();
    assert_eq!(samples(&single.train).values(), &Values::Floats(vec![3.0, -1.0]));
}

#[test]
fn channels_come_first_whether_they_stand_first_or_last() {
    let pixels: Vec<u8> = (0..12).collect();
    let first = open(&npy("|u1", "(1, 3, 2, 2)", &pixels)).unwrap();
    let last = open(&npy("|u1", "(1, 2, 2, 3)", &pixels)).unwrap();
    assert_eq!(first.shape, last.shape);
    assert_eq!(samples(&first.train).values(), &Values::Bytes(pixels));
    assert_eq!(samples(&last.train).values(), &Values::Bytes(vec![0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]));
}

#[test]
fn what_does_not_fit_into_memory_is_read_where_it_lies() {
    let pixels: Vec<u8> = (0..240).collect();
    let ask = ReadOptions { memory: 100, ..ReadOptions::default() };
    let (_folder, path) = saved("x.npy", npy("|u1", "(20, 2, 2, 3)", &pixels));
    let expected = samples(&crate::reader::open(&path, &ReadOptions::default()).unwrap().train);
    let found = crate::reader::open(&path, &ask).unwrap();
    let LoadedSplit::Streamed(store) = &found.train else { panic!("240 bytes are more than 100") };
    let mut read = expected.clone();
    store.read(&[19, 3, 4, 5, 3], &mut read).unwrap();
    assert_eq!(
        (0..5).map(|at| read.row(at)).collect::<Vec<_>>(),
        [19, 3, 4, 5, 3].map(|at| expected.row(at))
    );
    store.read(&[], &mut read).unwrap();
    assert_eq!((read.len(), read.values()), (0, &Values::Bytes(vec![])));
    assert_eq!(store.read(&[20], &mut read).unwrap_err().what, "x.npy has no sample 20");
    std::fs::write(&path, b"gone").unwrap();
    assert_eq!(store.read(&[0], &mut read).unwrap_err().what, "x.npy was truncated after it was opened");
    let fortran = String::from_utf8_lossy(&npy("|u1", "(20, 12)", &[1; 240])).replace("False", "True ");
    let fortran: Vec<u8> =
        [&npy("|u1", "(20, 12)", &[])[..6], &fortran.as_bytes()[fortran.find("NUMPY").unwrap() + 5..]]
            .concat();
    assert!(open_as(&fortran, &ask).unwrap_err().advice.unwrap().contains("ascontiguousarray"));
}

#[test]
fn every_sort_of_damage_is_refused_in_one_sentence_that_names_the_file() {
    let good = npy("<f4", "(2, 3)", &[0; 24]);
    let with = |dictionary: &str| {
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((dictionary.len() as u16).to_le_bytes());
        bytes.extend(dictionary.as_bytes());
        bytes
    };
    let long = [&b"\x93NUMPY\x02\0"[..], &u32::MAX.to_le_bytes(), b"{"].concat();
    let nan = npy("<f4", "(2, 1)", &[1.0_f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat());
    let many = format!("({})", "1, ".repeat(70));
    let cases = [
        (good[..30].to_vec(), "ends within its header"),
        (good[..good.len() - 1].to_vec(), "is too short for the array of [2, 3] that its header promises"),
        ([&good[..], b"x"].concat(), "continues for 1 bytes after the array its header promises"),
        (long, "claims a header of 4294967295 bytes"),
        (
            npy("|O", "(2, 3)", &[0; 48]),
            "holds Python objects (a pickle), which are never loaded: they could run any code",
        ),
        (npy("<U3", "(2,)", &[0; 24]), "holds text, not numbers"),
        (npy("<c8", "(3,)", &[0; 24]), "holds complex numbers"),
        (npy("<M8[ns]", "(3,)", &[0; 24]), "holds dates, not numbers"),
        (npy("<f3", "(8,)", &[0; 24]), "holds numbers of the unknown kind `f3`"),
        (npy("<f4", "()", &[0; 4]), "holds a single number, not samples"),
        (npy("<f4", "(0, 3)", &[]), "holds no numbers: its shape is [0, 3]"),
        (
            npy("<f4", "(0, 99999999999, 99999999999)", &[]),
            "holds no numbers: its shape is [0, 99999999999, 99999999999]",
        ),
        (npy("<f4", "(3, 0)", &[]), "holds no numbers: its shape is [3, 0]"),
        (
            npy("<f4", "(99999999999999999999, 1)", &[]),
            "has a header with `99999999999999999999, 1), }` where a size is expected",
        ),
        (
            npy("<f4", "(4294967296, 4294967296)", &[]),
            "is too short for the array of [4294967296, 4294967296] that its header promises",
        ),
        (npy("<f4", "(-1, 1)", &[]), "has a header with `-1, 1), }` where a size is expected"),
        (
            npy("<f4", "__import__('os')", &[]),
            "has a header with `__import__('os'), }` where `(` is expected",
        ),
        (npy("<f4", &many, &[]), "has a header with more than 64 dimensions"),
        (
            with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"),
            "holds records of several fields, not plain numbers",
        ),
        (with("{'descr': '<f4', 'shape': (1,)}"), "has a header that lacks descr, fortran_order or shape"),
        (with("{'descr': '<f4', 'descr': '<f4'}"), "has a header with the unexpected key `descr`"),
        (with("{'shape': (1,)} + 1"), "has extra text in its header: `+ 1`"),
        (with("{'fortran_order': 0}"), "has a header with `0}` where True or False is expected"),
        (b"\x93NUMPY\x09\x01".to_vec(), "is an NPY array of the unknown version 9.1"),
        (nan, "holds a number that is not finite, or beyond what 32-bit numbers hold"),
    ];
    for (bytes, sentence) in cases {
        let error = open(&bytes).unwrap_err();
        assert_eq!((error.exit_code(), &*error.what), (3, &*format!("x.npy {sentence}")));
    }
}

#[test]
fn a_number_that_is_none_is_named_by_its_sample_and_its_place_there() {
    let floats: Vec<u8> =
        (0..40_000).flat_map(|at| if at == 39_998 { f32::INFINITY } else { 1.0 }.to_le_bytes()).collect();
    let error = open(&npy("<f4", "(20000, 2)", &floats)).unwrap_err();
    assert!(error.place.unwrap().to_string().ends_with("x.npy, sample 19999, column 0"));
    let mut floats = [0_u8; 4 * 24];
    floats[4 * 17..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let place = |bytes: &[u8]| open(bytes).unwrap_err().place.unwrap().to_string();
    assert!(place(&npy("<f4", "(24,)", &floats)).ends_with("x.npy, sample 17"));
    assert!(place(&npy("<f4", "(2, 3, 4)", &floats)).ends_with("x.npy, sample 1, place [1, 1]"));
    let fortran = |shape| {
        let dictionary = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': {shape}}}");
        let length = (dictionary.len() as u16).to_le_bytes();
        [&b"\x93NUMPY\x01\0"[..], &length, dictionary.as_bytes(), &floats].concat()
    };
    assert!(place(&fortran("(4, 6)")).ends_with("x.npy, sample 1, column 4"));
    let huge = open(&npy("<f8", "(1, 1)", &1e300_f64.to_le_bytes())).unwrap_err();
    assert_eq!(huge.exit_code(), 3);
}

#[test]
fn every_truncation_is_refused() {
    let good = npy("<f4", "(2, 3)", &[0; 24]);
    for length in 0..good.len() {
        assert_eq!(open(&good[..length]).unwrap_err().exit_code(), 3, "after {length} bytes");
    }
}

#[test]
fn an_array_is_opened_once() {
    let numbers: Vec<u8> = (0..600_u16).flat_map(|number| f32::from(number).to_le_bytes()).collect();
    crate::testing::assert_opened_once(
        "x.npy",
        &crate::testing::npy("<f4", "(200, 3)", &numbers),
        &[1 << 20, 100],
    );
}
