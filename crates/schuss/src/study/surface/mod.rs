//! Error surfaces J(w1, w2) and the paths of GD, SGD, momentum and Adam down them, from the same starts.

mod descent;
mod equations;
mod neuron;

use crate::Result;
use crate::record::SurfaceRecord;
use crate::spec;
use neuron::Neuron;
use schuss_data::random::{Key, Purpose};

/// The two weights, or a direction in their plane.
type Point = [f64; 2];

/// Points per side of the grid that a surface is sampled on.
const GRID: usize = 48;

const NAMES: &[&str] = &["bowl", "minima", "saddle", "neuron"];

/// Names of the surfaces that [`draw`] knows.
pub fn names() -> &'static [&'static str] {
    NAMES
}

/// Samples a surface and descends it with every optimizer from every start.
///
/// `seed` fixes the noise and the order of samples of SGD: they are the same from every start, so that its paths
/// differ only in their start. Everything else is the same for all seeds.
///
/// # Errors
/// A usage error for a name that is not in [`names`].
pub fn draw(name: &str, seed: u64) -> Result<SurfaceRecord> {
    Ok(find(name)?.record(seed))
}

/// Checks that there is a surface of this name.
pub(super) fn check(name: &str) -> Result<()> {
    find(name).map(drop)
}

fn find(name: &str) -> Result<Surface> {
    Ok(match name {
        "bowl" => equations::bowl(),
        "minima" => equations::minima(),
        "saddle" => equations::saddle(),
        "neuron" => neuron::surface(),
        _ => return Err(spec::unknown("error surface", name, NAMES)),
    })
}

/// An error surface, and the settings for descending it.
struct Surface {
    name: &'static str,
    title: &'static str,
    equation: &'static str,
    lesson: &'static str,
    /// Range of w1 in the frame.
    w1: [f64; 2],
    /// Range of w2 in the frame.
    w2: [f64; 2],
    minima: Vec<Point>,
    /// Saddle point, at which a path may stall.
    saddle: Option<Point>,
    starts: &'static [(&'static str, Point)],
    /// Learning rate of GD, SGD and momentum.
    lr: f64,
    adam_lr: f64,
    /// Updates per path.
    updates: usize,
    function: Function,
}

/// J, its gradient, and the stochastic gradient for SGD.
enum Function {
    /// An equation; SGD sees its gradient with noise of this standard deviation on each component.
    Equation { value: fn(Point) -> f64, gradient: fn(Point) -> Point, noise: f64 },
    /// The loss of a neuron on data; SGD sees one sample per update.
    Loss(Neuron),
}

impl Function {
    fn value(&self, w: Point) -> f64 {
        match self {
            Self::Equation { value, .. } => value(w),
            Self::Loss(neuron) => neuron.value(w),
        }
    }

    fn gradient(&self, w: Point) -> Point {
        match self {
            Self::Equation { gradient, .. } => gradient(w),
            Self::Loss(neuron) => neuron.gradient(w),
        }
    }

    /// Returns the gradient that SGD uses at `update`, counted from 0.
    fn stochastic_gradient(&self, w: Point, update: usize, seed: u64) -> Point {
        match self {
            Self::Equation { gradient, noise, .. } => {
                let mut draws = Key { seed, purpose: Purpose::Surface, epoch: 0 }.draws(update as u64);
                gradient(w).map(|slope| slope + noise * f64::from(draws.normal()))
            }
            Self::Loss(neuron) => neuron.sample_gradient(w, update, seed),
        }
    }
}

impl Surface {
    fn record(self, seed: u64) -> SurfaceRecord {
        let optimizers = descent::optimizers(self.lr, self.adam_lr);
        let paths = (self.starts.iter())
            .flat_map(|start| optimizers.iter().map(move |optimizer| (optimizer, *start)))
            .map(|(optimizer, (name, w))| descent::path(&self, optimizer, name, w, seed))
            .collect();
        SurfaceRecord {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            equation: self.equation.to_owned(),
            lesson: self.lesson.to_owned(),
            w1: self.w1,
            w2: self.w2,
            size: GRID,
            values: self.grid(),
            minima: self.minima,
            paths,
            along: "updates".to_owned(),
        }
    }

    /// Returns J on the grid, row after row from the bottom.
    fn grid(&self) -> Vec<f64> {
        let along = |[low, high]: [f64; 2], i: usize| low + (high - low) * i as f64 / (GRID - 1) as f64;
        let row = |r| (0..GRID).map(move |c| self.function.value([along(self.w1, c), along(self.w2, r)]));
        (0..GRID).flat_map(row).collect()
    }

    /// Returns true if `w` lies in the frame.
    fn contains(&self, w: Point) -> bool {
        let within = |[low, high]: [f64; 2], at: f64| (low..=high).contains(&at);
        within(self.w1, w[0]) && within(self.w2, w[1])
    }

    fn nearest_minimum(&self, w: Point) -> Point {
        let distance = |minimum: &Point| descent::distance(w, *minimum);
        let nearest = self.minima.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        *nearest.expect("every surface has a minimum")
    }
}

#[cfg(test)]
mod tests;
