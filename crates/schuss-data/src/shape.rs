//! Shapes of samples.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Shape of one image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Colour channels; 1 for greyscale.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// Returns the number of values per image: channels x height x width.
    pub fn features(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Shape of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shape {
    /// This many values without spatial order.
    Flat(usize),
    /// An image: channel by channel, row by row.
    Image(ImageShape),
}

impl From<ImageShape> for Shape {
    fn from(image: ImageShape) -> Self {
        Self::Image(image)
    }
}

impl From<usize> for Shape {
    fn from(features: usize) -> Self {
        Self::Flat(features)
    }
}

/// As `784 numbers` or `1 x 28 x 28 pixels`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flat(1) => f.write_str("1 number"),
            Self::Flat(features) => write!(f, "{features} numbers"),
            Self::Image(ImageShape { channels, height, width }) => {
                write!(f, "{channels} x {height} x {width} pixels")
            }
        }
    }
}

impl Shape {
    /// Returns the number of values per sample.
    pub fn features(&self) -> usize {
        match self {
            Self::Flat(features) => *features,
            Self::Image(shape) => shape.features(),
        }
    }

    /// Returns the number of values per sample, or `None` if it overflows.
    pub fn checked_features(&self) -> Option<usize> {
        match *self {
            Self::Flat(features) => Some(features),
            Self::Image(ImageShape { channels, height, width }) => {
                channels.checked_mul(height)?.checked_mul(width)
            }
        }
    }

    /// Returns the image shape, if it is one.
    pub fn image(&self) -> Option<ImageShape> {
        match self {
            Self::Flat(_) => None,
            Self::Image(shape) => Some(*shape),
        }
    }
}
