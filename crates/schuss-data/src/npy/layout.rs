//! How the dimensions of an array make samples.

use super::header::Header;
use super::kind::Kind;
use crate::planes::planes;
use crate::{ImageShape, Shape, Values};

/// Samples along the first dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) samples: u64,
    pub(crate) shape: Shape,
    /// Whether the channels of a pixel stand next to each other.
    interleaved: bool,
}

impl Layout {
    /// Bytes in three dimensions are grey pictures; four dimensions with 1 or 3 channels, first or last, are pictures;
    /// all else is so many numbers.
    pub(crate) fn new(header: &Header) -> Result<Self, String> {
        let size = |&size: &u64| usize::try_from(size).ok().filter(|&size| size > 0);
        let Some(sizes) = header.shape.iter().map(size).collect::<Option<Vec<_>>>() else {
            return Err(format!("holds no numbers: its shape is {:?}", header.shape));
        };
        let pixels = header.number.kind == Kind::U1;
        let (samples, shape, interleaved) = match sizes[..] {
            [] => return Err("holds a single number, not samples".into()),
            [samples, height, width] if pixels => (samples, image(1, height, width), false),
            [samples, channels @ (1 | 3), height, width] => (samples, image(channels, height, width), false),
            [samples, height, width, channels @ (1 | 3)] => {
                (samples, image(channels, height, width), channels > 1)
            }
            [samples, ref rest @ ..] => {
                let features = rest.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
                (samples, Shape::Flat(features.unwrap_or(usize::MAX)), false)
            }
        };
        Ok(Self { samples: samples as u64, shape, interleaved })
    }

    /// The numbers of whole samples, channel after channel.
    pub(super) fn arranged(&self, values: Values) -> Values {
        let Shape::Image(ImageShape { channels, .. }) = self.shape else { return values };
        if !self.interleaved {
            return values;
        }
        let features = self.shape.features();
        match values {
            Values::Bytes(bytes) => Values::Bytes(planes(&bytes, features, channels)),
            Values::Floats(floats) => Values::Floats(planes(&floats, features, channels)),
        }
    }
}

fn image(channels: usize, height: usize, width: usize) -> Shape {
    Shape::Image(ImageShape { channels, height, width })
}

/// Where the numbers of a sample stand in an array whose first index moves fastest, from its first number on.
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
