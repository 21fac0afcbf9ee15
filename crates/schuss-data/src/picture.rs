//! One picture from a PNG file, brought to the shape and the ink of the data a network was trained on.

use crate::{Error, ImageShape, Result, encoded, file};
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::imageops::{self, FilterType};
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits,
    RgbImage, Rgba, RgbaImage,
};
use std::io::BufReader;
use std::path::Path;

/// Longest side of a picture that is read, in pixels.
const MAX_SIDE: u32 = 8_192;
/// Most memory that decoding may take: 256 MiB, a picture of the longest sides in colour with alpha.
const MAX_MEMORY: u64 = 256 << 20;

/// A picture in the shape that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// One byte per channel, row and column: channel after channel, row after row.
    pub pixels: Vec<u8>,
    /// Width and height in the file.
    pub original: (u32, u32),
    /// Whether it was scaled to fit; its proportions are kept and the rest is black.
    pub resized: bool,
    /// Whether dark on bright was turned into bright on dark, the way the digits of the data sets are.
    pub inverted: bool,
}

/// Reads a PNG file as an image of `shape`, grey for one channel and red, green, blue for three.
///
/// A grey picture with a bright border is inverted: scans are dark on bright, data sets bright on dark.
///
/// # Errors
/// A data error that names the file, or a usage error for a shape that no picture has.
pub fn read_picture(path: &Path, shape: ImageShape) -> Result<Picture> {
    let side = |pixels: usize| u32::try_from(pixels).ok().filter(|side| (1..=MAX_SIDE).contains(side));
    let (Some(width), Some(height), 1 | 3) = (side(shape.width), side(shape.height), shape.channels) else {
        let ImageShape { channels, height, width } = shape;
        let what = format!("a picture cannot be made into {channels} channels of {height} x {width} numbers");
        return Err(Error::usage(what).at(path.display()));
    };
    let decoded = on_white(&decode(path)?);
    let original = decoded.dimensions();
    let mut picture = DynamicImage::ImageRgba8(decoded).to_rgb8();
    let inverted = shape.channels == 1 && border_is_bright(&picture);
    if inverted {
        imageops::invert(&mut picture);
    }
    let resized = original != (width, height);
    let fitted = if resized { fit(picture, width, height) } else { picture };
    Ok(Picture { pixels: planes(fitted, shape.channels), original, resized, inverted })
}

/// The PNG file of a picture: channel after channel, row after row; grey for one channel, red, green, blue for three.
///
/// # Errors
/// A failure for a shape that no picture has, or pixels that are not of it.
pub fn write_picture(pixels: &[u8], shape: ImageShape) -> Result<Vec<u8>> {
    let ImageShape { channels, height, width } = shape;
    let failure = |why: &dyn std::fmt::Display| {
        Error::failure(format!("{channels} channels of {height} x {width} numbers cannot be drawn: {why}"))
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

/// Pixel after pixel.
fn interleaved(planes: &[u8], plane: usize) -> Vec<u8> {
    (0..plane).flat_map(|pixel| planes.iter().skip(pixel).step_by(plane).copied()).collect()
}

fn decode(path: &Path) -> Result<RgbaImage> {
    let (file, length) = file::open(path)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let refuse = |why: &dyn std::fmt::Display| {
        Error::data(format!("{} cannot be read as a PNG picture: {why}", file::name(path)))
            .at(file::place(path, length))
            .advise("save it as a PNG file")
    };
    let mut file = BufReader::new(file);
    if !encoded::is_whole(&mut file).map_err(|error| refuse(&error))? {
        return Err(refuse(&"it was cut short"));
    }
    let mut reader = ImageReader::with_format(file, ImageFormat::Png);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| refuse(&error))?;
    encoded::check_claim(&decoder, Some(ImageFormat::Png), length).map_err(|claim| refuse(&claim))?;
    if decoder.total_bytes() > MAX_MEMORY {
        return Err(refuse(&"it takes more memory than any picture may"));
    }
    Ok(DynamicImage::from_decoder(decoder).map_err(|error| refuse(&error))?.into_rgba8())
}

/// What is transparent shows white paper.
fn on_white(picture: &RgbaImage) -> RgbaImage {
    let mut paper = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([255; 4]));
    imageops::overlay(&mut paper, picture, 0, 0);
    paper
}

fn border_is_bright(picture: &RgbImage) -> bool {
    let (right, bottom) = (picture.width() - 1, picture.height() - 1);
    let (mut sum, mut count) = (0_u64, 0_u64);
    for (x, y, pixel) in picture.enumerate_pixels() {
        if x == 0 || y == 0 || x == right || y == bottom {
            sum += pixel.0.iter().map(|&channel| u64::from(channel)).sum::<u64>();
            count += 3;
        }
    }
    sum > 127 * count
}

/// Scales a picture as large as fits, its proportions kept, onto the middle of a black one.
fn fit(picture: RgbImage, width: u32, height: u32) -> RgbImage {
    let scaled = DynamicImage::ImageRgb8(picture).resize(width, height, FilterType::Triangle).into_rgb8();
    let mut canvas = RgbImage::new(width, height);
    let middle = |outer: u32, inner: u32| i64::from((outer - inner.min(outer)) / 2);
    let (x, y) = (middle(width, scaled.width()), middle(height, scaled.height()));
    imageops::overlay(&mut canvas, &scaled, x, y);
    canvas
}

/// Channel after channel, as a network reads them.
fn planes(picture: RgbImage, channels: usize) -> Vec<u8> {
    if channels == 1 {
        let grey: GrayImage = DynamicImage::ImageRgb8(picture).into_luma8();
        return grey.into_raw();
    }
    (0..channels).flat_map(|channel| picture.pixels().map(move |pixel| pixel.0[channel])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};
    use tempfile::TempDir;

    const GREY: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

    fn saved(picture: impl Into<DynamicImage>) -> (TempDir, std::path::PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("three.png");
        picture.into().save(&path).unwrap();
        (folder, path)
    }

    /// Bright strokes of all brightnesses on black.
    fn stroke(x: u32, y: u32) -> u8 {
        if (8..20).contains(&x) && (4..24).contains(&y) { (x * y) as u8 } else { 0 }
    }

    #[test]
    fn a_grey_picture_that_fits_is_taken_as_it_is() {
        let picture = GrayImage::from_fn(28, 28, |x, y| Luma([stroke(x, y)]));
        let (_folder, path) = saved(picture.clone());
        let read = read_picture(&path, GREY).unwrap();
        let expected =
            Picture { pixels: picture.into_raw(), original: (28, 28), resized: false, inverted: false };
        assert_eq!(read, expected);
    }

    #[test]
    fn dark_on_bright_is_inverted() {
        let picture = GrayImage::from_fn(28, 28, |x, y| Luma([255 - stroke(x, y)]));
        let (_folder, path) = saved(picture);
        let read = read_picture(&path, GREY).unwrap();
        assert!(read.inverted && !read.resized);
        assert!(read.pixels.iter().zip(0..).all(|(&pixel, at)| pixel == stroke(at % 28, at / 28)));
    }

    #[test]
    fn ink_on_transparent_paper_becomes_bright_on_dark() {
        let ink = |x, y| Rgba([0, 0, 0, if stroke(x, y) > 0 { 255 } else { 0 }]);
        let (_folder, path) = saved(RgbaImage::from_fn(28, 28, ink));
        let read = read_picture(&path, GREY).unwrap();
        assert!(read.inverted && read.pixels.contains(&255));
        assert_eq!(read.pixels[0], 0);
    }

    #[test]
    fn a_larger_picture_is_fitted_with_its_proportions_kept() {
        let (_folder, path) = saved(GrayImage::from_fn(100, 200, |x, _| Luma([if x == 0 { 0 } else { 90 }])));
        let read = read_picture(&path, GREY).unwrap();
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
        let read = read_picture(&path, ImageShape { channels: 3, height: 1, width: 2 }).unwrap();
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
            let error = read_picture(&path, GREY).unwrap_err();
            assert!(error.exit_code() == 3 && error.what.starts_with("bad.png cannot be read"), "{error}");
        }
        assert_eq!(read_picture(folder.path(), GREY).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn a_picture_that_was_cut_short_is_refused_wherever_the_cut() {
        let (folder, good) = saved(GrayImage::new(28, 28));
        let good = std::fs::read(good).unwrap();
        let path = folder.path().join("cut.png");
        for length in 0..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            assert!(read_picture(&path, GREY).is_err_and(|error| error.exit_code() == 3), "{length} bytes");
        }
    }

    #[test]
    fn a_shape_that_no_picture_has_is_a_usage_error() {
        let (_folder, path) = saved(GrayImage::new(2, 2));
        let error = read_picture(&path, ImageShape { channels: 2, height: 28, width: 28 }).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
