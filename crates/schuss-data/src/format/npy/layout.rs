//! Interpretation of an array's dimensions as samples.

use super::header::Header;
use super::kind::Dtype;
use crate::format::channels_first::channels_first;
use crate::format::encoded::prepare::on_white;
use crate::{ImageShape, Shape, Values};
use image::RgbaImage;

/// Samples along the first dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) samples: u64,
    pub(crate) shape: Shape,
    /// Storage of the channels of pixels.
    channels: Channels,
}

/// Storage of the channels of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channels {
    /// One channel after the other, or a single channel.
    Planes,
    /// The channels of each pixel next to each other.
    Interleaved,
    /// Interleaved red, green, blue and alpha.
    Transparent,
}

impl Layout {
    /// Interprets a shape: bytes in three dimensions are grey pictures; four dimensions with 1 or 3 channels,
    /// first or last, are pictures; bytes with 4 channels last are pictures with transparency, shown on
    /// white; all else is a flat vector of numbers.
    pub(crate) fn new(header: &Header) -> Result<Self, String> {
        let size = |&size: &u64| usize::try_from(size).ok().filter(|&size| size > 0);
        let Some(sizes) = header.shape.iter().map(size).collect::<Option<Vec<_>>>() else {
            return Err(format!("holds no numbers: its shape is {:?}", header.shape));
        };
        let pixels = header.number.kind == Dtype::U1;
        let (samples, shape, channels) = match sizes[..] {
            [] => return Err("holds a single number, not samples".into()),
            [samples, height, width] if pixels => (samples, image(1, height, width), Channels::Planes),
            [samples, channels @ (1 | 3), height, width] => {
                (samples, image(channels, height, width), Channels::Planes)
            }
            [samples, height, width, 1] => (samples, image(1, height, width), Channels::Planes),
            [samples, height, width, 3] => (samples, image(3, height, width), Channels::Interleaved),
            [samples, height, width, 4] if pixels => {
                (samples, image(3, height, width), Channels::Transparent)
            }
            [samples, ref rest @ ..] => {
                let features = rest.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
                (samples, Shape::Flat(features.unwrap_or(usize::MAX)), Channels::Planes)
            }
        };
        Ok(Self { samples: samples as u64, shape, channels })
    }

    /// Returns the numbers of whole samples, channel after channel.
    pub(super) fn arranged(&self, values: Values) -> Values {
        let Shape::Image(shape) = self.shape else { return values };
        let features = self.shape.features();
        match (self.channels, values) {
            (Channels::Planes, values) => values,
            (Channels::Transparent, Values::Bytes(bytes)) => {
                Values::Bytes(channels_first(&opaque(&bytes, shape), features, shape.channels))
            }
            (_, Values::Bytes(bytes)) => Values::Bytes(channels_first(&bytes, features, shape.channels)),
            (_, Values::Floats(floats)) => Values::Floats(channels_first(&floats, features, shape.channels)),
        }
    }

    /// Returns true if numbers are stored in the order of features.
    pub(super) fn is_in_order(&self) -> bool {
        self.channels == Channels::Planes
    }

    /// Returns true if its pictures have transparency.
    pub(crate) fn is_transparent(&self) -> bool {
        self.channels == Channels::Transparent
    }
}

/// Composites pictures with transparency on white.
fn opaque(bytes: &[u8], shape: ImageShape) -> Vec<u8> {
    let [width, height] = [shape.width, shape.height].map(|side| u32::try_from(side).unwrap_or(0));
    let picture = |bytes: &[u8]| {
        let picture = RgbaImage::from_raw(width, height, bytes.to_vec()).unwrap_or_default();
        on_white(&picture.into()).into_rgb8().into_raw()
    };
    let size = shape.height.saturating_mul(shape.width).saturating_mul(4).max(1);
    bytes.chunks(size).flat_map(picture).collect()
}

fn image(channels: usize, height: usize, width: usize) -> Shape {
    Shape::Image(ImageShape { channels, height, width })
}

/// Returns the offsets of a sample's numbers, from its first number on, in an array whose first index varies
/// fastest.
pub(super) fn fortran_offsets(shape: &[u64]) -> Vec<usize> {
    let mut offsets = vec![0];
    let mut stride = shape.first().map_or(1, |&samples| usize::try_from(samples).unwrap_or(usize::MAX));
    for &size in shape.iter().skip(1) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let steps = |offset: usize| (0..size).map(move |at| at.saturating_mul(stride).saturating_add(offset));
        offsets = offsets.into_iter().flat_map(steps).collect();
        stride = stride.saturating_mul(size);
    }
    offsets
}
