//! Samples as they are stored: one row of numbers each, and what is to be told of it.

use crate::{Error, ImageShape, Result};

/// Shape of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many numbers without order in space.
    Flat(usize),
    /// A picture.
    Image(ImageShape),
}

impl Shape {
    /// Numbers per sample.
    pub fn features(&self) -> usize {
        match self {
            Self::Flat(features) => *features,
            Self::Image(shape) => shape.features(),
        }
    }
}

/// Numbers, sample after sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels: 0..=255.
    Bytes(Vec<u8>),
    /// Anything else; always finite.
    Floats(Vec<f32>),
}

/// The numbers of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// Pixels: 0..=255.
    Bytes(&'a [u8]),
    /// Anything else.
    Floats(&'a [f32]),
}

/// What is to be told of samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The number of a class each.
    Class(Vec<u32>),
    /// `width` numbers each, sample after sample: what a regression is after, or for several labels at once 0 or 1.
    Real {
        /// `len * width` finite numbers.
        values: Vec<f32>,
        /// Numbers per sample.
        width: usize,
    },
    /// Nothing is known of so many samples.
    Absent(usize),
}

impl Values {
    /// Numbers in all.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Floats(floats) => floats.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes they take.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Floats(floats) => size_of_val(&floats[..]),
        }
    }
}

impl Labels {
    /// Samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Class(classes) => classes.len(),
            Self::Real { values, width } => values.len() / width.max(&1),
            Self::Absent(samples) => *samples,
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes they take.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Class(classes) => size_of_val(&classes[..]),
            Self::Real { values, .. } => size_of_val(&values[..]),
            Self::Absent(_) => 0,
        }
    }
}

/// Samples in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    values: Values,
    labels: Labels,
    features: usize,
}

impl Samples {
    /// Samples of `features` numbers each.
    ///
    /// # Errors
    /// If there are not `features` values for each label.
    pub fn new(values: Values, labels: Labels, features: usize) -> Result<Self> {
        if labels.len().checked_mul(features) != Some(values.len()) {
            return Err(Error::data(format!(
                "{} values do not make {} samples of {features}",
                values.len(),
                labels.len()
            )));
        }
        Ok(Self { values, labels, features })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers per sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// All numbers.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// What is to be told of them.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The numbers of sample `index`; of none beyond the last.
    pub fn row(&self, index: usize) -> Row<'_> {
        let place = index * self.features..(index + 1) * self.features;
        match &self.values {
            Values::Bytes(bytes) => Row::Bytes(bytes.get(place).unwrap_or(&[])),
            Values::Floats(floats) => Row::Floats(floats.get(place).unwrap_or(&[])),
        }
    }

    /// Numbers and labels, apart; a store that reads anew writes into their memory.
    pub fn into_parts(self) -> (Values, Labels) {
        (self.values, self.labels)
    }

    /// Bytes they take in memory.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + self.labels.bytes()
    }
}
