//! Shapes of samples.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Shape of one image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// Colour channels; 1 is grey.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// Numbers per image: channels x height x width.
    pub fn features(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Shape of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shape {
    /// So many numbers without order in space.
    Flat(usize),
    /// A picture: one channel after the other, each row by row.
    Image(ImageShape),
}

impl From<ImageShape> for Shape {
    fn from(image: ImageShape) -> Self {
        Self::Image(image)
    }
}

/// `784 numbers`, `1 x 28 x 28 pixels`.
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
    /// Numbers per sample.
    pub fn features(&self) -> usize {
        match self {
            Self::Flat(features) => *features,
            Self::Image(shape) => shape.features(),
        }
    }

    /// Numbers per sample, if so many can be counted.
    pub fn checked_features(&self) -> Option<usize> {
        match *self {
            Self::Flat(features) => Some(features),
            Self::Image(ImageShape { channels, height, width }) => {
                channels.checked_mul(height)?.checked_mul(width)
            }
        }
    }

    /// The picture, if it is one.
    pub fn image(&self) -> Option<ImageShape> {
        match self {
            Self::Flat(_) => None,
            Self::Image(shape) => Some(*shape),
        }
    }
}
