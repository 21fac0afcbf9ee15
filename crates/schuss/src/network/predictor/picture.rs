//! Reading of a picture as the input of a model.

use super::Predictor;
use crate::{Cause, Error, Result};
use schuss_data::{ImageShape, Labels, Picture, Samples, Split, read_picture};
use std::path::Path;

/// A picture as the input of a model.
#[derive(Clone, Debug)]
pub struct PreparedPicture {
    /// The picture as the only sample of a split, without a label.
    pub split: Split,
    /// Shape of the sample.
    pub shape: ImageShape,
    /// One byte per channel, row and column, for display.
    pub pixels: Vec<u8>,
    /// Notes for the user on how the picture was changed to match the model's input.
    pub notes: Vec<String>,
}

impl Predictor {
    /// Reads a picture and prepares it like the samples that the model was trained on.
    ///
    /// # Errors
    /// A usage error if the model does not take images, a data error that names the file.
    pub fn read_picture(&self, path: &Path) -> Result<PreparedPicture> {
        let shape = self.about.shape.image().ok_or_else(|| {
            Error::usage(format!("the model takes {}, not an image", self.about.shape))
                .because(Cause::Mismatch)
                .at(path.display())
        })?;
        let picture = read_picture(path, shape, self.about.preparation)?;
        let guess = "the model file does not record how images were prepared in training: bright borders are inverted";
        let guess = self.about.preparation.is_none().then(|| guess.to_owned());
        let notes = guess.into_iter().chain(changes(&picture, shape)).collect();
        let split = Samples::new(picture.values, Labels::Absent(1), shape.features())?.into();
        Ok(PreparedPicture { split, shape, pixels: picture.pixels, notes })
    }
}

/// Describes how a picture was changed to match an input of `shape`.
fn changes(picture: &Picture, shape: ImageShape) -> impl Iterator<Item = String> {
    let (width, height) = picture.original;
    let resized = format!("resized from {width} x {height} to {} x {}", shape.width, shape.height);
    let inverted =
        "inverted, since it is dark on bright and the model was trained on bright on dark".to_owned();
    let changes = [(picture.resized, resized), (picture.inverted, inverted)];
    changes.into_iter().filter_map(|(done, change)| done.then_some(change))
}
