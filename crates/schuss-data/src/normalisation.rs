//! Normalisation of stored values to network inputs.

use crate::spec::unknown;
use crate::{Cause, Error, Place, Result, Row, Shape, Split, Values};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Normalisation chosen by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalise {
    /// Pixels / 255.
    Unit,
    /// Each feature minus its mean over the training split, divided by its standard deviation there.
    Standard,
    /// As `Standard`, but per channel of images.
    Channel,
    /// Mean and standard deviation commonly used for MNIST.
    Mnist,
    /// Means and standard deviations commonly used for ImageNet.
    Imagenet,
    /// No normalisation.
    None,
}

const NAMES: [(&str, Normalise); 6] = [
    ("unit", Normalise::Unit),
    ("standard", Normalise::Standard),
    ("channel", Normalise::Channel),
    ("mnist", Normalise::Mnist),
    ("imagenet", Normalise::Imagenet),
    ("none", Normalise::None),
];

impl FromStr for Normalise {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase();
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, choice)| *choice);
        found.ok_or_else(|| unknown("normalisation", text, "", &NAMES.map(|(name, _)| name)))
    }
}

/// Fitted normalisation of stored values to network inputs, as saved in a model file. All but `none` divide pixels by
/// 255 first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Normalisation {
    /// Pixels / 255; other numbers unchanged.
    #[default]
    Unit,
    /// Per feature.
    Standard(Affine),
    /// Per channel.
    Channel(Affine),
    /// Unchanged.
    None,
}

/// (x - mean) / scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// One per feature or channel.
    pub mean: Vec<f32>,
    /// One per feature or channel, none of them 0.
    pub scale: Vec<f32>,
}

impl Normalisation {
    /// Fits `choice` to samples of `shape`, measuring statistics on the training split if necessary; the default is
    /// unit for pixels and standard for other numbers.
    ///
    /// # Errors
    /// A usage error if the choice does not apply to the data, a data error if a sample cannot be read.
    pub fn fit(choice: Option<Normalise>, train: &Split, shape: Shape) -> Result<Self> {
        let bytes = matches!(train.read(&[])?.values(), Values::Bytes(_));
        let choice = choice.unwrap_or(if bytes { Normalise::Unit } else { Normalise::Standard });
        let channels = shape.image().map(|image| image.channels);
        let preset = |mean: &[f32], scale: &[f32]| match channels {
            Some(channels) if channels == mean.len() => {
                Ok(Self::Channel(Affine { mean: mean.to_vec(), scale: scale.to_vec() }))
            }
            _ => Err(misfit(&format!("is for images of {} channels", mean.len()), shape)),
        };
        match (choice, channels) {
            (Normalise::Unit, _) if !bytes => Err(misfit("`unit` is for pixels", shape)),
            (Normalise::Unit, _) => Ok(Self::Unit),
            (Normalise::None, _) => Ok(Self::None),
            (Normalise::Standard, _) => {
                Ok(Self::Standard(measure(train, shape.features(), shape.features())?))
            }
            (Normalise::Channel, Some(channels)) => {
                Ok(Self::Channel(measure(train, shape.features(), channels)?))
            }
            (Normalise::Channel, None) => Err(misfit("`channel` is for images", shape)),
            // As in torchvision's examples and pretrained models.
            (Normalise::Mnist, _) => preset(&[0.1307], &[0.3081]),
            (Normalise::Imagenet, _) => preset(&[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Standard(_) => "standard",
            Self::Channel(_) => "channel",
            Self::None => "none",
        }
    }

    /// Checks that its numbers, which may come from a file, fit samples of `shape`.
    ///
    /// # Errors
    /// A data error if they do not.
    pub fn check(&self, shape: Shape) -> Result<()> {
        let (affine, parts) = match self {
            Self::Unit | Self::None => return Ok(()),
            Self::Standard(affine) => (affine, shape.checked_features()),
            Self::Channel(affine) => (affine, shape.image().map(|image| image.channels)),
        };
        let Affine { mean, scale } = affine;
        let fit = parts.is_some_and(|parts| [mean.len(), scale.len()] == [parts; 2]);
        if fit && mean.iter().all(|x| x.is_finite()) && scale.iter().all(|x| x.is_finite() && *x > 0.0) {
            return Ok(());
        }
        Err(Error::data(format!("its normalisation does not fit {shape}")))
    }

    /// Writes the normalised values of a sample to the start of `to`.
    pub fn write(&self, row: Row, to: &mut [f32]) {
        let to = match row {
            Row::Bytes(bytes) if *self == Self::None => fill(to, bytes, f32::from),
            Row::Bytes(bytes) => fill(to, bytes, |byte| f32::from(byte) / 255.0), // torchvision's `ToTensor`
            Row::Floats(floats) => fill(to, floats, |x| x),
        };
        match self {
            Self::Unit | Self::None => {}
            Self::Standard(Affine { mean, scale }) => {
                for ((x, mean), scale) in to.iter_mut().zip(mean).zip(scale) {
                    *x = (*x - mean) / scale;
                }
            }
            Self::Channel(Affine { mean, scale }) => {
                let pixels = (to.len() / mean.len().max(1)).max(1);
                for ((channel, mean), scale) in to.chunks_mut(pixels).zip(mean).zip(scale) {
                    channel.iter_mut().for_each(|x| *x = (*x - mean) / scale);
                }
            }
        }
    }
}

fn fill<'a, T: Copy>(to: &'a mut [f32], from: &[T], number: impl Fn(T) -> f32) -> &'a mut [f32] {
    let len = from.len().min(to.len());
    let to = &mut to[..len];
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = number(from));
    to
}

fn misfit(why: &str, shape: Shape) -> Error {
    Error::usage(format!("{why}, but a sample has {shape}"))
        .because(Cause::Mismatch)
        .at(Place::flag("normalisation"))
        .advise("standard, or none")
}

/// Returns the mean and standard deviation of each of `parts` equal parts of the features.
fn measure(train: &Split, features: usize, parts: usize) -> Result<Affine> {
    let pixels = (features / parts.max(1)).max(1);
    let mut row = vec![0.0; features];
    let mut moments: Vec<Moments> = vec![];
    train.each_block(|_, block| {
        for index in 0..block.len() {
            Normalisation::Unit.write(block.row(index), &mut row);
            if moments.is_empty() {
                moments = row.chunks(pixels).map(|part| Moments::around(part[0])).collect();
            }
            for (moments, part) in moments.iter_mut().zip(row.chunks(pixels)) {
                part.iter().for_each(|&x| moments.add(x));
            }
        }
        Ok(())
    })?;
    let mean = moments.iter().map(|moments| moments.mean() as f32).collect();
    Ok(Affine { mean, scale: moments.iter().map(Moments::scale).collect() })
}

/// Sums of numbers minus the first of them, so that a small variance is not lost in the difference of large sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    around: f64,
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn around(first: f32) -> Self {
        Self { around: f64::from(first), count: 0.0, sum: 0.0, squares: 0.0 }
    }

    pub(crate) fn add(&mut self, x: f32) {
        let off = f64::from(x) - self.around;
        self.count += 1.0;
        self.sum += off;
        self.squares += off * off;
    }

    pub(crate) fn mean(&self) -> f64 {
        self.around + self.sum / self.count
    }

    /// Returns the population standard deviation (divided by n, not n - 1), as scikit-learn's `StandardScaler` does.
    pub(crate) fn deviation(&self) -> f64 {
        let variance = self.squares / self.count - (self.sum / self.count).powi(2);
        variance.max(0.0).sqrt()
    }

    /// Returns the standard deviation, or 1 for a constant.
    fn scale(&self) -> f32 {
        let scale = self.deviation() as f32;
        if scale >= f32::MIN_POSITIVE { scale } else { 1.0 }
    }
}

#[cfg(test)]
mod tests;
