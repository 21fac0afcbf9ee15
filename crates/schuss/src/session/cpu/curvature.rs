//! Curvature of linear layers, from gradients of sampled targets propagated back through the network.

use super::passes::{Microbatch, Passes};
use super::sizes::Sizes;
use super::sums::Sums;
use crate::loss::{Likelihood, Loss};
use crate::network::{Arena, Gradients, Plan, Role, VectorGradients};
use crate::optim::{Descent, Updater};
use crate::recipe::Trial;
use crate::state::{State, StateCodec};
use crate::{Cause, Error, Result};
use schuss_data::random::{Key, Purpose};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, weight_gradient};
use schuss_kernels::rows::every_row;
use schuss_kernels::{Buffer, Team, padded};
use std::io;
use std::ops::Range;

/// Observer of linear layers.
pub(super) trait Tap {
    /// Receives the inputs `x` of the linear layer with this weight, by its entry in the layout, and the gradients
    /// `delta` at its outputs; `start` begins or continues sums.
    fn watch(&mut self, team: &mut Team, weight: usize, x: Matrix, delta: Matrix, start: Start);
}

/// Statistics of an update's samples for k-fac.
pub(super) struct Curvature {
    likelihood: Likelihood,
    moments: Moments,
    /// Buffer for gradients of vectors, which are not needed here.
    vectors: Buffer,
}

/// Σ [x 1]ᵀ [x 1] and Σ δᵀ δ over the samples of an update, for every observed layer.
struct Moments {
    layers: Vec<MomentSums>,
    sums: Sums,
    /// Inputs of a layer with a 1 appended: [capacity, widest + 1]
    inputs: Buffer,
}

/// Ranges of the sums of a layer.
struct MomentSums {
    /// Entry of the layer's weights in the layout.
    entry: usize,
    moments: [Range<usize>; 2],
}

impl Curvature {
    /// Allocates the sums for the updates of a trial, if a rule needs them.
    ///
    /// # Errors
    /// Usage errors for losses and tensors whose curvature is not known.
    pub(super) fn new(trial: &Trial, plan: &Plan, sizes: &Sizes) -> Result<Option<Box<Self>>> {
        let descent = trial.recipe.optimizer.descent();
        if !descent.groups.iter().any(|group| group.rule.wants().curvature) {
            return Ok(None);
        }
        check_layers(descent, plan)?;
        let likelihood = likelihood(&trial.recipe.loss)?;
        let moments = Moments::new(plan, descent, sizes)?;
        Ok(Some(Box::new(Self { likelihood, moments, vectors: Buffer::zeros(plan.largest_vectors()) })))
    }

    /// Number of bytes that the curvature of `descent` needs.
    ///
    /// # Errors
    /// If the groups do not fit the layout.
    pub(super) fn bytes(descent: &Descent, plan: &Plan, sizes: &Sizes) -> Result<usize> {
        let shape = MomentShape::of(plan, descent)?;
        if shape.layers.is_empty() {
            return Ok(0);
        }
        let inputs = sizes.microbatch * shape.widest;
        Ok(Sums::bytes(shape.len, sizes) + (inputs + plan.largest_vectors()) * size_of::<f32>())
    }

    /// Adds the curvature of a microbatch after its forward pass.
    pub(super) fn add(&mut self, passes: &mut Passes, microbatch: &Microbatch) {
        let Passes { team, plan, arena, params, .. } = passes;
        self.draw(team, plan, arena, microbatch);
        for index in plan.backwards() {
            let stage = &plan.stages[index];
            if stage.operation().is_penalty() {
                continue;
            }
            let (values, weight, start) = (params.values(), stage.entries.start, microbatch.start);
            let (tap, vectors) = (&mut self.moments, &mut self.vectors[..]);
            let mut to = Watching { team, values, tap, weight, vectors, start };
            arena.backward(plan, index, microbatch.rows, &mut to, &microbatch.mode);
        }
    }

    /// Samples targets for the samples in `arena` and computes their gradients at the outputs.
    fn draw(&self, team: &mut Team, plan: &Plan, arena: &mut Arena, microbatch: &Microbatch) {
        let Microbatch { rows, ref mode, .. } = *microbatch;
        let key = Key { seed: mode.seed, purpose: Purpose::DrawnTargets, epoch: mode.epoch };
        let Arena { input, outputs, deltas, scores, .. } = arena;
        let outputs = Matrix::new(outputs.last().unwrap_or(input), rows, plan.outputs);
        let delta = MatrixMut::new(&mut deltas[0], rows, plan.outputs);
        every_row(team, outputs, None, delta, &mut scores[..rows], DRAW_WORK, |row, z, delta| {
            self.likelihood.draw(z, &mut key.draws((mode.first + row) as u64), delta);
            0.0
        });
    }

    /// Ends a leaf of `leaf` samples after `done` samples of a large update.
    pub(super) fn close_leaf(&mut self, team: &mut Team, leaf: usize, done: usize, last: bool) {
        self.moments.sums.close_full_leaf(team, leaf, done, last);
    }

    /// Passes the means over `count` samples to the rules of the current update.
    pub(super) fn hand_over(&mut self, team: &mut Team, count: f64, updater: &mut Updater<Buffer>) {
        let Moments { layers, sums, .. } = &mut self.moments;
        sums.divide(team, count);
        for MomentSums { entry, moments } in layers {
            updater.take_in(team, *entry, moments.clone().map(|place| &sums.leaf[place]));
        }
    }
}

impl State for Curvature {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.moments.sums.code(codec)
    }
}

/// Cost of sampling one output's gradient, in multiply-adds.
const DRAW_WORK: usize = 32;

fn likelihood(loss: &Loss) -> Result<Likelihood> {
    loss.likelihood().ok_or_else(|| {
        Error::usage(format!("k-fac needs a loss that is a likelihood, not `{loss}`"))
            .because(Cause::Mismatch)
            .advise("--loss cross-entropy, nll, mse or bce")
    })
}

/// Checks that k-fac is used only for the weights and biases of whole linear layers.
fn check_layers(descent: &Descent, plan: &Plan) -> Result<()> {
    let (entries, groups) = (plan.layout.entries(), descent.assign(&plan.layout)?);
    let by_k_fac = |index: usize| {
        let group = groups.get(index).copied().flatten()?;
        descent.groups[group].rule.wants().curvature.then_some(group)
    };
    let is_weight = |index: usize| entries[index].role == Role::Weight;
    for (index, entry) in entries.iter().enumerate().filter(|(index, _)| by_k_fac(*index).is_some()) {
        let partner = match entry.role {
            Role::Weight => Some(index + 1),
            _ => index.checked_sub(1).filter(|weight| is_weight(*weight)),
        };
        if partner.and_then(by_k_fac) != by_k_fac(index) {
            let (name, layer) = (&entry.name, entry.layer());
            return Err(Error::usage(format!(
                "k-fac updates the weight and bias of a linear layer together, not tensor `{name}` by itself"
            ))
            .advise(format!("another rule for that layer: {layer}@sgd:lr=0.1/k-fac")));
        }
    }
    Ok(())
}

/// Sizes of the moments of all observed layers.
struct MomentShape {
    layers: Vec<MomentSums>,
    /// Number of sums.
    len: usize,
    /// Largest number of inputs of a layer and the 1 appended to them.
    widest: usize,
}

impl MomentShape {
    fn of(plan: &Plan, descent: &Descent) -> Result<Self> {
        let mut shape = Self { layers: vec![], len: 0, widest: 0 };
        for (entry, group) in descent.assign(&plan.layout)?.into_iter().enumerate() {
            let tensor = &plan.layout.entries()[entry];
            let wants = group.is_some_and(|group| descent.groups[group].rule.wants().curvature);
            if !wants || tensor.role != Role::Weight {
                continue;
            }
            let moments = [tensor.rows + 1, tensor.cols].map(|side| {
                let first = shape.len;
                shape.len += side * padded(side);
                first..shape.len
            });
            shape.widest = shape.widest.max(padded(tensor.rows + 1));
            shape.layers.push(MomentSums { entry, moments });
        }
        Ok(shape)
    }
}

impl Moments {
    fn new(plan: &Plan, descent: &Descent, sizes: &Sizes) -> Result<Self> {
        let MomentShape { layers, len, widest } = MomentShape::of(plan, descent)?;
        let inputs = Buffer::zeros(sizes.microbatch * widest);
        Ok(Self { layers, sums: Sums::new(len, sizes), inputs })
    }
}

impl Tap for Moments {
    fn watch(&mut self, team: &mut Team, weight: usize, x: Matrix, delta: Matrix, start: Start) {
        let Some(place) = self.layers.iter().find(|place| place.entry == weight) else { return };
        let [a, g] = place.moments.clone();
        let x = with_ones(x, &mut self.inputs);
        let [side, outputs] = [x, delta].map(|matrix| matrix.shape().1);
        weight_gradient(team, x, x, start, MatrixMut::new(&mut self.sums.leaf[a], side, side));
        let to = MatrixMut::new(&mut self.sums.leaf[g], outputs, outputs);
        weight_gradient(team, delta, delta, start, to);
    }
}

/// Returns X with a column of ones appended.
fn with_ones<'a>(x: Matrix, room: &'a mut [f32]) -> Matrix<'a> {
    let (rows, cols) = x.shape();
    for (row, to) in room.chunks_exact_mut(padded(cols + 1)).take(rows).enumerate() {
        to[..cols].copy_from_slice(&x.row(row)[..cols]);
        to[cols..].fill(0.0);
        to[cols] = 1.0;
    }
    Matrix::new(room, rows, cols + 1)
}

/// Destination of gradients that are only observed by a tap.
struct Watching<'a> {
    team: &'a mut Team,
    values: &'a [f32],
    tap: &'a mut dyn Tap,
    /// Entry of the layer's weight, if it is linear.
    weight: usize,
    /// Buffer for gradients of vectors, which are not used.
    vectors: &'a mut [f32],
    start: Start,
}

impl Gradients for Watching<'_> {
    fn compute(&mut self) -> (&mut Team, &[f32]) {
        (self.team, self.values)
    }

    fn weight_and_bias(&mut self, x: Matrix, dy: Matrix) {
        self.tap.watch(self.team, self.weight, x, dy, self.start);
    }

    fn vectors(&mut self, sum: &mut VectorGradients) {
        sum(self.team, self.values, self.vectors, Start::Fresh);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Control, Cpu, Engine, Limits, Session, Watch};
    use schuss_data::stream::order::Order;
    use schuss_data::{Dataset, Feed, Samples};

    /// Units of the hidden layer.
    const HIDDEN: usize = 6;

    /// A and G of a layer, row by row without pad lanes.
    type Squares = [Vec<f64>; 2];

    /// Returns the parameters of 64-6-10, and A and G of both layers averaged over many epochs with constant weights.
    fn averages(data: &Dataset) -> (Vec<f32>, [Squares; 2]) {
        let mut trial = Trial { model: "64-6-10".parse().unwrap(), ..Trial::default() };
        trial.recipe.update = "batch:20".parse().unwrap();
        trial.recipe.optimizer = "k-fac:lr=0,decay=0.99999".parse().unwrap();
        let mut cpu = Cpu::new(&trial, data, Limits::default()).unwrap();
        let mut feed = Feed::new(&data.train, &data.normalisation, Order::Shuffled, 1, 100, 0).unwrap();
        let (control, mut seen) = (Control::default(), vec![]);
        for epoch in 0..60 {
            feed.begin(epoch);
            for first in (0..feed.len()).step_by(20) {
                let watch = Watch::new(&control, None);
                cpu.advance(&mut feed, first..first + 20, watch, &mut seen).unwrap();
            }
        }
        let layer = |entry, sides: [usize; 2]| {
            let slots = cpu.path.optimizer().slots(entry);
            [0, 1].map(|k| dense(&slots[k], sides[k]))
        };
        let moments = [layer(0, [65, HIDDEN]), layer(2, [HIDDEN + 1, 10])];
        (cpu.params().values().to_vec(), moments)
    }

    fn dense(square: &[f32], side: usize) -> Vec<f64> {
        let rows = square.chunks_exact(padded(side)).take(side);
        rows.flat_map(|row| row[..side].iter().map(|&x| f64::from(x))).collect()
    }

    /// Returns the expected means: A over all samples, G also over all classes with the network's own probabilities.
    fn expected(split: &Samples, values: &[f32]) -> [Squares; 2] {
        let at = |place: usize| f64::from(values[place]);
        let (bias, second) = (64 * 16, 65 * 16); // each row of weights or biases takes 16 numbers
        let mut moments =
            [[65, HIDDEN], [HIDDEN + 1, 10]].map(|sides| sides.map(|side| vec![0.0; side * side]));
        for sample in 0..split.len() {
            let x: Vec<f64> = split.pixels(sample).iter().map(|&pixel| f64::from(pixel) / 255.0).collect();
            let sum = |j: usize| at(bias + j) + (0..64).map(|i| x[i] * at(i * 16 + j)).sum::<f64>();
            let hidden: Vec<f64> = (0..HIDDEN).map(|j| sum(j).max(0.0)).collect();
            let logit = |k: usize| {
                (0..=HIDDEN).map(|j| hidden.get(j).unwrap_or(&1.0) * at(second + j * 16 + k)).sum()
            };
            let odds: Vec<f64> = (0..10).map(|k: usize| f64::exp(logit(k))).collect();
            let total: f64 = odds.iter().sum();
            let share = 1.0 / split.len() as f64;
            add_square(&mut moments[0][0], &x, Some(1.0), share);
            add_square(&mut moments[1][0], &hidden, Some(1.0), share);
            for class in 0..10 {
                let delta: Vec<f64> =
                    (0..10).map(|k| odds[k] / total - f64::from(u8::from(k == class))).collect();
                let below = |j: usize| (0..10).map(|k| delta[k] * at(second + j * 16 + k)).sum::<f64>();
                let before: Vec<f64> =
                    (0..HIDDEN).map(|j| if hidden[j] > 0.0 { below(j) } else { 0.0 }).collect();
                let share = share * odds[class] / total;
                add_square(&mut moments[0][1], &before, None, share);
                add_square(&mut moments[1][1], &delta, None, share);
            }
        }
        moments
    }

    /// S += share [x last]ᵀ [x last]
    fn add_square(s: &mut [f64], x: &[f64], last: Option<f64>, share: f64) {
        let x: Vec<f64> = x.iter().copied().chain(last).collect();
        let products = x.iter().flat_map(|a| x.iter().map(move |b| a * b));
        s.iter_mut().zip(products).for_each(|(s, product)| *s += share * product);
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
    }

    #[test]
    fn what_k_fac_is_told_are_moments_of_inputs_and_of_gradients_under_the_networks_own_distribution() {
        let data = schuss_data::load("digits:train=600,test=100,size=8").unwrap();
        let (values, found) = averages(&data);
        for (layer, (found, expected)) in
            found.iter().zip(expected(data.train.resident().unwrap(), &values)).enumerate()
        {
            let [a, g] = [0, 1].map(|k| distance(&found[k], &expected[k]));
            assert!(a < 1e-5 && g < 0.03, "layer {layer}: A {a:e}, G {g:e} off");
        }
    }

    #[test]
    fn what_k_fac_cannot_take_is_refused_with_a_way_out() {
        let data = schuss_data::load("digits:train=60,test=10,size=8").unwrap();
        for (model, optimizer, loss, part) in [
            ("64-6-10", "k-fac", "multi-margin", "needs a loss that is a likelihood, not `multi-margin`"),
            ("linear:6,layer-norm,linear:10", "k-fac", "cross-entropy", "not tensor `1.weight` by itself"),
            ("64-6-10", "weights@k-fac/sgd", "cross-entropy", "not tensor `0.weight` by itself"),
            ("64-6-10", "bias@k-fac/sgd", "cross-entropy", "not tensor `0.bias` by itself"),
        ] {
            let mut trial = Trial { model: model.parse().unwrap(), ..Trial::default() };
            trial.recipe.optimizer = optimizer.parse().unwrap();
            trial.recipe.loss = loss.parse().unwrap();
            let error = Session::new(&trial, &data, Limits::default()).err().unwrap();
            assert!(error.exit_code() == 2 && error.what.contains(part), "{error}");
            assert!(error.advice.is_some());
        }
    }
}
