#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::*;
use crate::reader::LoadedSplit;
use crate::testing::samples;
use crate::{ImageShape, Labels, Pictures, Place, Preparation, Shape, Values, read_picture};
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

fn grey(level: u8, width: u32, height: u32) -> DynamicImage {
    GrayImage::from_pixel(width, height, Luma([level])).into()
}

fn colour(level: u8) -> DynamicImage {
    RgbImage::from_pixel(3, 2, Rgb([level, 0, 9])).into()
}

fn save(root: &Path, name: &str, picture: &DynamicImage) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
}

fn open_as(root: &Path, ask: &ReadOptions) -> Result<Loaded> {
    crate::reader::open(root, ask)
}

fn open(root: &Path) -> Result<Loaded> {
    open_as(root, &ReadOptions::default())
}

fn pixels(part: &LoadedSplit) -> Vec<u8> {
    let Values::Bytes(bytes) = samples(part).values().clone() else { panic!("pictures are stored as bytes") };
    bytes
}

#[test]
fn folders_are_classes_in_order_of_their_names() {
    let root = TempDir::new().unwrap();
    for (name, level) in [("cat/2.png", 2), ("cat/10.png", 10), ("ant/1.PNG", 1)] {
        save(root.path(), name, &grey(level, 1, 1));
    }
    fs::write(root.path().join("cat/notes.txt"), "x").unwrap();
    let found = open(root.path()).unwrap();
    assert_eq!(found.classes, ["ant", "cat"]);
    assert_eq!(samples(&found.train).labels(), &Labels::Class(vec![0, 1, 1]));
    assert_eq!(pixels(&found.train), [1, 10, 2]);
    assert_eq!(found.notes[0], "left out: 1 file that is not a picture: `notes.txt`");
}

#[test]
fn splits_are_taken_as_given_and_may_lack_classes() {
    let root = TempDir::new().unwrap();
    for (name, level) in
        [("train/a/1.png", 1), ("train/b/1.png", 2), ("valid/b/1.png", 3), ("test/a/1.png", 4)]
    {
        save(root.path(), name, &grey(level, 1, 1));
    }
    let found = open(root.path()).unwrap();
    assert_eq!(samples(&found.validation.unwrap()).labels(), &Labels::Class(vec![1]));
    assert_eq!(pixels(&found.test.unwrap()), [4]);
    save(root.path(), "test/c/1.png", &grey(4, 1, 1));
    assert!(open(root.path()).unwrap_err().what.contains("has no pictures of class `c` to train on"));
}

#[test]
fn pictures_without_folders_have_no_labels() {
    let root = TempDir::new().unwrap();
    save(root.path(), "b.png", &grey(2, 1, 1));
    save(root.path(), "a.png", &grey(1, 1, 1));
    let found = open(root.path()).unwrap();
    assert_eq!((samples(&found.train).labels(), pixels(&found.train)), (&Labels::Absent(2), vec![1, 2]));
}

#[test]
fn pictures_are_grey_only_if_all_are_and_colours_stand_plane_after_plane() {
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.png", &colour(7));
    save(root.path(), "a/2.png", &grey(5, 3, 2));
    let found = open(root.path()).unwrap();
    assert_eq!(found.shape, Shape::Image(ImageShape { channels: 3, height: 2, width: 3 }));
    assert_eq!(pixels(&found.train)[..18], [[7; 6], [0; 6], [9; 6]].concat());
    assert_eq!(pixels(&found.train)[18..], [5; 18]);
}

#[test]
fn sizes_that_differ_need_a_size_which_cuts_the_middle() {
    let root = TempDir::new().unwrap();
    let wide = GrayImage::from_fn(8, 2, |x, _| Luma([if (2..6).contains(&x) { 200 } else { 0 }]));
    save(root.path(), "a/1.png", &grey(9, 4, 4));
    save(root.path(), "a/2.png", &wide.into());
    let error = open(root.path()).unwrap_err();
    assert_eq!(error.what, "2.png has 8 x 2 pixels, but the first picture 4 x 4");
    assert!(error.advice.unwrap().starts_with("--size"));
    let found = open_as(root.path(), &ReadOptions { size: Some(2), ..ReadOptions::default() }).unwrap();
    assert_eq!(found.shape, Shape::Image(ImageShape { channels: 1, height: 2, width: 2 }));
    assert_eq!(pixels(&found.train), [9, 9, 9, 9, 200, 200, 200, 200]);
    for size in [0, 5_000] {
        let refused =
            open_as(root.path(), &ReadOptions { size: Some(size), ..ReadOptions::default() }).unwrap_err();
        assert_eq!((refused.exit_code(), refused.place), (2, Some(Box::new(Place::flag("size")))));
    }
}

#[test]
fn jpeg_is_read_within_its_losses() {
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.jpg", &grey(100, 8, 8));
    let found = open(root.path()).unwrap();
    assert!(pixels(&found.train).iter().all(|pixel| pixel.abs_diff(100) < 3));
}

/// Returns a JPEG file of 32 x 24 pixels with many colours.
fn jpeg() -> Vec<u8> {
    let pixels = RgbImage::from_fn(32, 24, |x, y| Rgb([(x * 8) as u8, (y * 10) as u8, (x * y) as u8]));
    let mut file = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
    file.into_inner()
}

/// Returns the picture with `inside` in an application segment right after its first marker, as thumbnails
/// are stored.
fn with_segment(picture: &[u8], inside: &[u8]) -> Vec<u8> {
    let length = (inside.len() as u16 + 2).to_be_bytes();
    [&picture[..2], &[0xff, 0xe1], &length, inside, &picture[2..]].concat()
}

#[test]
fn a_jpeg_that_was_cut_short_is_refused_wherever_the_cut() {
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.jpg", &colour(1));
    let path = root.path().join("a/2.jpg");
    for whole in [jpeg(), with_segment(&jpeg(), &jpeg())] {
        let shares = [50, 80, 99].map(|percent| whole.len() * percent / 100);
        for length in shares.into_iter().chain(2..whole.len()) {
            fs::write(&path, &whole[..length]).unwrap();
            let error =
                open_as(root.path(), &ReadOptions { size: Some(4), ..ReadOptions::default() }).unwrap_err();
            assert_eq!(error.exit_code(), 3, "after {length} bytes");
            assert!(error.what.starts_with("2.jpg is a truncated picture"), "{error}");
        }
    }
}

#[test]
fn a_jpeg_may_hold_a_thumbnail_and_go_on_after_its_end() {
    let root = TempDir::new().unwrap();
    let whole = [with_segment(&jpeg(), &jpeg()), b"padding".to_vec()].concat();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(root.path().join("a/1.jpg"), whole).unwrap();
    fs::write(root.path().join("a/2.jpg"), jpeg()).unwrap();
    let pixels = pixels(&open(root.path()).unwrap().train);
    let (first, second) = pixels.split_at(pixels.len() / 2);
    assert_eq!(first, second);
}

#[test]
fn a_jpeg_that_is_cut_short_after_it_was_opened_is_refused_when_it_is_decoded() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("1.jpg");
    fs::write(&path, jpeg()).unwrap();
    let found = open_as(root.path(), &ReadOptions { memory: 1, ..ReadOptions::default() }).unwrap();
    let LoadedSplit::Streamed(store) = &found.train else { panic!("a picture is more than a byte") };
    fs::write(&path, &jpeg()[..jpeg().len() * 99 / 100]).unwrap();
    let mut some = crate::Samples::default();
    assert!(store.read(&[0], &mut some).unwrap_err().what.starts_with("1.jpg is a truncated picture"));
}

#[test]
fn a_png_that_was_cut_short_is_refused_wherever_the_cut() {
    let root = TempDir::new().unwrap();
    save(root.path(), "1.png", &colour(1));
    let whole = fs::read(root.path().join("1.png")).unwrap();
    for length in 0..whole.len() {
        fs::write(root.path().join("1.png"), &whole[..length]).unwrap();
        assert!(open(root.path()).is_err_and(|error| error.exit_code() == 3), "after {length} bytes");
    }
}

#[test]
fn what_does_not_fit_into_memory_is_decoded_when_it_is_read() {
    let root = TempDir::new().unwrap();
    for at in 0..9 {
        save(root.path(), &format!("{}/{at}.png", at % 2), &grey(at, 2, 2));
    }
    let expected = samples(&open(root.path()).unwrap().train);
    let found = open_as(root.path(), &ReadOptions { memory: 35, ..ReadOptions::default() }).unwrap();
    let LoadedSplit::Streamed(store) = &found.train else { panic!("36 bytes are more than 35") };
    assert_eq!(samples(&found.train), expected);
    let mut some = expected.clone();
    store.read(&[8, 1], &mut some).unwrap();
    assert_eq!((some.row(0), some.row(1)), (expected.row(8), expected.row(1)));
    assert_eq!(store.read(&[9], &mut some).unwrap_err().exit_code(), 3);
    fs::write(root.path().join("0/0.png"), "gone").unwrap();
    assert!(store.read(&[0], &mut some).unwrap_err().what.starts_with("0.png cannot be read as a picture"));
}

#[test]
fn pictures_that_cannot_be_read_are_named_and_counted() {
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.png", &grey(1, 2, 2));
    fs::write(root.path().join("a/2.png"), "not a picture").unwrap();
    assert!(open(root.path()).unwrap_err().what.starts_with("2.png cannot be read as a picture"));
    fs::write(root.path().join("a/3.jpg"), "").unwrap();
    let error = open(root.path()).unwrap_err();
    assert!(error.what.ends_with(" (2 of 3 cannot be read)") && error.exit_code() == 3, "{error}");
}

#[test]
fn a_header_of_absurd_size_is_refused() {
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.png", &grey(1, 2, 2));
    let path = root.path().join("a/1.png");
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0x7f; 8]);
    fs::write(&path, bytes).unwrap();
    assert_eq!(open(root.path()).unwrap_err().exit_code(), 3);
}

#[test]
fn a_folder_without_samples_is_refused_with_what_it_holds() {
    let root = TempDir::new().unwrap();
    assert!(open(root.path()).unwrap_err().what.ends_with("holds no samples: it is empty"));
    fs::write(root.path().join("notes.md"), "x").unwrap();
    let error = open(root.path()).unwrap_err();
    assert!(error.what.ends_with("it holds notes.md") && error.exit_code() == 3, "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_only_within_the_folder() {
    use std::os::unix::fs::symlink;
    let outside = TempDir::new().unwrap();
    save(outside.path(), "secret/1.png", &grey(99, 1, 1));
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.png", &grey(1, 1, 1));
    symlink("1.png", root.path().join("a/2.png")).unwrap();
    symlink(outside.path().join("secret/1.png"), root.path().join("a/3.png")).unwrap();
    symlink(outside.path().join("secret"), root.path().join("b")).unwrap();
    let found = open(root.path()).unwrap();
    assert_eq!((pixels(&found.train), found.classes), (vec![1, 1], vec!["a".to_owned()]));
    symlink(outside.path(), root.path().join("train")).unwrap();
    assert_eq!(open(root.path()).unwrap().classes, ["a"], "split folders are checked too");
    assert_eq!(found.notes[0], "2 links that point outside the folder were not followed");
}

#[cfg(unix)]
#[test]
fn names_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let root = TempDir::new().unwrap();
    let class = root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&class).unwrap();
    grey(3, 1, 1)
        .save_with_format(class.join(std::ffi::OsStr::from_bytes(b"\xff.png")), image::ImageFormat::Png)
        .unwrap();
    let found = open(root.path()).unwrap();
    assert_eq!((pixels(&found.train), found.classes), (vec![3], vec!["caf\u{fffd}".to_owned()]));
}

#[test]
fn folders_without_a_readable_picture_are_named_as_classes_that_vanish() {
    let root = TempDir::new().unwrap();
    for name in ["cat/1.png", "owl/1.png"] {
        save(root.path(), name, &grey(1, 1, 1));
    }
    fs::create_dir(root.path().join("dog")).unwrap();
    fs::write(root.path().join("dog/1.heic"), "x").unwrap();
    let found = open(root.path()).unwrap();
    assert_eq!(found.classes, ["cat", "owl"]);
    assert!(found.notes[0].contains("make no class: `dog` (1 file: .heic)"), "{:?}", found.notes);
}

#[test]
fn pictures_of_every_format_are_read_whatever_they_are_called() {
    let root = TempDir::new().unwrap();
    for (name, level) in [("a/1.png", 1), ("a/2.bmp", 2), ("b/3.webp", 3), ("b/4.gif", 4), ("c/5.tiff", 5)] {
        save(root.path(), name, &colour(level));
    }
    fs::rename(root.path().join("b/3.webp"), root.path().join("b/3.jpg")).unwrap();
    let found = open(root.path()).unwrap();
    assert_eq!((found.train.len(), found.classes.len()), (5, 3));
}

#[test]
fn what_is_transparent_shows_white_paper_and_is_said() {
    let root = TempDir::new().unwrap();
    let clear = |alpha| image::RgbaImage::from_pixel(2, 2, image::Rgba([0, 0, 0, alpha])).into();
    save(root.path(), "a/1.png", &clear(0));
    save(root.path(), "b/1.png", &clear(255));
    let found = open(root.path()).unwrap();
    assert_eq!(pixels(&found.train), [[255; 12], [0; 12]].concat());
    assert!(found.notes.iter().any(|note| note.contains("shown as white")), "{:?}", found.notes);
}

#[test]
fn sixteen_bits_become_numbers_from_0_to_1() {
    let root = TempDir::new().unwrap();
    let deep = |level: u16| image::ImageBuffer::<Luma<u16>, _>::from_pixel(2, 1, Luma([level])).into();
    save(root.path(), "a/1.png", &deep(0));
    save(root.path(), "b/1.png", &deep(u16::MAX));
    let found = open(root.path()).unwrap();
    assert_eq!(samples(&found.train).values(), &Values::Floats(vec![0.0, 0.0, 1.0, 1.0]));
}

#[test]
fn pixels_on_bright_ground_are_standardised_unless_told_otherwise() {
    let root = TempDir::new().unwrap();
    for (at, level) in [250, 240, 255, 230, 245, 235].into_iter().enumerate() {
        save(root.path(), &format!("{}/{at}.png", at % 2), &grey(level, 4, 4));
    }
    let load = |normalisation| {
        let source: crate::DataSource = root.path().display().to_string().parse().unwrap();
        source.load(&crate::Request { normalisation, ..Default::default() }).unwrap()
    };
    let usual = load(None);
    assert!(matches!(usual.normalisation, crate::Normalisation::Standard(_)));
    assert!(usual.notes.iter().any(|note| note.contains("the background is bright")), "{:?}", usual.notes);
    assert_eq!(load(Some(crate::Normalise::Unit)).normalisation, crate::Normalisation::Unit);
}

/// A folder's pictures, resident or decoded when read, are prepared exactly as each picture is as a file of
/// its own.
#[test]
fn pictures_in_a_folder_are_prepared_for_a_model_as_each_is_alone() {
    let root = TempDir::new().unwrap();
    let drawn = |x, y| if (3..6).contains(&x) && y > 1 { 200 } else { 10 };
    let saved = [("a.png", 7, 9, false), ("b.png", 9, 9, true), ("c.png", 20, 9, true)];
    for (name, width, height, inverted) in saved {
        let pixel = |x, y| Luma([if inverted { 255 - drawn(x, y) } else { drawn(x, y) }]);
        save(root.path(), name, &GrayImage::from_fn(width, height, pixel).into());
    }
    let shape = ImageShape { channels: 1, height: 9, width: 9 };
    for (cover, border, inverted) in [(false, 0.1, 2), (true, 0.1, 2), (true, 0.9, 0)] {
        let preparation = Preparation { cover, border, bright: 0.0, deep: false };
        let alone: Vec<u8> = saved
            .iter()
            .flat_map(|(name, ..)| {
                read_picture(&root.path().join(name), shape, Some(preparation)).unwrap().pixels
            })
            .collect();
        for memory in [1 << 20, 100] {
            let pictures = Some(Pictures { shape, preparation });
            let found =
                open_as(root.path(), &ReadOptions { pictures, memory, ..ReadOptions::default() }).unwrap();
            assert_eq!(pixels(&found.train), alone, "cover {cover}, border {border}");
            let notes = found.notes.join("; ");
            assert!(notes.contains("size: 2 of the pictures scaled to 9 x 9"), "{notes}");
            assert_eq!(notes.contains("inverted: "), inverted > 0, "{notes}");
            assert_eq!(notes.contains("inverted: 2 dark on bright"), inverted > 0 && memory > 100, "{notes}");
        }
    }
}

/// Returns a zip archive of the given files.
fn zip(files: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        archive.start_file(*name, options).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn png(level: u8) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    grey(level, 2, 1).write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

#[test]
fn folders_in_a_zip_archive_are_read_as_those_on_disk() {
    let root = TempDir::new().unwrap();
    let mut files: Vec<(&str, Vec<u8>)> = vec![
        ("set/train/b/1.png", png(3)),
        ("set/train/a/2.png", png(2)),
        ("set/train/a/1.PNG", png(1)),
        ("set/test/b/1.png", png(4)),
        ("set/train/a/notes.txt", b"x".to_vec()),
        ("set/train/a/.DS_Store", b"x".to_vec()),
        ("__MACOSX/set/train/a/._1.png", b"x".to_vec()),
        ("set/train/c/1.heic", b"x".to_vec()),
    ];
    for (name, bytes) in &files {
        let path = root.path().join("disk").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::remove_dir_all(root.path().join("disk/__MACOSX")).unwrap();
    let disk = open(&root.path().join("disk")).unwrap();
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let path = root.path().join("pictures.zip");
        fs::write(&path, zip(&files, method)).unwrap();
        let found = open(&path).unwrap();
        assert_eq!((&found.classes, &found.notes), (&disk.classes, &disk.notes));
        assert_eq!(samples(&found.train), samples(&disk.train));
        assert_eq!(pixels(&found.test.unwrap()), [4, 4]);
        let streamed = open_as(&path, &ReadOptions { memory: 4, ..ReadOptions::default() }).unwrap();
        assert!(matches!(streamed.train, LoadedSplit::Streamed(_)));
        assert_eq!(samples(&streamed.train), samples(&disk.train));
    }
    let notes = disk.notes.join("\n");
    assert!(notes.contains("make no class: `c` (1 file: .heic)"), "{notes}");
    assert!(notes.contains("left out: 2 files that are not pictures: `notes.txt`, `1.heic`"), "{notes}");
    assert!(notes.contains("test split: no pictures of `a`"), "{notes}");
    files.push(("set/train/a/3.png", b"no picture".to_vec()));
    fs::write(root.path().join("bad.zip"), zip(&files, zip::CompressionMethod::Stored)).unwrap();
    let error = open(&root.path().join("bad.zip")).unwrap_err();
    assert!(error.exit_code() == 3 && error.what.contains("`set/train/a/3.png` of bad.zip"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_that_lead_round_in_circles_are_not_followed() {
    let root = TempDir::new().unwrap();
    save(root.path(), "a/1.png", &grey(1, 1, 1));
    save(root.path(), "b/2.png", &grey(2, 1, 1));
    for link in ["a/back", "a/again", "b/back"] {
        std::os::unix::fs::symlink(root.path(), root.path().join(link)).unwrap();
    }
    let found = open(root.path()).unwrap();
    assert_eq!(found.train.len(), 2, "each picture once");
    assert!(found.notes.iter().any(|note| note.starts_with("3 circular links")), "{:?}", found.notes);
}

#[test]
fn what_lies_deeper_belongs_to_the_class_above_and_other_folders_are_named() {
    let root = TempDir::new().unwrap();
    for (name, level) in
        [("train/a/x/1.png", 1), ("train/b/2.png", 2), ("train/3.png", 3), ("extra/4.png", 4)]
    {
        save(root.path(), name, &grey(level, 1, 1));
    }
    let found = open(root.path()).unwrap();
    assert_eq!((&found.classes[..], pixels(&found.train)), (&["a".into(), "b".to_owned()][..], vec![1, 2]));
    let notes = found.notes.join("\n");
    assert!(notes.contains("left out: 1 picture outside the folders of splits: `4.png`"), "{notes}");
    assert!(notes.contains("left out: 1 picture outside the folders of classes: `3.png`"), "{notes}");
}

#[test]
fn a_zip_archive_of_images_is_opened_once() {
    let files = ["train/a/1.png", "train/a/2.png", "train/b/1.png"].map(|name| (name, png(7)));
    crate::testing::assert_opened_once(
        "s.zip",
        &zip(&files, zip::CompressionMethod::Deflated),
        &[1 << 20, 2],
    );
}
