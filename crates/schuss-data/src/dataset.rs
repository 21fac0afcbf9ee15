//! What a trial trains and is evaluated on: two splits of images with class labels.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

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

/// Images with labels, resident in memory: one byte per pixel, row after row, image after image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pixels: Vec<u8>,
    labels: Vec<u32>,
    features: usize,
}

impl Split {
    /// A split of `labels.len()` images; `pixels` holds `labels.len() * features` bytes.
    ///
    /// # Errors
    /// If the two counts disagree.
    pub fn new(pixels: Vec<u8>, labels: Vec<u32>, features: usize) -> Result<Self> {
        if labels.len().checked_mul(features) != Some(pixels.len()) {
            return Err(Error::data(format!(
                "{} pixel values do not make {} images of {features}",
                pixels.len(),
                labels.len()
            )));
        }
        Ok(Self { pixels, labels, features })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numbers per image.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Class of every image, in file order.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The bytes of image `index`.
    pub fn pixels(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.features..(index + 1) * self.features]
    }

    /// All bytes, image after image.
    pub fn all_pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Writes image `index` as numbers in 0..=1 (`pixel / 255`, torchvision's `ToTensor`) to the front of `row`.
    pub fn gather(&self, index: usize, row: &mut [f32]) {
        for (to, &from) in row.iter_mut().zip(self.pixels(index)) {
            *to = f32::from(from) / 255.0;
        }
    }

    /// Images per class, for classes `0..classes`.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            if let Some(count) = counts.get_mut(label as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Bytes this split holds in memory.
    pub fn bytes(&self) -> usize {
        self.pixels.len() + size_of_val(&self.labels[..])
    }
}

/// A named set of images in two splits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Canonical spec, e.g. `mnist`, `digits:train=60000,test=10000,size=28,seed=1`, or the path as typed.
    pub name: String,
    /// Where it came from, for people: `digits, drawn by schuss`, `MNIST, read from /data/mnist`.
    pub origin: String,
    /// Shape of one image.
    pub shape: ImageShape,
    /// Names of the classes, in order of label.
    pub classes: Vec<String>,
    /// What is trained on.
    pub train: Split,
    /// What is evaluated on.
    pub test: Split,
}

impl Dataset {
    /// 128-bit XXH3 over shape, counts, pixels and labels of both splits, as 32 hex digits.
    pub fn fingerprint(&self) -> String {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let ImageShape { channels, height, width } = self.shape;
        for number in [channels, height, width, self.classes.len(), self.train.len(), self.test.len()] {
            hash.update(&(number as u64).to_le_bytes());
        }
        for split in [&self.train, &self.test] {
            hash.update(&split.pixels);
            split.labels.iter().for_each(|label| hash.update(&label.to_le_bytes()));
        }
        format!("{:032x}", hash.digest128())
    }

    /// Bytes both splits hold in memory.
    pub fn bytes(&self) -> usize {
        self.train.bytes() + self.test.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_fractions_of_255_on_their_way_into_a_batch() {
        let split = Split::new(vec![0, 51, 255, 128], vec![1, 0], 2).unwrap();
        let mut row = [9.0; 3];
        split.gather(1, &mut row);
        assert_eq!(row, [1.0, 128.0 / 255.0, 9.0]);
    }

    #[test]
    fn counts_that_disagree_are_refused() {
        assert!(Split::new(vec![0; 5], vec![0, 1], 2).is_err());
    }
}
