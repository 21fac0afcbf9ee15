//! Conversion of an encoded picture to pixels of a given shape, shared by training and prediction: oriented
//! by its EXIF data, and composited on white where it is transparent.

use super::Blob;
use super::whole::is_whole;
use crate::format::channels_first::channels_first;
use crate::text::bytes;
use crate::{ImageShape, Values};
use image::imageops;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgba, Rgba32FImage};

/// Longest side of a picture that is read, in pixels.
pub(crate) const MAX_SIDE: u32 = 16_384;
/// Memory limit for decoding a picture, in bytes.
const MAX_MEMORY: u64 = 256 << 20;
/// Memory limit for what precedes the pixels, such as a colour profile, in bytes.
const MAX_ABOUT: u64 = 4 << 20;
/// Size limit of a picture file, in bytes: a JPEG file is read as a whole.
const MAX_FILE: u64 = 64 << 20;

/// Header of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) grey: bool,
    /// True if there are more than 8 bits per channel.
    pub(crate) deep: bool,
    /// True if there may be transparent pixels.
    pub(crate) alpha: bool,
}

/// Reads the header of the picture in `blob`, of `length` bytes; width and height are those after
/// orientation.
pub(crate) fn header(blob: &mut dyn Blob, length: u64) -> Result<Header, String> {
    if length > MAX_FILE {
        return Err(format!("is a picture of {}, too large to be read at once", bytes(length)));
    }
    let reader = reader(blob, MAX_ABOUT)?;
    let format = reader.format();
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
    check_claim(&decoder, format, length)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err("is a picture without pixels".into());
    }
    let (width, height) =
        if lies_on_its_side(orientation(&mut decoder)) { (height, width) } else { (width, height) };
    let colour = decoder.color_type();
    let deep = colour.bytes_per_pixel() > colour.channel_count();
    Ok(Header { width, height, grey: !colour.has_color(), deep, alpha: colour.has_alpha() })
}

/// Decodes the picture in `blob`, of `length` bytes, correctly oriented.
pub(crate) fn decode(blob: &mut dyn Blob, length: u64) -> Result<DynamicImage, String> {
    check_end(blob)?;
    let reader = reader(blob, MAX_MEMORY)?;
    let format = reader.format();
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
    check_claim(&decoder, format, length)?;
    if decoder.total_bytes() > MAX_MEMORY {
        return Err("takes too much memory to decode".into());
    }
    let orientation = orientation(&mut decoder);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(&error))?;
    picture.apply_orientation(orientation);
    Ok(if picture.color().has_alpha() { on_white(&picture) } else { picture })
}

/// Returns the orientation; none if nothing readable states it.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn lies_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Rejects a picture whose header claims more pixels than its `length` bytes can hold.
fn check_claim(decoder: &impl ImageDecoder, format: Option<ImageFormat>, length: u64) -> Result<(), String> {
    let ((width, height), bits) = (decoder.dimensions(), decoder.original_color_type().bits_per_pixel());
    let pixels = u64::from(width).saturating_mul(height.into());
    if format.is_some_and(|format| pixels > most_pixels(format, bits.into(), length)) {
        return Err(format!("claims {width} x {height} pixels, far more than {length} bytes can hold"));
    }
    Ok(())
}

/// Returns the most pixels of `bits` bits each that a file of `length` bytes can hold. Deflate writes at
/// least one bit per 129 bytes (two bits per match of 258), the codes of JPEG at least one bit per block of
/// 64 pixels; other formats are bounded only by the memory for decoding.
fn most_pixels(format: ImageFormat, bits: u64, length: u64) -> u64 {
    match format {
        ImageFormat::Png => length.saturating_mul(1_032 * 8).checked_div(bits).unwrap_or(0),
        ImageFormat::Jpeg => length.saturating_mul(64 * 8),
        _ => u64::MAX,
    }
}

fn reader(blob: &mut dyn Blob, memory: u64) -> Result<ImageReader<&mut dyn Blob>, String> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(memory);
    let mut reader = ImageReader::new(blob).with_guessed_format().map_err(|error| unreadable(&error))?;
    reader.limits(limits);
    Ok(reader)
}

/// Rejects a picture that lacks its end marker.
pub(super) fn check_end(blob: &mut dyn Blob) -> Result<(), String> {
    match is_whole(blob) {
        Ok(true) => Ok(()),
        Ok(false) => Err("is a truncated picture: its end marker is missing".into()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> String {
    format!("cannot be read as a picture: {error}")
}

/// Composites transparent pixels on white; grey stays grey, and 16 bits stay 16.
pub(crate) fn on_white(picture: &DynamicImage) -> DynamicImage {
    let mut paper = Rgba32FImage::from_pixel(picture.width(), picture.height(), Rgba([1.0; 4]));
    imageops::overlay(&mut paper, &picture.to_rgba32f(), 0, 0);
    let paper = DynamicImage::ImageRgba32F(paper);
    match picture.color() {
        ColorType::La8 => paper.into_luma8().into(),
        ColorType::La16 => paper.into_luma16().into(),
        ColorType::Rgba16 => paper.into_rgb16().into(),
        _ => paper.into_rgb8().into(),
    }
}

/// Appends the pixels of a picture, channel after channel: bytes, or numbers from 0 to 1 if `into` holds
/// floats.
pub(crate) fn append(picture: DynamicImage, shape: ImageShape, into: &mut Values) {
    let (features, channels) = (shape.features(), shape.channels);
    match (into, channels) {
        (Values::Bytes(into), 1) => into.extend(picture.into_luma8().into_raw()),
        (Values::Bytes(into), _) => into.extend(channels_first(&picture.into_rgb8(), features, channels)),
        (Values::Floats(into), 1) => into.extend(picture.into_luma16().into_raw().iter().map(|&x| share(x))),
        (Values::Floats(into), _) => {
            into.extend(channels_first(&picture.into_rgb16(), features, channels).iter().map(|&x| share(x)));
        }
    }
}

/// Scales a pixel to 0 to 1, by the largest value.
fn share(pixel: u16) -> f32 {
    f32::from(pixel) / f32::from(u16::MAX)
}
