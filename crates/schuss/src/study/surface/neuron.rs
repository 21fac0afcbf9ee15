//! True loss of a neuron with two weights that separates 7s from 6s of the built-in digits.
//!
//! p = σ(w1 x1 + w2 x2), J = mean of −ln p over the 7s and −ln(1 − p) over the 6s. The loss is convex, and as
//! the two classes overlap it has one minimum at finite weights.

use super::{Function, Point, Surface};
use crate::optim::{Reference, Rule, Sgd};
use schuss_data::digits;
use schuss_data::stream::order::{EpochOrder, Order};
use schuss_kernels::Math;

/// Number of samples per class.
const PER_CLASS: usize = 32;
/// Side of an image in pixels.
const SIDE: usize = 28;
/// Seed of the data set, independent of the seed of the paths.
const DATA_SEED: u64 = 1;

pub(super) fn surface() -> Surface {
    let neuron = Neuron::new();
    Surface {
        name: "neuron",
        title: "The loss of a two-weight neuron: 7 or 6?",
        equation: "J = mean cross-entropy of σ(w1 x1 + w2 x2) over 64 digits; x1 and x2: ink in the upper \
                   and the lower half",
        lesson: "Every update of GD, momentum and Adam looks at all 64 digits, every update of SGD at a \
                 single one, in an order shuffled anew each epoch. SGD staggers, yet after as many updates \
                 it is about as far down, for a 64th of the work; momentum and Adam also cross the plain \
                 where the slope fades.",
        w1: [-6.0, 8.0],
        w2: [-9.0, 5.0],
        minima: vec![neuron.minimum()],
        saddle: None,
        starts: &[("zero", [0.0, 0.0]), ("wrong signs", [-3.0, 2.0])],
        lr: 0.5,
        adam_lr: 0.2,
        updates: 192,
        function: Function::Loss(neuron),
    }
}

/// A neuron with two weights, and its training samples.
pub(super) struct Neuron {
    samples: Vec<Sample>,
}

struct Sample {
    /// Ink in the upper and in the lower half, each with mean 0 and variance 1 over the set.
    x: Point,
    /// 1 for a 7, 0 for a 6.
    target: f64,
}

impl Neuron {
    fn new() -> Self {
        let classes = [6, 7].map(|digit| ink_of(digit).take(PER_CLASS));
        let mut samples: Vec<Sample> = (classes.into_iter().zip([0.0, 1.0]))
            .flat_map(|(inks, target)| inks.map(move |x| Sample { x, target }))
            .collect();
        standardise(&mut samples, 0);
        standardise(&mut samples, 1);
        Self { samples }
    }

    /// Returns the mean loss over all samples.
    pub(super) fn value(&self, w: Point) -> f64 {
        let loss = |sample: &Sample| {
            let z = dot(w, sample.x);
            z.softplus() - sample.target * z
        };
        self.samples.iter().map(loss).sum::<f64>() / self.samples.len() as f64
    }

    /// Returns the gradient of [`Self::value`].
    pub(super) fn gradient(&self, w: Point) -> Point {
        let sum = self.samples.iter().fold([0.0; 2], |sum, sample| {
            let gradient = sample.gradient(w);
            [sum[0] + gradient[0], sum[1] + gradient[1]]
        });
        sum.map(|sum| sum / self.samples.len() as f64)
    }

    /// Returns the gradient on the single sample of `update` (from 0) under the sample rule.
    pub(super) fn sample_gradient(&self, w: Point, update: usize, seed: u64) -> Point {
        let len = self.samples.len();
        let order = EpochOrder::new(Order::Shuffled, len, seed, (update / len) as u32);
        self.samples[order.index(update % len)].gradient(w)
    }

    /// Finds the weights of lowest loss, by descent with momentum until the gradient has vanished.
    fn minimum(&self) -> Point {
        let mut w = [0.0; 2];
        let mut descent = Reference::new(Rule::from(Sgd { lr: 2.0, momentum: 0.9, ..Sgd::default() }), &w);
        for _ in 0..2_000 {
            descent.step(&self.gradient(w), &mut w);
        }
        w
    }
}

impl Sample {
    fn gradient(&self, w: Point) -> Point {
        let delta = dot(w, self.x).sigmoid() - self.target;
        self.x.map(|x| delta * x)
    }
}

/// Returns the ink in the upper and lower half of every training digit `wanted`, in pixels.
fn ink_of(wanted: u32) -> impl Iterator<Item = Point> {
    let mut pixels = vec![0; SIDE * SIDE];
    let ink = |half: &[u8]| half.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / 255.0;
    (0..).filter_map(move |index| {
        let label = digits::draw(DATA_SEED, digits::TRAIN, index, SIDE, &mut pixels);
        let (upper, lower) = pixels.split_at(pixels.len() / 2);
        (label == wanted).then(|| [ink(upper), ink(lower)])
    })
}

/// Shifts and scales feature `axis` to mean 0 and variance 1.
fn standardise(samples: &mut [Sample], axis: usize) {
    let mean_of = |f: &dyn Fn(f64) -> f64| {
        samples.iter().map(|sample| f(sample.x[axis])).sum::<f64>() / samples.len() as f64
    };
    let mean = mean_of(&|x| x);
    let deviation = mean_of(&|x| (x - mean).powi(2)).sqrt();
    for sample in samples {
        sample.x[axis] = (sample.x[axis] - mean) / deviation;
    }
}

fn dot(w: Point, x: Point) -> f64 {
    w[0] * x[0] + w[1] * x[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_two_balanced_classes_that_overlap() {
        let neuron = Neuron::new();
        let sevens: f64 = neuron.samples.iter().map(|sample| sample.target).sum();
        assert_eq!((neuron.samples.len(), sevens), (2 * PER_CLASS, PER_CLASS as f64));
        let best = neuron.minimum();
        let right = |s: &&Sample| (dot(best, s.x) > 0.0) == (s.target > 0.5);
        let right = neuron.samples.iter().filter(right).count();
        assert!((54..64).contains(&right), "{right} of 64 right at {best:?}");
    }

    #[test]
    fn the_gradients_of_an_epoch_of_single_samples_average_to_the_whole_gradient() {
        let (neuron, w) = (Neuron::new(), [0.7, -0.4]);
        let whole = neuron.gradient(w);
        let len = neuron.samples.len();
        for (axis, whole) in whole.into_iter().enumerate() {
            let sum: f64 = (len..2 * len).map(|update| neuron.sample_gradient(w, update, 3)[axis]).sum();
            assert!((sum / len as f64 - whole).abs() < 1e-14);
        }
    }
}
