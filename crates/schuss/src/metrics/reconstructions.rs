//! Images reconstructed by an autoencoder, as numbers and as a picture.

use crate::Result;
use crate::record::Sheet;
use schuss_data::{ImageShape, write_picture};

/// Original and reconstructed images, each `[channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstructions {
    /// Shape of one image.
    pub shape: ImageShape,
    /// Images as stored.
    pub inputs: Vec<Vec<f32>>,
    /// Images with noise, as fed to the network, if there is noise.
    pub noisy: Option<Vec<Vec<f32>>>,
    /// Reconstructions.
    pub outputs: Vec<Vec<f32>>,
}

/// Number of pixels between images.
const GAP: usize = 2;
/// Shade of the pixels between images.
const PAPER: u8 = 255;

impl Reconstructions {
    /// Draws all images as one picture, with each image above its reconstruction.
    ///
    /// # Errors
    /// If no picture can have this shape.
    pub fn sheet(&self) -> Result<Sheet> {
        let rows = [Some(&self.inputs), self.noisy.as_ref(), Some(&self.outputs)];
        let rows: Vec<&Vec<Vec<f32>>> = rows.into_iter().flatten().collect();
        let side = |images: usize, pixels: usize| (images * (pixels + GAP)).saturating_sub(GAP);
        let shape = ImageShape {
            channels: if self.shape.channels == 3 { 3 } else { 1 },
            height: side(rows.len(), self.shape.height),
            width: side(self.inputs.len(), self.shape.width),
        };
        let mut pixels = vec![PAPER; shape.features()];
        for (row, images) in rows.iter().enumerate() {
            for (column, image) in images.iter().enumerate() {
                self.place(image, row, column, shape, &mut pixels);
            }
        }
        Ok(Sheet { png: write_picture(&pixels, shape)?, rows: Self::rows(self.noisy.is_some()) })
    }

    /// Labels of the rows of the picture.
    pub(crate) fn rows(noisy: bool) -> Vec<&'static str> {
        if noisy { vec!["input", "with noise", "reconstruction"] } else { vec!["input", "reconstruction"] }
    }

    /// Draws an image in this row and column of the sheet; only the first channel if the channels are not colours.
    fn place(&self, image: &[f32], row: usize, column: usize, sheet: ImageShape, pixels: &mut [u8]) {
        let ImageShape { height, width, .. } = self.shape;
        for channel in 0..sheet.channels {
            let plane = &image[channel * height * width..][..height * width];
            for (y, line) in plane.chunks_exact(width).enumerate() {
                let top = channel * sheet.height + row * (height + GAP) + y;
                let to = &mut pixels[top * sheet.width + column * (width + GAP)..][..width];
                to.iter_mut().zip(line).for_each(|(to, &x)| *to = (x.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::read_picture;

    #[test]
    fn a_sheet_holds_every_image_in_its_place_in_grey_and_in_colour() {
        for channels in [1, 3] {
            let shape = ImageShape { channels, height: 2, width: 3 };
            let image = |shade: usize| vec![shade as f32 / 255.0; shape.features()];
            let (inputs, outputs) = (vec![image(10), image(20)], vec![image(40), image(300)]);
            let sheet =
                Reconstructions { shape, inputs, noisy: Some(vec![image(30); 2]), outputs }.sheet().unwrap();
            assert_eq!(sheet.rows, ["input", "with noise", "reconstruction"]);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sheet.png");
            std::fs::write(&path, &sheet.png).unwrap();
            let size = ImageShape { channels: 3, height: 10, width: 8 };
            let picture = read_picture(&path, size, None).unwrap();
            assert!(picture.original == (8, 10) && !picture.resized);
            let at = |y: usize, x: usize| picture.pixels[y * 8 + x];
            assert_eq!(
                [at(0, 0), at(1, 7), at(4, 2), at(5, 5), at(8, 0), at(9, 7)],
                [10, 20, 30, 30, 40, 255]
            );
            assert_eq!([at(2, 0), at(0, 3)], [PAPER; 2]);
        }
    }
}
