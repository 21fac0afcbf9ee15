//! Conversion of pictures to samples, the same in training and in prediction, whatever files they come from.

use crate::format::encoded::prepare::MAX_SIDE;
use crate::{Dataset, ImageShape, Result, Values};
use image::imageops::{self, FilterType};
use image::{DynamicImage, RgbImage};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Maximum number of samples for measuring the brightness of borders.
const MEASURED: u64 = 1_024;
/// Maximum number of values read at a time for it.
const AT_ONCE: usize = 1 << 20;

/// Conversion of a picture to a sample like those a network was trained on; saved in its model file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// True if a picture is scaled to cover the shape and cropped, as pictures in folders are; else it is scaled to
    /// fit, on black.
    pub cover: bool,
    /// Mean brightness of the borders of training samples, from 0 to 1.
    pub border: f32,
    /// Fraction of training samples with a bright border; 0 if it was not measured.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bright: f32,
    /// True if samples are numbers from 0 to 1 rather than bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deep: bool,
}

impl Preparation {
    /// Preparation of model files of schuss 0.1, which do not record it.
    pub const UNSAID: Self = Self { cover: false, border: 0.0, bright: 0.0, deep: false };

    /// Returns the preparation of training pictures: all cover the shape, and none is inverted.
    pub(crate) const fn to_train_on(deep: bool) -> Self {
        Self { cover: true, border: 1.0, bright: 1.0, deep }
    }

    /// Measures the preparation of a data set on some of its training samples; `None` unless these are pixels.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub(crate) fn of(data: &Dataset) -> Result<Option<Self>> {
        let Some(shape) = data.shape.image() else { return Ok(None) };
        let count = data.train.len() as u64;
        let step = count.div_ceil(MEASURED).max(1);
        let indices: Vec<u64> = (0..count).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect();
        let (mut borders, mut deep) = (Vec::new(), false);
        for together in indices.chunks((AT_ONCE / shape.features().max(1)).max(1)) {
            let read = data.train.read(together)?;
            deep = matches!(read.values(), Values::Floats(_));
            let Some(numbers) = from_0_to_1(read.values()) else { return Ok(None) };
            borders.extend(numbers.chunks(shape.features().max(1)).map(|one| mean_border(one, shape)));
        }
        let mean = |sum: f64| (sum / borders.len().max(1) as f64) as f32;
        let border = mean(borders.iter().sum());
        let bright = mean(borders.iter().filter(|border| **border > 0.5).count() as f64);
        Ok(Some(Self { cover: data.pictures, border, bright, deep }))
    }

    /// Converts a picture to be like the training samples: inverts it if it is dark on bright and none of them was, and
    /// fits it to the shape. Also returns whether it was inverted.
    pub(crate) fn bring(self, mut picture: DynamicImage, shape: ImageShape) -> (DynamicImage, bool) {
        let inverted = shape.channels == 1 && self.inverts() && border_is_bright(&picture.to_rgb8());
        if inverted {
            picture.invert();
        }
        let [width, height] = [shape.width, shape.height].map(|side| u32::try_from(side).unwrap_or(MAX_SIDE));
        let brought = match self.cover {
            _ if (picture.width(), picture.height()) == (width, height) => picture,
            true => picture.resize_to_fill(width, height, FilterType::Triangle),
            false => fit(&picture, width, height),
        };
        (brought, inverted)
    }

    /// Returns empty values of the right kind.
    pub(crate) fn emptied(self) -> Values {
        if self.deep { Values::Floats(Vec::new()) } else { Values::Bytes(Vec::new()) }
    }

    /// Returns true if a picture with a bright border is inverted: no training sample had one.
    pub(crate) fn inverts(self) -> bool {
        !self.is_bright() && self.bright == 0.0
    }

    /// Returns true if training samples were dark on bright.
    pub(crate) fn is_bright(self) -> bool {
        self.border >= 0.5
    }
}

fn is_zero(share: &f32) -> bool {
    *share == 0.0
}

/// Returns pixels scaled to 0 to 1; `None` if the values are other numbers.
fn from_0_to_1(values: &Values) -> Option<Cow<'_, [f32]>> {
    match values {
        Values::Bytes(bytes) => Some(bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()),
        Values::Floats(floats) => {
            floats.iter().all(|float| (0.0..=1.0).contains(float)).then_some(Cow::Borrowed(floats))
        }
    }
}

/// Returns the mean of the first and last rows and columns of an image, over its channels.
fn mean_border(numbers: &[f32], shape: ImageShape) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for (at, &number) in numbers.iter().enumerate() {
        let (x, y) = (at % shape.width, at / shape.width % shape.height);
        if x == 0 || y == 0 || x + 1 == shape.width || y + 1 == shape.height {
            (sum, count) = (sum + f64::from(number), count + 1);
        }
    }
    sum / f64::from(count.max(1))
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

/// Scales a picture to fit, keeping its proportions, centred on black.
fn fit(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let scaled = picture.resize(width, height, FilterType::Triangle);
    let mut canvas = DynamicImage::new(width, height, picture.color());
    let middle = |outer: u32, inner: u32| i64::from((outer - inner.min(outer)) / 2);
    let (x, y) = (middle(width, scaled.width()), middle(height, scaled.height()));
    imageops::overlay(&mut canvas, &scaled, x, y);
    canvas
}
