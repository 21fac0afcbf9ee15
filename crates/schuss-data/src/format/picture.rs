//! Single pictures: read from a file in the shape and polarity of the data a network was trained on, and written as
//! PNG.

use crate::file::OpenFile;
use crate::format::encoded::prepare;
use crate::{Error, ImageShape, Preparation, Result, Values};
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder};
use std::io::BufReader;
use std::path::Path;

/// Maximum side of a picture that is read, in pixels.
const MAX_SIDE: u32 = 8_192;

/// A picture in the requested shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Bytes, or numbers from 0 to 1: channel by channel, row by row.
    pub values: Values,
    /// One byte per channel, row and column, for display.
    pub pixels: Vec<u8>,
    /// Width and height in the file.
    pub original: (u32, u32),
    /// True if it was resized.
    pub resized: bool,
    /// True if it was inverted from dark on bright to bright on dark, like the digits of the data sets.
    pub inverted: bool,
}

/// Reads a picture as an image of `shape`, greyscale for one channel and RGB for three, prepared like the samples a
/// network was trained on.
///
/// A greyscale picture with a bright border is inverted for a network trained on dark ones: scans are dark on bright,
/// digits in data sets bright on dark. Without a preparation, as in model files of schuss 0.1, all pictures with a
/// bright border are inverted.
///
/// # Errors
/// A data error that names the file, or a usage error for a shape that no picture can have.
pub fn read_picture(path: &Path, shape: ImageShape, preparation: Option<Preparation>) -> Result<Picture> {
    let side = |pixels: usize| u32::try_from(pixels).ok().filter(|side| (1..=MAX_SIDE).contains(side));
    let (Some(width), Some(height), 1 | 3) = (side(shape.width), side(shape.height), shape.channels) else {
        let ImageShape { channels, height, width } = shape;
        let what =
            format!("a picture cannot be converted to {channels} channels of {height} x {width} pixels");
        return Err(Error::usage(what).at(path.display()));
    };
    let preparation = preparation.unwrap_or(Preparation::UNSAID);
    let decoded = decode(path)?;
    let original = (decoded.width(), decoded.height());
    let (fitted, inverted) = preparation.bring(decoded, shape);
    let (mut values, mut pixels) = (preparation.emptied(), Values::Bytes(vec![]));
    prepare::append(fitted.clone(), shape, &mut values);
    prepare::append(fitted, shape, &mut pixels);
    let Values::Bytes(pixels) = pixels else { return Err(Error::failure("pixels are bytes")) };
    Ok(Picture { values, pixels, original, resized: original != (width, height), inverted })
}

/// Encodes a picture as a PNG file; `pixels` are channel by channel, row by row: greyscale for one channel, RGB for
/// three.
///
/// # Errors
/// A failure for a shape that no picture can have, or if the number of pixels does not match it.
pub fn write_picture(pixels: &[u8], shape: ImageShape) -> Result<Vec<u8>> {
    let ImageShape { channels, height, width } = shape;
    let failure = |why: &dyn std::fmt::Display| {
        Error::failure(format!("{channels} channels of {height} x {width} pixels cannot be drawn: {why}"))
    };
    let (colour, interleaved) = match channels {
        1 => (ExtendedColorType::L8, pixels.to_vec()),
        3 if pixels.len() == shape.features() => {
            (ExtendedColorType::Rgb8, interleaved(pixels, height * width))
        }
        _ => return Err(failure(&"a picture has one channel or three")),
    };
    let [width, height] = [width, height].map(u32::try_from);
    let (Ok(width), Ok(height), true) = (width, height, interleaved.len() == shape.features()) else {
        return Err(failure(&"the sides do not fit"));
    };
    let mut file = Vec::new();
    let written = PngEncoder::new_with_quality(&mut file, CompressionType::Best, PngFilter::NoFilter)
        .write_image(&interleaved, width, height, colour);
    written.map_err(|error| failure(&error))?;
    Ok(file)
}

/// Converts planes of channels to interleaved pixels.
fn interleaved(planes: &[u8], plane: usize) -> Vec<u8> {
    (0..plane).flat_map(|pixel| planes.iter().skip(pixel).step_by(plane).copied()).collect()
}

fn decode(path: &Path) -> Result<DynamicImage> {
    let file = OpenFile::open(path)?;
    let refuse = |why: String| {
        Error::data(format!("{} {why}", file.name()))
            .at(file.place())
            .advise("save it as a PNG, JPEG, WebP, GIF, TIFF or BMP file")
    };
    let read = || prepare::decode(&mut BufReader::new(file.reader()), file.length()).map_err(refuse);
    crate::format::catch_panic::catch_panic(read, || {
        refuse("cannot be read as a picture: its decoder failed".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
    use tempfile::TempDir;

    const GREY: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

    fn saved(picture: impl Into<DynamicImage>) -> (TempDir, std::path::PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("three.png");
        picture.into().save(&path).unwrap();
        (folder, path)
    }

    /// Bright strokes of every brightness on black.
    fn stroke(x: u32, y: u32) -> u8 {
        if (8..20).contains(&x) && (4..24).contains(&y) { (x * y) as u8 } else { 0 }
    }

    #[test]
    fn a_grey_picture_that_fits_is_taken_as_it_is() {
        let picture = GrayImage::from_fn(28, 28, |x, y| Luma([stroke(x, y)]));
        let (_folder, path) = saved(picture.clone());
        let read = read_picture(&path, GREY, None).unwrap();
        assert_eq!((read.pixels, read.original), (picture.into_raw(), (28, 28)));
        assert!(!read.resized && !read.inverted);
    }

    #[test]
    fn dark_on_bright_is_inverted() {
        let picture = GrayImage::from_fn(28, 28, |x, y| Luma([255 - stroke(x, y)]));
        let (_folder, path) = saved(picture);
        let read = read_picture(&path, GREY, None).unwrap();
        assert!(read.inverted && !read.resized);
        assert!(read.pixels.iter().zip(0..).all(|(&pixel, at)| pixel == stroke(at % 28, at / 28)));
    }

    #[test]
    fn ink_on_transparent_paper_becomes_bright_on_dark() {
        let ink = |x, y| Rgba([0, 0, 0, if stroke(x, y) > 0 { 255 } else { 0 }]);
        let (_folder, path) = saved(RgbaImage::from_fn(28, 28, ink));
        let read = read_picture(&path, GREY, None).unwrap();
        assert!(read.inverted && read.pixels.contains(&255));
        assert_eq!(read.pixels[0], 0);
    }

    #[test]
    fn a_larger_picture_is_fitted_with_its_proportions_kept() {
        let (_folder, path) = saved(GrayImage::from_fn(100, 200, |x, _| Luma([if x == 0 { 0 } else { 90 }])));
        let read = read_picture(&path, GREY, None).unwrap();
        assert!(read.resized && !read.inverted && read.original == (100, 200));
        let row = &read.pixels[14 * 28..15 * 28];
        assert!(
            row[..7].iter().chain(&row[21..]).all(|&pixel| pixel == 0),
            "14 of 28 columns, centred: {row:?}"
        );
        assert!(row[8..21].iter().all(|&pixel| (80..=90).contains(&pixel)), "{row:?}");
    }

    #[test]
    fn colours_stand_plane_after_plane() {
        let (_folder, path) = saved(RgbImage::from_fn(2, 1, |x, _| Rgb([10, 20, 30 + x as u8])));
        let read = read_picture(&path, ImageShape { channels: 3, height: 1, width: 2 }, None).unwrap();
        assert_eq!(read.pixels, [10, 10, 20, 20, 30, 31]);
    }

    #[test]
    fn what_is_no_picture_is_a_data_error_that_names_the_file() {
        let folder = TempDir::new().unwrap();
        let (_kept, good) = saved(GrayImage::new(28, 28));
        let good = std::fs::read(good).unwrap();
        let mut wide = good.clone();
        wide[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        for bytes in [&b""[..], b"not a picture", &good[..good.len() / 2], &wide] {
            let path = folder.path().join("bad.png");
            std::fs::write(&path, bytes).unwrap();
            let error = read_picture(&path, GREY, None).unwrap_err();
            assert!(error.exit_code() == 3 && error.what.starts_with("bad.png "), "{error}");
        }
        assert_eq!(read_picture(folder.path(), GREY, None).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn a_picture_that_was_cut_short_is_refused_wherever_the_cut() {
        let (folder, good) = saved(GrayImage::new(28, 28));
        let good = std::fs::read(good).unwrap();
        let path = folder.path().join("cut.png");
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(
                read_picture(&path, GREY, None).is_err_and(|error| error.exit_code() == 3),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_shape_that_no_picture_has_is_a_usage_error() {
        let (_folder, path) = saved(GrayImage::new(2, 2));
        let error = read_picture(&path, ImageShape { channels: 2, height: 28, width: 28 }, None).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn only_models_of_bright_on_dark_have_dark_on_bright_inverted() {
        let (_folder, path) = saved(GrayImage::from_fn(28, 28, |x, y| Luma([255 - stroke(x, y)])));
        for (border, inverted) in [(0.1, true), (0.9, false)] {
            let preparation = Some(Preparation { cover: true, border, bright: 0.0, deep: false });
            assert_eq!(read_picture(&path, GREY, preparation).unwrap().inverted, inverted);
        }
    }

    #[test]
    fn pictures_of_every_kind_are_turned_and_put_on_white_paper() {
        let folder = TempDir::new().unwrap();
        let preparation = Some(Preparation { cover: true, border: 1.0, bright: 1.0, deep: false });
        let ink = |x: u32, y: u32| if stroke(x, y) > 0 { 255 } else { 0 };
        let seen: Vec<u8> = (0..28 * 28).map(|at| 255 - ink(at % 28, at / 28)).collect();
        let kinds: [(&str, DynamicImage); 4] = [
            ("a.png", RgbaImage::from_fn(28, 28, |x, y| Rgba([0, 0, 0, ink(x, y)])).into()),
            ("b.tiff", GrayImage::from_fn(28, 28, |x, y| Luma([255 - ink(x, y)])).into()),
            ("c.bmp", RgbImage::from_fn(28, 28, |x, y| Rgb([255 - ink(x, y); 3])).into()),
            ("d.webp", RgbaImage::from_fn(28, 28, |x, y| Rgba([0, 0, 0, ink(x, y)])).into()),
        ];
        for (name, picture) in kinds {
            picture.save(folder.path().join(name)).unwrap();
            let read = read_picture(&folder.path().join(name), GREY, preparation).unwrap();
            assert_eq!(read.pixels, seen, "{name}");
        }
    }

    #[test]
    fn nothing_is_inverted_for_a_model_that_saw_both_grounds() {
        let (_folder, path) =
            saved(GrayImage::from_fn(28, 28, |x, y| Luma([if stroke(x, y) > 0 { 9 } else { 240 }])));
        let inverted = |bright: f32| {
            let preparation = Some(Preparation { cover: true, border: 0.4, bright, deep: false });
            read_picture(&path, GREY, preparation).unwrap().inverted
        };
        assert!(inverted(0.0) && !inverted(0.3));
    }

    #[test]
    fn sixteen_bits_are_kept_where_training_had_them() {
        let (_folder, path) =
            saved(image::ImageBuffer::<Luma<u16>, _>::from_fn(28, 28, |x, _| Luma([30_000 + x as u16])));
        let preparation = Some(Preparation { cover: true, border: 1.0, bright: 1.0, deep: true });
        let Values::Floats(floats) = read_picture(&path, GREY, preparation).unwrap().values else { panic!() };
        assert!(floats.windows(2).take(27).all(|pair| pair[0] < pair[1]), "{floats:?}");
    }
}
