//! Optimizers on a few `f64` weights: the reference for tests, and descent on error surfaces.

use super::arithmetic::ScalarF64;
use super::method::{Descent, Gradient, Group, Method};
use super::rule::Rule;
use super::updater::Updater;
use crate::Result;
use crate::network::{Layout, Model};
use crate::schedule::Schedule;
use schuss_kernels::padded;

/// An optimizer running on `f64` weights.
#[derive(Clone, Debug)]
pub struct Reference {
    updater: Updater<Vec<f64>>,
    gradient: Gradient,
    layout: Layout,
    /// Weights and gradients as laid out, including pad lanes.
    weights: Vec<f64>,
    gradients: Vec<f64>,
    /// Curvature statistics by layout entry of a layer's weights, with padded rows.
    moments: Vec<(usize, [Vec<f64>; 2])>,
    updates: u64,
}

impl Reference {
    /// Creates an optimizer for a vector of weights that starts at `weights`.
    pub fn new(rule: Rule, weights: &[f64]) -> Self {
        let layout = Layout::of_vector(weights.len());
        let descent = Descent { groups: vec![Group::from(rule)], gradient: Gradient::Plain };
        Self::on(&descent, &Schedule::default(), layout, weights)
            .expect("a group of all tensors fits every layout")
    }

    /// Creates an optimizer for the parameters of `model`, which start at `weights`: tensor after tensor, each in
    /// PyTorch's order.
    ///
    /// # Errors
    /// Returns an error if the groups of `method` do not fit the model, or if it is a solver.
    pub fn of_model(method: &Method, model: &Model, weights: &[f64]) -> Result<Self> {
        Self::scheduled(method, &Schedule::default(), model, weights)
    }

    /// Creates an optimizer as [`Reference::of_model`] does, with a schedule.
    ///
    /// # Errors
    /// Returns an error if the groups of `method` do not fit the model, or if it is a solver.
    pub fn scheduled(method: &Method, schedule: &Schedule, model: &Model, weights: &[f64]) -> Result<Self> {
        Self::on(method.groups()?, schedule, Layout::new(model, model.inputs().unwrap_or(1))?, weights)
    }

    fn on(descent: &Descent, schedule: &Schedule, layout: Layout, weights: &[f64]) -> Result<Self> {
        let mut laid_out = vec![0.0; layout.len()];
        scatter(&layout, weights, &mut laid_out);
        let updater = Updater::new::<ScalarF64>(descent, schedule, 0, &layout, &laid_out)?;
        let gradient = descent.gradient;
        Ok(Self {
            updater,
            gradient,
            gradients: vec![0.0; layout.len()],
            weights: laid_out,
            layout,
            moments: vec![],
            updates: 0,
        })
    }

    /// Updates `weights` with `gradient`.
    ///
    /// # Example
    /// ```
    /// use schuss::optim::Reference;
    ///
    /// let mut w = [3.0];
    /// let mut descent = Reference::new("sgd:lr=0.5".parse().unwrap(), &w);
    /// descent.step(&[2.0], &mut w);
    /// assert_eq!(w, [2.0]);
    /// ```
    pub fn step(&mut self, gradient: &[f64], weights: &mut [f64]) {
        self.step_at(gradient, f64::NAN, weights);
    }

    /// Updates `weights` with `gradient`, given the mean loss of the update's samples, which some rules use.
    pub fn step_at(&mut self, gradient: &[f64], loss: f64, weights: &mut [f64]) {
        self.updates += 1;
        scatter(&self.layout, gradient, &mut self.gradients);
        scatter(&self.layout, weights, &mut self.weights);
        self.updater.advance();
        for (entry, [a, g]) in self.moments.drain(..) {
            self.updater.take_in(&mut ScalarF64, entry, [&a, &g]);
        }
        self.updater.step(&mut ScalarF64, &mut self.gradients, 1.0, &mut self.weights, loss);
        let values = places(&self.layout).map(|place| self.weights[place]);
        weights.iter_mut().zip(values).for_each(|(to, value)| *to = value);
    }

    /// Supplies the next update with curvature statistics of every linear layer whose rule needs them: the means over
    /// its samples of `[x 1]ᵀ [x 1]`, with x a layer's input, and of δᵀ δ, with δ the gradient at its outputs, both in
    /// row-major order.
    pub fn watch(&mut self, moments: impl IntoIterator<Item = [Vec<f64>; 2]>) {
        let laid_out = |square: Vec<f64>| {
            let side = square.len().isqrt();
            let mut to = vec![0.0; side * padded(side)];
            let rows = to.chunks_exact_mut(padded(side)).zip(square.chunks_exact(side));
            rows.for_each(|(to, row)| to[..side].copy_from_slice(row));
            to
        };
        let moments = moments.into_iter().map(|pair| pair.map(laid_out));
        self.moments = self.updater.watched().into_iter().zip(moments).collect();
    }

    /// Does one update of `weights` on `objective`, which returns loss and gradient at every point the method
    /// evaluates, first at `weights`. Returns the loss there.
    pub fn descend(
        &mut self,
        weights: &mut [f64],
        mut objective: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    ) -> f64 {
        let (loss, mut gradient) = objective(weights);
        if let Gradient::Sam(sam) = self.gradient {
            let mut worst = weights.to_vec();
            sam.climb(&mut ScalarF64, &gradient, &mut worst);
            gradient = objective(&worst).1;
        }
        self.step_at(&gradient, loss, weights);
        loss
    }

    /// Returns the weights to evaluate when training is at `weights`; for most methods, `weights` themselves.
    pub fn shown(&mut self, weights: &[f64]) -> Vec<f64> {
        scatter(&self.layout, weights, &mut self.weights);
        self.updater.show(&mut self.weights);
        places(&self.layout).map(|place| self.weights[place]).collect()
    }

    /// Returns the number of updates done so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Returns the slots of the first tensor, in the order of [`Rule::slots`].
    pub fn slots(&self) -> &[Vec<f64>] {
        self.updater.slots(0)
    }
}

/// Returns the index of every parameter, skipping pad lanes, in PyTorch's order.
fn places(layout: &Layout) -> impl Iterator<Item = usize> {
    layout.entries().iter().flat_map(|entry| entry.places())
}

fn scatter(layout: &Layout, values: &[f64], to: &mut [f64]) {
    places(layout).zip(values).for_each(|(place, &value)| to[place] = value);
}
