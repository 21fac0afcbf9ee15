//! What one encoded sample looks like by its header, what all of them are brought to, and how.

use super::Blob;
use super::whole::{PNG, is_whole};
use crate::npy::{Array, Header, MAGIC};
use crate::planes::planes;
use crate::table::Origin;
use crate::text::bytes;
use crate::{ImageShape, Result, Shape, Values};
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// Longest side of a picture that is read, in pixels.
const MAX_SIDE: u32 = 16_384;
/// Most memory that decoding a picture may take.
const MAX_MEMORY: u64 = 256 << 20;
/// Most memory for what stands before the pixels, such as a colour profile.
const MAX_ABOUT: u64 = 4 << 20;
/// No file of a picture is larger: a JPEG file is read as a whole.
const MAX_FILE: u64 = 64 << 20;
/// Sides that pictures are brought to.
pub(super) const SIZES: std::ops::RangeInclusive<usize> = 1..=4_096;

/// What the header of one sample says.
#[derive(Clone, Debug)]
pub(super) enum Look {
    Picture { width: u32, height: u32, grey: bool },
    Array(Header),
}

/// What all samples are brought to.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Pictures of one shape; those of another size are scaled until they cover it, and cut around the middle.
    Pictures(ImageShape),
    /// Arrays, each like the first.
    Arrays(Array),
}

/// Which sample does not fit, why, and what to do.
type Misfit = (usize, String, String);

impl Look {
    pub(super) fn take(blob: &mut dyn Blob, length: u64) -> std::result::Result<Self, String> {
        if blob.fill_buf().is_ok_and(|start| start.starts_with(MAGIC)) {
            return Header::read(&mut &mut *blob, length).map(Self::Array);
        }
        // To look at a PNG file takes no more than its header; a JPEG file is read to its end either way.
        if blob.fill_buf().is_ok_and(|start| !start.starts_with(PNG)) {
            check_end(blob)?;
        }
        if length > MAX_FILE {
            return Err(format!("is a picture of {}, too large to be read at once", bytes(length)));
        }
        let reader = reader(blob, MAX_ABOUT)?;
        let format = reader.format();
        let decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err("is a picture without pixels".into());
        }
        check_claim(&decoder, format, length)?;
        Ok(Self::Picture { width, height, grey: !decoder.color_type().has_color() })
    }
}

fn reader(blob: &mut dyn Blob, memory: u64) -> std::result::Result<ImageReader<&mut dyn Blob>, String> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(memory);
    let mut reader = ImageReader::new(blob).with_guessed_format().map_err(|error| unreadable(&error))?;
    reader.limits(limits);
    Ok(reader)
}

/// Refuses a picture whose header claims more pixels than its `length` bytes can hold.
pub(crate) fn check_claim(
    decoder: &impl ImageDecoder,
    format: Option<ImageFormat>,
    length: u64,
) -> std::result::Result<(), String> {
    let ((width, height), bits) = (decoder.dimensions(), decoder.original_color_type().bits_per_pixel());
    let pixels = u64::from(width).saturating_mul(height.into());
    if format.is_some_and(|format| pixels > most_pixels(format, bits.into(), length)) {
        return Err(format!("claims {width} x {height} pixels, far more than {length} bytes can hold"));
    }
    Ok(())
}

/// Most pixels of so many bits that a file of `length` bytes can hold. Deflate writes at least one bit per 129 bytes (two
/// bits per match of 258), the codes of JPEG at least one bit per block of 64 pixels; others are bounded by the memory for
/// decoding alone.
fn most_pixels(format: ImageFormat, bits: u64, length: u64) -> u64 {
    match format {
        ImageFormat::Png => length.saturating_mul(1_032 * 8).checked_div(bits).unwrap_or(0),
        ImageFormat::Jpeg => length.saturating_mul(64 * 8),
        _ => u64::MAX,
    }
}

fn check_end(blob: &mut dyn Blob) -> std::result::Result<(), String> {
    match is_whole(blob) {
        Ok(true) => Ok(()),
        Ok(false) => Err("is a picture that was cut short: it lacks the mark of its end".into()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> String {
    format!("cannot be read as a picture: {error}")
}

impl Form {
    /// Grey pictures only if all are grey; their own size only if all have the same.
    pub(super) fn of(looks: &[&Look], size: Option<usize>) -> std::result::Result<Self, Misfit> {
        match looks.first() {
            None => Err((0, "there is no sample to look at".into(), "check the folder".into())),
            Some(Look::Array(header)) => Self::arrays(header, looks),
            Some(&&Look::Picture { width, height, .. }) => Self::pictures(width, height, looks, size),
        }
    }

    fn pictures(
        width: u32,
        height: u32,
        looks: &[&Look],
        size: Option<usize>,
    ) -> std::result::Result<Self, Misfit> {
        let mut all_grey = true;
        for (at, look) in looks.iter().enumerate() {
            let Look::Picture { width: other_width, height: other_height, grey } = look else {
                return Err((at, "is an array, where others are pictures".into(), "keep them apart".into()));
            };
            all_grey &= grey;
            if size.is_none() && (*other_width, *other_height) != (width, height) {
                let what = format!(
                    "has {other_width} x {other_height} pixels, but the first picture {width} x {height}"
                );
                return Err((at, what, "--size 64 brings all to 64 x 64 pixels".into()));
            }
        }
        let side = |own: u32| size.unwrap_or(own as usize);
        let channels = if all_grey { 1 } else { 3 };
        Ok(Self::Pictures(ImageShape { channels, height: side(height), width: side(width) }))
    }

    fn arrays(first: &Header, looks: &[&Look]) -> std::result::Result<Self, Misfit> {
        let same = |look: &&Look| matches!(look, Look::Array(header) if header.shape == first.shape && header.number == first.number);
        if let Some(at) = looks.iter().position(|look| !same(look)) {
            let what =
                format!("is not an array of {:?} like the first, of the same kind of numbers", first.shape);
            return Err((at, what, "save all samples alike".into()));
        }
        let array =
            Array::of_one_sample(first.clone()).map_err(|what| (0, what, "save it as numbers".into()))?;
        Ok(Self::Arrays(array))
    }

    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Pictures(shape) => Shape::Image(*shape),
            Self::Arrays(array) => array.layout.shape,
        }
    }

    /// Bytes that `samples` take in memory.
    pub(super) fn memory(&self, samples: usize) -> u64 {
        let each = match self {
            Self::Pictures(shape) => shape.features() as u64,
            Self::Arrays(array) => array.memory(),
        };
        each.saturating_mul(samples as u64)
    }

    /// No samples yet.
    pub(super) fn emptied(&self) -> Values {
        match self {
            Self::Pictures(_) => Values::Bytes(Vec::new()),
            Self::Arrays(array) => array.emptied(),
        }
    }

    /// Adds a sample.
    pub(super) fn decode(
        &self,
        blob: &mut dyn Blob,
        length: u64,
        origin: &Origin,
        into: &mut Values,
    ) -> Result<()> {
        match (self, into) {
            (Self::Pictures(shape), Values::Bytes(into)) => {
                let decoded = check_end(blob)
                    .and_then(|()| reader(blob, MAX_MEMORY))
                    .and_then(|reader| reader.decode().map_err(|error| unreadable(&error)));
                into.extend(fitted(decoded.map_err(|what| origin.refuse(what))?, *shape));
                Ok(())
            }
            (Self::Arrays(array), into) => {
                let header = Header::read(&mut &mut *blob, length).map_err(|what| origin.refuse(what))?;
                let own = Array::of_one_sample(header).map_err(|what| origin.refuse(what))?;
                if own.layout != array.layout || own.header.number != array.header.number {
                    return Err(origin.refuse("has changed since it was looked at"));
                }
                own.append(&mut &mut *blob, origin, into)
            }
            _ => Ok(()),
        }
    }
}

/// The pixels, channel after channel.
fn fitted(picture: DynamicImage, shape: ImageShape) -> Vec<u8> {
    let [width, height] = [shape.width, shape.height].map(|side| u32::try_from(side).unwrap_or(MAX_SIDE));
    let fits = (picture.width(), picture.height()) == (width, height);
    let picture = if fits { picture } else { picture.resize_to_fill(width, height, FilterType::Triangle) };
    match shape.channels {
        1 => picture.into_luma8().into_raw(),
        channels => planes(&picture.into_rgb8(), shape.features(), channels),
    }
}
