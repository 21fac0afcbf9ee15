//! Quality of reconstructed images: squared error and structural similarity.

use super::metric::{Metric, Prediction, Row, Task};
use crate::record::Evaluation;
use schuss_data::ImageShape;
use schuss_kernels::Math;
use serde::Serialize;

pub(super) const ROW: Row = Row { names: &["mse", "psnr", "ssim"], begin };

fn begin(task: &Task) -> Option<Box<dyn Metric>> {
    Some(Box::new(ImageSums::new(task.image?)))
}

/// Quality of reconstructed images with numbers in 0..=1, the mean over images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImageQuality {
    /// Mean squared error.
    pub mse: f64,
    /// Peak signal-to-noise ratio in decibels, 10 log₁₀(1 / mse).
    pub psnr: f64,
    /// Mean structural similarity; `None` for images smaller than 7 x 7.
    pub ssim: Option<f64>,
}

/// Side of the square windows of structural similarity, in pixels.
const WINDOW: usize = 7;

/// Sums over reconstructed images.
#[derive(Clone, Debug)]
pub(crate) struct ImageSums {
    shape: ImageShape,
    squared_error: f64,
    similarity: f64,
    images: u64,
    /// Sums over the windows of a row of pixels, and of a column of such sums.
    windows: Windows,
}

impl ImageSums {
    pub(crate) fn new(shape: ImageShape) -> Self {
        Self { shape, squared_error: 0.0, similarity: 0.0, images: 0, windows: Windows::default() }
    }

    /// Adds an image with numbers in 0..=1 and its reconstruction.
    pub(crate) fn add(&mut self, image: &[f32], found: &[f32]) {
        let ImageShape { height, width, channels } = self.shape;
        let pairs = image.iter().zip(found).map(|(&x, &y)| f64::from(x - y));
        self.squared_error += pairs.map(|d| d * d).sum::<f64>();
        let planes = image.chunks_exact(height * width).zip(found.chunks_exact(height * width));
        let similarity: f64 = planes.map(|(x, y)| self.windows.similarity(x, y, width)).sum();
        self.similarity += similarity / channels as f64;
        self.images += 1;
    }

    /// Returns means over all images; the similarity is None if images are smaller than a window.
    pub(crate) fn mean(&self) -> ImageQuality {
        let mse = self.squared_error / (self.images as f64 * self.shape.features() as f64);
        let ssim = Some(self.similarity / self.images as f64).filter(|ssim| ssim.is_finite());
        ImageQuality { mse, psnr: -10.0 * Math::ln(mse) / std::f64::consts::LN_10, ssim }
    }
}

impl Metric for ImageSums {
    fn take(&mut self, prediction: &Prediction) {
        if let Prediction::Image { actual, predicted } = prediction {
            self.add(actual, predicted);
        }
    }

    fn report(&self, evaluation: &mut Evaluation) {
        let ImageQuality { mse, psnr, ssim } = self.mean();
        evaluation.enter("mse", Some(mse));
        evaluation.enter("psnr", Some(psnr));
        evaluation.enter("ssim", ssim);
    }
}

/// Sums of x, y, x², y², x y.
type Moments = [f64; 5];

/// Buffer for the sums of one image.
#[derive(Clone, Debug, Default)]
struct Windows {
    rows: Vec<Moments>,
}

impl Windows {
    /// Returns the mean structural similarity over all 7 x 7 windows, for numbers in 0..=1; NaN if there is no window.
    ///
    /// ```text
    /// (2 μx μy + c₁) (2 σxy + c₂) / ((μx² + μy² + c₁) (σx² + σy² + c₂))        c₁ = 0.01², c₂ = 0.03²
    /// ```
    ///
    /// with sample variances. Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
    /// Structural Similarity", IEEE TIP 13(4), 2004; scikit-image's `structural_similarity` at its defaults.
    fn similarity(&mut self, x: &[f32], y: &[f32], width: usize) -> f64 {
        let height = x.len() / width;
        if width < WINDOW || height < WINDOW {
            return f64::NAN;
        }
        self.sum_rows(x, y, width);
        let across = width - WINDOW + 1;
        let mut sum = 0.0;
        for row in 0..=height - WINDOW {
            for col in 0..across {
                let window = (row..row + WINDOW).map(|row| &self.rows[row * across + col]);
                sum += index(window.fold([0.0; 5], add));
            }
        }
        sum / (across * (height - WINDOW + 1)) as f64
    }

    /// Computes the moments of every 7 neighbours in a row.
    fn sum_rows(&mut self, x: &[f32], y: &[f32], width: usize) {
        self.rows.clear();
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact(width)) {
            for (x, y) in x.windows(WINDOW).zip(y.windows(WINDOW)) {
                let pairs = x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
                self.rows.push(pairs.fold([0.0; 5], |sum, (x, y)| add(sum, &[x, y, x * x, y * y, x * y])));
            }
        }
    }
}

fn add(sum: Moments, terms: &Moments) -> Moments {
    std::array::from_fn(|i| sum[i] + terms[i])
}

/// Returns the structural similarity of one window.
fn index(sums: Moments) -> f64 {
    const PIXELS: f64 = (WINDOW * WINDOW) as f64;
    const C: [f64; 2] = [0.01 * 0.01, 0.03 * 0.03];
    let [x, y, xx, yy, xy] = sums.map(|sum| sum / PIXELS);
    let sample = PIXELS / (PIXELS - 1.0);
    let [vx, vy, vxy] = [xx - x * x, yy - y * y, xy - x * y].map(|v| sample * v);
    (2.0 * x * y + C[0]) * (2.0 * vxy + C[1]) / ((x * x + y * y + C[0]) * (vx + vy + C[1]))
}
