#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::*;
use crate::reader::LoadedSplit;
use crate::testing::{npy, samples};
use crate::{ImageShape, Shape, Values};
use image::{GrayImage, ImageFormat, Luma};
use tar::{Builder, Header};
use tempfile::TempDir;

fn png(level: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    GrayImage::from_pixel(2, 1, Luma([level])).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Returns a tar file; names are written as given.
fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

fn saved(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(members: &[(&str, Vec<u8>)]) -> Result<Loaded> {
    let folder = saved(&[("s.tar", archive(members))]);
    crate::reader::open(&folder.path().join("s.tar"), &ReadOptions::default())
}

fn word(word: &str) -> Vec<u8> {
    word.as_bytes().to_vec()
}

#[test]
fn members_of_one_key_are_a_sample_and_its_label() {
    let found = open(&[
        ("a/1.cls", word("10\n")),
        ("a/1.png", png(1)),
        ("a/2.seg.png", png(77)),
        ("a/2.png", png(2)),
        ("a/2.json", word(r#"{"label": 9, "text": "x"}"#)),
    ])
    .unwrap();
    assert_eq!(found.shape, Shape::Image(ImageShape { channels: 1, height: 1, width: 2 }));
    assert_eq!(found.classes, ["9", "10"]);
    assert_eq!(samples(&found.train).labels(), &Labels::Class(vec![1, 0]));
    assert_eq!(samples(&found.train).values(), &Values::Bytes(vec![1, 1, 2, 2]));
}

#[test]
fn arrays_are_samples_too() {
    let array = |number: f32| npy("<f4", "(2,)", &[number.to_le_bytes(), 0.5_f32.to_le_bytes()].concat());
    let found = open(&[("1.npy", array(1.5)), ("2.npy", array(-2.0))]).unwrap();
    assert_eq!((found.shape, samples(&found.train).labels()), (Shape::Flat(2), &Labels::Absent(2)));
    assert_eq!(samples(&found.train).values(), &Values::Floats(vec![1.5, 0.5, -2.0, 0.5]));
    let error = open(&[("1.npy", array(1.5)), ("2.npy", npy("<f4", "(1,)", &[0; 4]))]).unwrap_err();
    assert!(error.what.contains("is not an array of [2] like the first"), "{error}");
    assert!(open(&[("1.npy", array(1.5)), ("2.png", png(1))]).is_err());
}

#[test]
fn shards_of_a_folder_are_read_in_order_split_by_their_names() {
    let shard = |level: u8, class: &str| archive(&[("1.png", png(level)), ("1.cls", word(class))]);
    let plain = saved(&[("b.tar", shard(2, "x")), ("a.tar", shard(1, "y"))]);
    let found = crate::reader::open(plain.path(), &ReadOptions::default()).unwrap();
    assert_eq!(samples(&found.train).values(), &Values::Bytes(vec![1, 1, 2, 2]));
    let split = saved(&[
        ("train-0.tar", shard(2, "x")),
        ("train-1.tar", shard(3, "y")),
        ("val-0.tar", shard(4, "y")),
    ]);
    let found = crate::reader::open(split.path(), &ReadOptions { memory: 5, ..ReadOptions::default() });
    assert!(found.unwrap_err().what.contains("more samples than fit into the memory budget"));
    let found =
        crate::reader::open(split.path(), &ReadOptions { memory: 100, ..ReadOptions::default() }).unwrap();
    assert_eq!(samples(&found.train).labels(), &Labels::Class(vec![0, 1]));
    assert_eq!(samples(&found.validation.unwrap()).labels(), &Labels::Class(vec![1]));
    assert!(found.test.is_none());
}

#[test]
fn what_does_not_fit_into_memory_is_read_where_it_lies() {
    let picture = GrayImage::from_fn(64, 64, |x, y| Luma([(x * y) as u8]));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    let folder = saved(&[("s.tar", archive(&[("1.png", file.into_inner())]))]);
    let path = folder.path().join("s.tar");
    let found = crate::reader::open(&path, &ReadOptions { memory: 4_095, ..ReadOptions::default() }).unwrap();
    assert!(matches!(found.train, LoadedSplit::Streamed(_)));
    assert_eq!(samples(&found.train).values(), &Values::Bytes(picture.into_raw()));
}

#[test]
fn a_jpeg_that_was_cut_short_before_it_was_packed_is_refused() {
    let mut whole = Cursor::new(Vec::new());
    GrayImage::from_fn(64, 64, |x, y| Luma([(x * y) as u8])).write_to(&mut whole, ImageFormat::Jpeg).unwrap();
    let whole = whole.into_inner();
    assert!(open(&[("1.jpg", whole.clone())]).is_ok());
    for percent in [50, 80, 99] {
        let cut = whole[..whole.len() * percent / 100].to_vec();
        let error = open(&[("1.jpg", whole.clone()), ("2.jpg", cut)]).unwrap_err();
        assert!(error.exit_code() == 3 && error.what.contains("is a truncated picture"), "{error}");
    }
}

#[test]
fn every_sort_of_damage_is_refused_in_one_sentence_that_names_the_file() {
    let cases = [
        (vec![("../X.npy", png(1))], "holds a member called `../X.npy`, which points outside"),
        (vec![("/etc/X.npy", png(1))], "holds a member called `/etc/X.npy`, which points outside"),
        (vec![("a\\..\\X.npy", png(1))], "holds a member called `a\\..\\X.npy`, which points outside"),
        (vec![("a.txt", word("x"))], "holds no samples"),
        (
            vec![("1.png", png(1)), ("2.png", png(1)), ("2.cls", word("x"))],
            "has labels for 1 of 2 samples, but none for `1`",
        ),
        (vec![("1.png", png(1)), ("1.jpg", png(1))], "holds two samples called `1`"),
        (vec![("1.cls", word("a")), ("1.json", word(r#"{"cls": "b"}"#))], "holds two labels called `1`"),
        (vec![("1.json", word("{"))], "holds a label that is not JSON"),
        (vec![("1.cls", vec![b'x'; 70_000])], "holds a label of 70000 bytes"),
    ];
    for (members, sentence) in cases {
        let error = open(&members).unwrap_err();
        assert!(error.exit_code() == 3 && error.what.starts_with(&format!("s.tar {sentence}")), "{error}");
    }
    let error = open(&[("1.png", word("nothing"))]).unwrap_err();
    assert!(error.what.starts_with("sample `1` of s.tar@512 cannot be read as a picture"), "{error}");
}

#[test]
fn a_tar_file_that_was_cut_short_anywhere_before_its_end_mark_is_refused() {
    let good = archive(&[("1.png", png(1)), ("1.cls", word("x")), ("2.png", png(2)), ("2.cls", word("y"))]);
    let end_mark = good.len() - 1_024;
    for length in 0..=good.len() {
        let folder = saved(&[("s.tar", good[..length].to_vec())]);
        match crate::reader::open(folder.path(), &ReadOptions::default()) {
            Ok(found) => assert!(found.train.len() == 2 && length >= end_mark + 512, "after {length} bytes"),
            Err(error) => assert!(error.exit_code() == 3 && length < good.len(), "after {length} bytes"),
        }
    }
    for length in [1_024, 2_048, 3_072, end_mark] {
        let folder = saved(&[("s.tar", good[..length].to_vec())]);
        let error = crate::reader::open(folder.path(), &ReadOptions::default()).unwrap_err();
        assert_eq!(error.what, "s.tar is truncated: its end marker is missing");
        assert_eq!(error.advice.as_deref(), Some("copy it again"));
    }
}

#[test]
fn a_label_without_a_sample_is_left_alone_and_said() {
    let members = [("a/1.png", png(1)), ("a/1.cls", word("x")), ("a/2.cls", word("y")), ("3.cls", word("y"))];
    let found = open(&members).unwrap();
    assert_eq!((found.train.len(), &*found.classes), (1, &["x".to_owned()][..]));
    assert_eq!(found.notes[0], "labels without a sample: 2, left out; the first is of `a/2`");
}

#[test]
fn a_sample_that_is_refused_is_named_by_its_key() {
    let error = open(&[("a/1.png", png(1)), ("a/2.png", word("nothing"))]).unwrap_err();
    assert!(error.what.starts_with("sample `a/2` of s.tar@1536 cannot be read as a picture"), "{error}");
    let mut wide = Cursor::new(Vec::new());
    GrayImage::new(9, 9).write_to(&mut wide, ImageFormat::Png).unwrap();
    let error = open(&[("a/1.png", png(1)), ("a/2.png", wide.into_inner())]).unwrap_err();
    assert_eq!(error.what, "sample `a/2` of s.tar@1536 has 9 x 9 pixels, but the first picture 2 x 1");
}

#[test]
fn keys_may_hold_dots_and_what_takes_no_part_is_counted() {
    let found = open(&[
        ("v1.0/img.1.0.png", png(1)),
        ("v1.0/img.1.0.cls", word("a")),
        ("v1.0/img.1.1.png", png(2)),
        ("v1.0/img.1.1.cls", word("b")),
        ("v1.0/other.png", png(3)),
        ("v1.0/other.cls", word("a")),
        ("v1.0/other.txt", word("x")),
        ("v1.0/other.mask.png", png(9)),
    ])
    .unwrap();
    assert_eq!(samples(&found.train).values(), &Values::Bytes(vec![1, 1, 2, 2, 3, 3]));
    assert_eq!(samples(&found.train).labels(), &Labels::Class(vec![0, 1, 0]));
    let note =
        "left out: 2 members that are neither samples nor labels (.txt); the first is `v1.0/other.txt`";
    assert!(found.notes.contains(&note.into()), "{:?}", found.notes);
}

#[test]
fn samples_without_labels_in_several_folders_are_classes_as_on_disk() {
    let members = [("train/b/1.png", png(2)), ("train/a/1.png", png(1)), ("test/a/1.png", png(3))];
    let found = open(&members).unwrap();
    assert_eq!(found.classes, ["a", "b"]);
    assert_eq!(samples(&found.train).labels(), &Labels::Class(vec![0, 1]));
    assert_eq!(found.test.unwrap().len(), 1);
    let alone = open(&[("all/1.png", png(2)), ("all/2.png", png(1))]).unwrap();
    assert_eq!(samples(&alone.train).labels(), &Labels::Absent(2));
}

#[test]
fn a_tar_file_is_opened_once() {
    let members: Vec<(String, Vec<u8>)> = (0..20_u8)
        .flat_map(|at| {
            [(format!("{at}.png"), png(at)), (format!("{at}.cls"), word(["a", "b"][usize::from(at) % 2]))]
        })
        .collect();
    let members: Vec<(&str, Vec<u8>)> =
        members.iter().map(|(name, bytes)| (&**name, bytes.clone())).collect();
    crate::testing::assert_opened_once("s.tar", &archive(&members), &[1 << 20]);
}
