//! `digits`, the built-in data set: grey digits drawn from stroke skeletons, similar to MNIST in size and
//! amount of ink.
//!
//! Every image is a pure function of (seed, split, index), the same on every machine: only +, -, *, / and
//! square root, in fixed order. As in MNIST the digit fills a box of 20/28 of the image's side with its
//! centre of mass in the middle (LeCun, Bottou, Bengio and Haffner, 1998). Ink, slant and difficulty are
//! chosen so that the same network learns both sets about equally fast, and a network trained on one reads
//! the other.

mod distort;
mod drawn;
mod rasterise;
mod stroke;
#[rustfmt::skip] // tables of points
mod skeleton;

use crate::format::packed::Room;
use crate::random::{Draws, Key, Purpose};
use crate::{Dataset, ImageShape, Result, Samples, Split};
use distort::Hand;
pub use drawn::Drawn;
use rasterise::Pen;
use rayon::prelude::*;
use skeleton::{DIGITS, Form};
use std::fmt;
use std::ops::RangeInclusive;
use stroke::Point;

/// Allowed image sides, in pixels.
pub const SIZES: RangeInclusive<usize> = 8..=256;

/// Stream of training images.
pub const TRAIN: u32 = 0;

/// Stream of test images.
pub const TEST: u32 = 1;

/// Length of the straight pieces that curves are drawn with, in units of the skeleton: about 1.4 pixels of 28.
const STEP: f32 = 7.0;

/// Specification of a digits data set: counts, image size and seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Side of an image in pixels, one of [`SIZES`].
    pub size: usize,
    /// Random seed; another seed gives other digits.
    pub seed: u64,
}

impl Default for Digits {
    fn default() -> Self {
        Self { train: 60_000, test: 10_000, size: 28, seed: 1 }
    }
}

impl Digits {
    /// Returns the memory that all images and labels take, in bytes.
    pub fn bytes(&self) -> u64 {
        (self.train as u64).saturating_add(self.test as u64).saturating_mul(self.row_bytes())
    }

    /// Returns the bytes of an image and its label.
    fn row_bytes(&self) -> u64 {
        (self.size as u64).saturating_mul(self.size as u64).saturating_add(4)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { train, test, size, seed } = self;
        write!(f, "digits:train={train},test={test},size={size},seed={seed}")
    }
}

/// Draws both splits, on all cores: `train + test` images of `size * size` bytes, all in memory.
pub fn generate(spec: &Digits) -> Dataset {
    named(spec, split(spec, TRAIN, spec.train), split(spec, TEST, spec.test))
}

/// Draws only as many splits as `memory` bytes hold; the others are drawn whenever they are read.
///
/// # Errors
/// Drawing itself causes none.
pub(crate) fn within(spec: &Digits, memory: u64) -> Result<Dataset> {
    if spec.bytes() <= memory {
        return Ok(generate(spec));
    }
    let mut room = Room { left: memory, row: spec.row_bytes() };
    let [train, test] = room.place([Some(Drawn::train(spec)), Some(Drawn::test(spec))])?;
    let none = || Split::from(Samples::default());
    let (train, test) = (train.unwrap_or_else(none), test.unwrap_or_else(none));
    Ok(Dataset { train, test, ..named(spec, Samples::default(), Samples::default()) })
}

fn named(spec: &Digits, train: Samples, test: Samples) -> Dataset {
    let classes = (0..DIGITS.len()).map(|digit| digit.to_string()).collect();
    let shape = ImageShape { channels: 1, height: spec.size, width: spec.size };
    let origin = "digits, drawn by schuss".into();
    Dataset { origin, ..Dataset::given(&spec.to_string(), shape, classes, train, test) }
}

fn split(spec: &Digits, stream: u32, len: usize) -> Samples {
    let features = spec.size * spec.size;
    let mut pixels = vec![0; len * features];
    let labels = pixels
        .par_chunks_exact_mut(features)
        .enumerate()
        .map(|(index, image)| draw(spec.seed, stream, index, spec.size, image))
        .collect();
    Samples::images(pixels, labels, features).expect("one label was drawn with every image")
}

/// Draws image `index` of a stream ([`TRAIN`] or [`TEST`]) and returns its label.
///
/// `pixels` holds `size * size` bytes, row after row: 0 is paper, 255 is ink.
pub fn draw(seed: u64, stream: u32, index: usize, size: usize, pixels: &mut [u8]) -> u32 {
    let mut draws = Key { seed, purpose: Purpose::Digits, epoch: stream }.draws(index as u64);
    let label = below(DIGITS.len() as u32, &mut draws);
    let form = choose(DIGITS[label as usize], &mut draws);
    // Pixels of this image per MNIST pixel, the unit of the numbers below.
    let pixel = size as f32 / 28.0;
    let mut drawing = Hand::random(&mut draws).write(form, STEP / pixel.max(1.0), &mut draws);
    let radius = pixel * (1.35 + 0.38 * draws.normal()).clamp(0.75, 2.6);
    let edge = pixel * draws.uniform(1.0, 1.6);
    let mut middle = || pixel * draws.uniform(13.5, 14.5);
    let middle = Point { x: middle(), y: middle() };
    drawing.fit(20.0 * pixel - 2.0 * radius - 0.7 * edge, middle);
    Pen { radius, edge }.draw(&drawing, size, &mut draws, pixels);
    label
}

/// Returns a uniform number in `0..len`.
fn below(len: u32, draws: &mut Draws) -> u32 {
    ((u64::from(draws.bits()) * u64::from(len)) >> 32) as u32
}

/// Returns the form of a writer chosen uniformly from all writers.
fn choose<'a>(forms: &'a [Form], draws: &mut Draws) -> &'a Form {
    let writer = below(forms.iter().map(|form| form.writers).sum(), draws);
    let mut writers = forms.iter().flat_map(|form| (0..form.writers).map(move |_| form));
    writers.nth(writer as usize).unwrap_or(&forms[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(stream: u32, index: usize, size: usize) -> (u32, Vec<u8>) {
        let mut pixels = vec![0; size * size];
        (draw(1, stream, index, size, &mut pixels), pixels)
    }

    fn drawn(split: &Split) -> &Samples {
        split.resident().unwrap()
    }

    fn pixels(split: &Split) -> &[u8] {
        drawn(split).values().pixels()
    }

    /// Returns the mean ink of a split, as a fraction of full ink.
    fn ink(split: &Split) -> f64 {
        pixels(split).iter().map(|&pixel| f64::from(pixel)).sum::<f64>()
            / (255.0 * pixels(split).len() as f64)
    }

    #[test]
    fn an_image_depends_on_seed_split_and_index_and_not_on_how_many_are_drawn() {
        let spec = Digits { train: 40, test: 10, ..Digits::default() };
        let few = generate(&spec);
        let more = generate(&Digits { train: 90, test: 30, ..spec });
        assert_eq!(pixels(&few.train), &pixels(&more.train)[..pixels(&few.train).len()]);
        assert_eq!(drawn(&few.train).classes(), &drawn(&more.train).classes()[..40]);
        assert_eq!((drawn(&few.test).classes()[7], drawn(&few.test).pixels(7).to_vec()), image(TEST, 7, 28));
        assert_ne!(few.fingerprint().unwrap(), generate(&Digits { seed: 2, ..spec }).fingerprint().unwrap());
    }

    #[test]
    fn no_image_is_drawn_twice() {
        let data = generate(&Digits { train: 3_000, test: 3_000, ..Digits::default() });
        let images = [&data.train, &data.test]
            .into_iter()
            .flat_map(|split| (0..3_000).map(|i| drawn(split).pixels(i)));
        assert_eq!(images.collect::<std::collections::HashSet<_>>().len(), 6_000);
    }

    /// The fingerprint is the same on every machine; it changes only with the drawings themselves.
    #[test]
    fn two_hundred_images_have_the_known_fingerprint() {
        let data = generate(&Digits { train: 150, test: 50, ..Digits::default() });
        assert_eq!(data.fingerprint().unwrap(), "e94e06087d9c64b5c409e948529e9b90");
        assert_eq!(data.origin, "digits, drawn by schuss");
    }

    #[test]
    fn every_class_is_drawn_about_equally_often() {
        let data = generate(&Digits { train: 10_000, test: 1, ..Digits::default() });
        assert_eq!(data.classes.len(), 10);
        for digit in 0..10 {
            let count = drawn(&data.train).classes().iter().filter(|&&class| class == digit).count();
            assert!((880..1120).contains(&count), "{count} of 10,000 images are a {digit}");
        }
    }

    /// MNIST's training images: mean .1307, standard deviation .3081, 19 % of the pixels not black; the mean is
    /// smallest for ones (.076) and greatest for zeros (.173).
    #[test]
    fn there_is_about_as_much_ink_as_in_mnist() {
        let data = generate(&Digits { train: 5_000, test: 1, ..Digits::default() });
        let pixels = pixels(&data.train);
        let mean = ink(&data.train);
        let square = pixels.iter().map(|&pixel| (f64::from(pixel) / 255.0).powi(2)).sum::<f64>();
        let deviation = (square / pixels.len() as f64 - mean * mean).sqrt();
        let inked = pixels.iter().filter(|&&pixel| pixel > 0).count() as f64 / pixels.len() as f64;
        assert!((mean - 0.1307).abs() < 0.01, "mean {mean}");
        assert!((deviation - 0.3081).abs() < 0.01, "standard deviation {deviation}");
        assert!((inked - 0.19).abs() < 0.015, "inked {inked}");
    }

    /// Centring brings more than half of full ink to the border of 1.2 % of MNIST's training images.
    #[test]
    fn hardly_a_digit_is_cut_off_by_the_border() {
        for size in [28, 50, 256] {
            let cut = (0..500).filter(|&index| {
                let (_, pixels) = image(TRAIN, index, size);
                let inner = 1..size - 1;
                pixels.iter().enumerate().any(|(i, &pixel)| {
                    pixel > 127 && !(inner.contains(&(i % size)) && inner.contains(&(i / size)))
                })
            });
            let cut = cut.count();
            assert!(cut < 10, "{cut} of 500 images of {size} x {size}");
        }
    }

    #[test]
    fn the_same_digit_is_drawn_at_every_size() {
        let spec = Digits { train: 300, test: 1, ..Digits::default() };
        let (small, large) = (generate(&spec), generate(&Digits { size: 112, ..spec }));
        assert_eq!(drawn(&small.train).classes(), drawn(&large.train).classes());
        assert_eq!(large.shape, ImageShape { channels: 1, height: 112, width: 112 }.into());
        assert!((ink(&small.train) - ink(&large.train)).abs() < 0.002);
    }

    #[test]
    fn the_spec_is_spelled_out_in_full() {
        assert_eq!(Digits::default().to_string(), "digits:train=60000,test=10000,size=28,seed=1");
    }
}
