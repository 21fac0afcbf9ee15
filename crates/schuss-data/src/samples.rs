//! Samples as stored: one row of features each, with its target.

use crate::{Error, Result};

/// Feature values, sample by sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Pixels: 0..=255.
    Bytes(Vec<u8>),
    /// Anything else; finite, except for NaN in [`Loaded`](crate::reader::Loaded) where a table lacks a number.
    Floats(Vec<f32>),
}

/// Feature values of one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Row<'a> {
    /// Pixels: 0..=255.
    Bytes(&'a [u8]),
    /// Anything else.
    Floats(&'a [f32]),
}

/// Targets of samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Class index of each sample.
    Class(Vec<u32>),
    /// `width` numbers per sample, sample by sample: regression targets, or 0 or 1 for multi-label targets.
    Real {
        /// `len * width` finite numbers.
        values: Vec<f32>,
        /// Number of values per sample.
        width: usize,
    },
    /// No labels, for this many samples.
    Absent(usize),
}

impl Values {
    /// Returns the total number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Floats(floats) => floats.len(),
        }
    }

    /// Returns true if it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all pixels; empty if the values are not pixels.
    pub fn pixels(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Floats(_) => &[],
        }
    }

    /// Returns their size in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Floats(floats) => size_of_val(&floats[..]),
        }
    }

    /// Returns the buffer to refill with bytes; a new one if it held floats.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Floats(_) => Vec::new(),
        }
    }

    /// Returns the buffer to refill with floats; a new one if it held bytes.
    pub fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Bytes(_) => Vec::new(),
            Self::Floats(floats) => floats,
        }
    }
}

impl Labels {
    /// Returns the class of sample `index`, if it has one.
    pub fn class(&self, index: usize) -> Option<u32> {
        match self {
            Self::Class(classes) => classes.get(index).copied(),
            Self::Real { .. } | Self::Absent(_) => None,
        }
    }

    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Class(classes) => classes.len(),
            Self::Real { values, width } => values.len() / width.max(&1),
            Self::Absent(samples) => *samples,
        }
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns their size in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Class(classes) => size_of_val(&classes[..]),
            Self::Real { values, .. } => size_of_val(&values[..]),
            Self::Absent(_) => 0,
        }
    }

    /// Returns the buffer to refill with classes; a new one if it held anything else.
    pub fn into_classes(self) -> Vec<u32> {
        match self {
            Self::Class(classes) => classes,
            Self::Real { .. } | Self::Absent(_) => Vec::new(),
        }
    }

    /// Returns the buffer to refill with real numbers; a new one if it held anything else.
    pub fn into_reals(self) -> Vec<f32> {
        match self {
            Self::Real { values, .. } => values,
            Self::Class(_) | Self::Absent(_) => Vec::new(),
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

/// No samples.
impl Default for Samples {
    fn default() -> Self {
        Self { values: Values::Bytes(vec![]), labels: Labels::Absent(0), features: 0 }
    }
}

impl Samples {
    /// Creates samples of `features` values each.
    ///
    /// # Errors
    /// If there are not `features` values for each label.
    pub fn new(values: Values, labels: Labels, features: usize) -> Result<Self> {
        if labels.len().checked_mul(features) != Some(values.len()) {
            return Err(Error::data(format!(
                "{} values do not make {} samples of {features} features",
                values.len(),
                labels.len()
            )));
        }
        Ok(Self { values, labels, features })
    }

    /// Creates images with classes from `classes.len() * features` bytes, image by image.
    ///
    /// # Errors
    /// If the two counts disagree.
    pub fn images(pixels: Vec<u8>, classes: Vec<u32>, features: usize) -> Result<Self> {
        Self::new(Values::Bytes(pixels), Labels::Class(classes), features)
    }

    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of values per sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns all feature values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Returns the targets.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Returns values and labels, so that a [`Store`](crate::Store) can reuse their memory.
    pub fn into_parts(self) -> (Values, Labels) {
        (self.values, self.labels)
    }

    /// Makes room for `rows` samples of the kind of `like`, reusing the memory; their contents are unspecified.
    #[cfg(feature = "parquet")]
    pub(crate) fn make_room(&mut self, like: &Self, rows: usize) -> Result<()> {
        like.copy_to(&[], self)?; // kinds and widths
        match &mut self.values {
            Values::Bytes(bytes) => bytes.resize(rows * self.features, 0),
            Values::Floats(floats) => floats.resize(rows * self.features, 0.0),
        }
        match &mut self.labels {
            Labels::Class(classes) => classes.resize(rows, 0),
            Labels::Real { values, width } => values.resize(rows * *width, 0.0),
            Labels::Absent(count) => *count = rows,
        }
        Ok(())
    }

    /// Overwrites sample `row` with sample `index` of `other`.
    ///
    /// # Errors
    /// If either does not exist, or if values or labels differ in kind or width.
    #[cfg(feature = "parquet")]
    pub(crate) fn set(&mut self, row: usize, other: &Self, index: usize) -> Result<()> {
        let there = self.features == other.features && row < self.len() && index < other.len();
        match (&mut self.values, other.row(index)) {
            (Values::Bytes(to), Row::Bytes(from)) if there => put(to, row, from),
            (Values::Floats(to), Row::Floats(from)) if there => put(to, row, from),
            _ => return Err(Error::data("samples of one data set differ in kind")),
        }
        match (&mut self.labels, &other.labels) {
            (Labels::Class(to), Labels::Class(from)) => to[row] = from[index],
            (Labels::Real { values, width }, Labels::Real { width: same, .. }) if width == same => {
                put(values, row, other.reals(index));
            }
            (Labels::Absent(_), Labels::Absent(_)) => {}
            _ => return Err(Error::data("labels of one data set differ in kind")),
        }
        Ok(())
    }

    /// Returns the features of sample `index`; empty beyond the last.
    pub fn row(&self, index: usize) -> Row<'_> {
        let place = index * self.features..(index + 1) * self.features;
        match &self.values {
            Values::Bytes(bytes) => Row::Bytes(bytes.get(place).unwrap_or(&[])),
            Values::Floats(floats) => Row::Floats(floats.get(place).unwrap_or(&[])),
        }
    }

    /// Returns the pixels of sample `index`; empty if its values are not pixels.
    pub fn pixels(&self, index: usize) -> &[u8] {
        match self.row(index) {
            Row::Bytes(bytes) => bytes,
            Row::Floats(_) => &[],
        }
    }

    /// Returns their size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + self.labels.bytes()
    }

    /// Returns the class of sample `index`, if samples have classes.
    pub fn class(&self, index: usize) -> Option<u32> {
        self.labels.class(index)
    }

    /// Returns the class of every sample; empty if samples have none.
    pub fn classes(&self) -> &[u32] {
        match &self.labels {
            Labels::Class(classes) => classes,
            Labels::Real { .. } | Labels::Absent(_) => &[],
        }
    }

    /// Returns the real-valued targets of sample `index`; empty if there are none.
    pub fn reals(&self, index: usize) -> &[f32] {
        match &self.labels {
            Labels::Real { values, width } => values.get(index * width..(index + 1) * width).unwrap_or(&[]),
            Labels::Class(_) | Labels::Absent(_) => &[],
        }
    }

    /// Returns copies of the samples at `indices`, in that order.
    ///
    /// # Errors
    /// If an index is out of range.
    pub fn select(&self, indices: &[u64]) -> Result<Self> {
        let mut selected = Self::default();
        self.copy_to(indices, &mut selected)?;
        Ok(selected)
    }

    /// Removes and returns the samples at `indices`, which must be ascending.
    ///
    /// # Errors
    /// If an index is out of range.
    pub fn take_out(&mut self, indices: &[u64]) -> Result<Self> {
        let taken = self.select(indices)?;
        match &mut self.values {
            Values::Bytes(bytes) => close_up(bytes, self.features, indices),
            Values::Floats(floats) => close_up(floats, self.features, indices),
        }
        match &mut self.labels {
            Labels::Class(classes) => close_up(classes, 1, indices),
            Labels::Real { values, width } => close_up(values, *width, indices),
            Labels::Absent(samples) => *samples -= indices.len(),
        }
        Ok(taken)
    }

    /// Replaces the contents of `into` with copies of the samples at `indices`.
    ///
    /// # Errors
    /// If an index is out of range.
    pub fn copy_to(&self, indices: &[u64], into: &mut Self) -> Result<()> {
        if let Some(beyond) = indices.iter().find(|&&index| index >= self.len() as u64) {
            return Err(Error::data(format!("sample {beyond} is out of range (0..{})", self.len())));
        }
        into.features = self.features;
        match (&self.values, &mut into.values) {
            (Values::Bytes(from), Values::Bytes(to)) => copy(from, self.features, indices, to),
            (Values::Floats(from), Values::Floats(to)) => copy(from, self.features, indices, to),
            (Values::Bytes(from), to) => *to = Values::Bytes(copied(from, self.features, indices)),
            (Values::Floats(from), to) => *to = Values::Floats(copied(from, self.features, indices)),
        }
        match (&self.labels, &mut into.labels) {
            (Labels::Class(from), Labels::Class(to)) => copy(from, 1, indices, to),
            (Labels::Class(from), to) => *to = Labels::Class(copied(from, 1, indices)),
            (Labels::Real { values, width }, Labels::Real { values: to, width: old }) => {
                *old = *width;
                copy(values, *width, indices, to);
            }
            (Labels::Real { values, width }, to) => {
                *to = Labels::Real { values: copied(values, *width, indices), width: *width };
            }
            (Labels::Absent(_), to) => *to = Labels::Absent(indices.len()),
        }
        Ok(())
    }
}

/// Overwrites row `row`.
#[cfg(feature = "parquet")]
fn put<T: Copy>(rows: &mut [T], row: usize, numbers: &[T]) {
    rows[row * numbers.len()..(row + 1) * numbers.len()].copy_from_slice(numbers);
}

/// Replaces the contents of `into` with the rows of `width` values at `indices`.
fn copy<T: Copy>(values: &[T], width: usize, indices: &[u64], into: &mut Vec<T>) {
    into.clear();
    for index in indices.iter().map(|&index| index as usize) {
        into.extend_from_slice(&values[index * width..(index + 1) * width]);
    }
}

/// Removes the rows of `width` values at `indices`, which must be ascending, and closes the gaps.
fn close_up<T: Copy>(values: &mut Vec<T>, width: usize, indices: &[u64]) {
    let rows = values.len() / width.max(1);
    let ends = indices.iter().skip(1).map(|&index| index as usize).chain([rows]);
    let mut to = indices.first().map_or(rows, |&index| index as usize) * width;
    for (gap, end) in indices.iter().map(|&index| index as usize).zip(ends) {
        let kept = (gap + 1) * width..end * width;
        values.copy_within(kept.clone(), to);
        to += kept.len();
    }
    values.truncate(to);
    values.shrink_to_fit();
}

fn copied<T: Copy>(values: &[T], width: usize, indices: &[u64]) -> Vec<T> {
    let mut into = Vec::with_capacity(indices.len() * width);
    copy(values, width, indices, &mut into);
    into
}
