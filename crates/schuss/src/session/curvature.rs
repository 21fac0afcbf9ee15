//! The curvature of linear layers, from gradients of drawn targets on their way back through the network.

use super::backward::Sums;
use super::engine::Engine;
use crate::keep::{Keep, Keeper};
use crate::loss::{Likelihood, Loss};
use crate::network::{Arena, Dense, Kind, Mode, Plan, Role};
use crate::optim::{Descent, Rule, Updater};
use crate::recipe::Trial;
use crate::{Error, Result};
use schuss_data::random::{Key, Purpose};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start, weight_gradient};
use schuss_kernels::rows::every_row;
use schuss_kernels::{Buffer, Team, padded};
use std::io;
use std::ops::Range;

/// Whoever watches linear layers.
pub(super) trait Tap {
    /// Some samples sent `x` into a layer, and the gradients `delta` came back to its outputs; sums begin or go on.
    fn watch(&mut self, team: &mut Team, layer: &Dense, x: Matrix, delta: Matrix, start: Start);
}

/// What k-fac needs to know of an update's samples.
pub(super) struct Curvature {
    likelihood: Likelihood,
    moments: Moments,
    /// Room for gradients of vectors, which nobody needs here.
    vectors: Buffer,
}

/// For every layer that is watched Σ [x 1]ᵀ [x 1] and Σ δᵀ δ over the samples of an update.
struct Moments {
    layers: Vec<Place>,
    sums: Sums,
    /// Inputs of a layer with a 1 behind: [capacity, widest + 1]
    inputs: Buffer,
}

/// Where the sums of a layer stand.
struct Place {
    /// The layer's weights in the layout.
    entry: usize,
    moments: [Range<usize>; 2],
}

impl Curvature {
    /// For updates of up to `samples` samples in microbatches of up to `capacity`, if a rule of the trial asks for it.
    ///
    /// # Errors
    /// Usage errors: losses and tensors whose curvature nobody knows.
    pub(super) fn new(
        (trial, plan): (&Trial, &Plan),
        updater: &Updater<Buffer>,
        [samples, leaf, capacity]: [usize; 3],
    ) -> Result<Option<Box<Self>>> {
        let descent = trial.recipe.optimizer.descent();
        if !descent.groups.iter().any(|group| matches!(group.rule, Rule::KFac(_))) {
            return Ok(None);
        }
        check_layers(descent, plan)?;
        let likelihood = likelihood(&trial.recipe.loss)?;
        let moments = Moments::new(plan, updater, [samples, leaf, capacity]);
        Ok(Some(Box::new(Self { likelihood, moments, vectors: Buffer::zeros(plan.largest_vectors()) })))
    }

    pub(super) fn bytes(&self) -> usize {
        self.moments.sums.bytes() + size_of_val(&self.moments.inputs[..]) + size_of_val(&self.vectors[..])
    }

    /// Draws gradients at the outputs of the samples that are in `arena`.
    fn draw(&self, team: &mut Team, plan: &Plan, arena: &mut Arena, (rows, mode): (usize, &Mode)) {
        let key = Key { seed: mode.seed, purpose: Purpose::DrawnTargets, epoch: mode.epoch };
        let Arena { input, outputs, deltas, scores, .. } = arena;
        let outputs = Matrix::new(outputs.last().unwrap_or(input), rows, plan.outputs);
        let delta = MatrixMut::new(&mut deltas[0], rows, plan.outputs);
        every_row(team, outputs, None, delta, &mut scores[..rows], DRAW_WORK, |row, z, delta| {
            self.likelihood.draw(z, &mut key.draws((mode.first + row) as u64), delta);
            0.0
        });
    }

    /// After `done` samples of a large update.
    pub(super) fn close_leaf(&mut self, team: &mut Team, (done, leaf): (usize, usize), last: bool) {
        self.moments.sums.close_leaf(team, (done, leaf), last);
    }

    /// Hands the means over `count` samples to the rules of the update begun last.
    pub(super) fn hand_over(&mut self, team: &mut Team, count: f64, updater: &mut Updater<Buffer>) {
        let Moments { layers, sums, .. } = &mut self.moments;
        sums.divide(team, count);
        for Place { entry, moments } in layers {
            updater.take_in(team, *entry, moments.clone().map(|place| &sums.leaf[place]));
        }
    }
}

impl Keep for Curvature {
    fn keep(&mut self, keeper: &mut Keeper) -> io::Result<()> {
        self.moments.sums.keep(keeper)
    }
}

/// Multiply-adds that drawing one output's gradient is worth.
const DRAW_WORK: usize = 32;

fn likelihood(loss: &Loss) -> Result<Likelihood> {
    loss.likelihood().ok_or_else(|| {
        Error::usage(format!("k-fac needs a loss that is a likelihood, not `{loss}`"))
            .advise("--loss cross-entropy, nll, mse or bce")
    })
}

/// Refuses k-fac for anything but the weights and biases of whole linear layers.
fn check_layers(descent: &Descent, plan: &Plan) -> Result<()> {
    let (entries, groups) = (plan.layout.entries(), descent.assign(&plan.layout)?);
    let by_k_fac = |index: usize| {
        let group = groups.get(index).copied().flatten()?;
        matches!(descent.groups[group].rule, Rule::KFac(_)).then_some(group)
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
                "k-fac moves weights and biases of linear layers together, not tensor `{name}` by itself"
            ))
            .advise(format!("another rule for that layer: {layer}@sgd:lr=0.1/k-fac")));
        }
    }
    Ok(())
}

impl Moments {
    fn new(plan: &Plan, updater: &Updater<Buffer>, [samples, leaf, capacity]: [usize; 3]) -> Self {
        let (mut layers, mut len, mut widest) = (vec![], 0, 0);
        for &entry in &updater.watched() {
            let tensor = &plan.layout.entries()[entry];
            let moments = [tensor.rows + 1, tensor.cols].map(|side| {
                let first = len;
                len += side * padded(side);
                first..len
            });
            widest = widest.max(padded(tensor.rows + 1));
            layers.push(Place { entry, moments });
        }
        Self { layers, sums: Sums::new(len, samples, leaf), inputs: Buffer::zeros(capacity * widest) }
    }
}

impl Tap for Moments {
    fn watch(&mut self, team: &mut Team, layer: &Dense, x: Matrix, delta: Matrix, start: Start) {
        let Some(place) = self.layers.iter().find(|place| place.entry == layer.entry) else { return };
        let [a, g] = place.moments.clone();
        let x = with_ones(x, &mut self.inputs);
        let [side, outputs] = [x, delta].map(|matrix| matrix.shape().1);
        weight_gradient(team, x, x, start, MatrixMut::new(&mut self.sums.leaf[a], side, side));
        let to = MatrixMut::new(&mut self.sums.leaf[g], outputs, outputs);
        weight_gradient(team, delta, delta, start, to);
    }
}

/// X with a column of ones behind.
fn with_ones<'a>(x: Matrix, room: &'a mut [f32]) -> Matrix<'a> {
    let (rows, cols) = x.shape();
    for (row, to) in room.chunks_exact_mut(padded(cols + 1)).take(rows).enumerate() {
        to[..cols].copy_from_slice(&x.row(row)[..cols]);
        to[cols..].fill(0.0);
        to[cols] = 1.0;
    }
    Matrix::new(room, rows, cols + 1)
}

impl Engine {
    /// Looks at the curvature for the samples that have just gone through the network, if a rule asks for it.
    pub(super) fn look_at_curvature(&mut self, rows: usize, start: Start, mode: &Mode) {
        let Some(mut curvature) = self.curvature.take() else { return };
        curvature.draw(&mut self.team, &self.plan, &mut self.arena, (rows, mode));
        let Curvature { moments, vectors, .. } = &mut *curvature;
        self.send_back(moments, vectors, rows, start, mode);
        self.curvature = Some(curvature);
    }

    /// Sends what is in `deltas[0]` back through the network, past the tap; penalties have no part in it.
    fn send_back(&mut self, tap: &mut impl Tap, vectors: &mut [f32], rows: usize, start: Start, mode: &Mode) {
        let lowest = self.plan.lowest_trained();
        for index in (lowest..self.plan.stages.len()).rev() {
            match self.plan.stages[index].kind.clone() {
                Kind::Dense(dense) => {
                    let x = self.arena.stage_input(&self.plan, index, rows);
                    let delta = Matrix::new(&self.arena.deltas[0], rows, dense.outputs);
                    tap.watch(&mut self.team, &dense, x, delta, start);
                    if index > lowest {
                        self.input_gradient(index, &dense, rows);
                    }
                }
                Kind::Activity(_) => continue,
                _ => {
                    let (_, place) = self.plan.stages[index].vectors(&self.plan.layout);
                    let sums = (&mut vectors[..place.len()], Start::Fresh);
                    let seen = (self.params.values(), rows);
                    self.arena.backward(&mut self.team, (&self.plan, index), seen, sums, mode);
                }
            }
            self.arena.deltas.swap(0, 1);
        }
    }
}
