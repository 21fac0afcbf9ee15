use super::{Describe, Slot, Staged, Step};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::custom;
use schuss_kernels::{Lane, padded};
use std::fmt::Debug;

/// A user-defined rule, which any trial can use as [`Rule::Custom`](super::Rule::Custom).
///
/// [`step`](Self::step) is called once per tensor and update, in the order of the layout, from the thread that runs the
/// session; several sessions may call it at the same time. It sees the whole tensor, must depend on nothing else, and
/// keeps what it needs in the slots, which are saved in checkpoints. `examples/02-your-own-optimizer.rs` has a short
/// rule. [`Custom::register`] makes it known to study files and to `Begun::resume`.
pub trait CustomRule: Debug + Send + Sync {
    /// Returns its name in specs, tables and records, which includes its hyper-parameters.
    fn name(&self) -> String;

    /// Returns the number of values kept per weight, initially zero; at most [`MOST_SLOTS`].
    fn slots(&self) -> usize {
        0
    }

    /// Updates one tensor.
    fn step(&self, tensor: &mut CustomTensor);
}

/// A tensor as a [`CustomRule`] sees it in an update.
#[derive(Debug)]
pub struct CustomTensor<'a> {
    /// Update number, from 1.
    pub t: u64,
    /// Mean loss of the update's samples.
    pub loss: f64,
    /// Rows (inputs) and columns (outputs); a bias has one row.
    pub shape: [usize; 2],
    /// Mean gradient over the update's samples, in row-major order.
    pub gradient: &'a [f32],
    /// Weights to update, in the same order.
    pub weights: &'a mut [f32],
    /// State kept per weight, one list per slot, in the same order.
    pub slots: &'a mut [Vec<f32>],
}

/// Maximum number of values that a [`CustomRule`] may keep per weight.
pub const MOST_SLOTS: usize = 8;

custom! {
    /// Row of the table that holds a [`CustomRule`]: one of your own, found in specs as `custom:name=NAME` once it is
    /// registered.
    Custom of CustomRule, registered in RULES as "optimizer"
}

impl Describe for Custom {
    fn slots(&self) -> Vec<Slot> {
        const NAMES: [&str; MOST_SLOTS] =
            ["slot 1", "slot 2", "slot 3", "slot 4", "slot 5", "slot 6", "slot 7", "slot 8"];
        let kept = self.own.as_ref().map_or(0, |rule| rule.slots());
        NAMES.into_iter().take(kept).map(Slot::new).collect()
    }
}

impl Staged for Custom {
    fn step<A: Arithmetic>(&self, step: &Step, _: &mut A, tensors: Tensors<A>) {
        let Some(rule) = &self.own else { return };
        for tensor in tensors.all {
            let place = tensor.place.clone();
            let gradient = dense(tensor, &tensors.gradients[place.clone()]);
            let mut weights = dense(tensor, &tensors.weights[place.clone()]);
            let mut slots: Vec<Vec<f32>> = tensor.slots.iter().map(|slot| dense(tensor, slot)).collect();
            rule.step(&mut CustomTensor {
                t: step.t,
                loss: step.loss,
                shape: [tensor.rows, tensor.cols],
                gradient: &gradient,
                weights: &mut weights,
                slots: &mut slots,
            });
            let cols = tensor.cols;
            lay_out(cols, &weights, &mut tensors.weights[place]);
            tensor.slots.iter_mut().zip(&slots).for_each(|(to, slot)| lay_out(cols, slot, to));
        }
    }
}

/// Returns the values without pad lanes, in row-major order.
fn dense<B, T: Lane + Into<f64>>(tensor: &Tensor<B>, values: &[T]) -> Vec<f32> {
    let rows = values.chunks_exact(padded(tensor.cols)).take(tensor.rows);
    rows.flat_map(|row| row[..tensor.cols].iter().map(|&x| Into::<f64>::into(x) as f32)).collect()
}

fn lay_out<T: Lane>(cols: usize, values: &[f32], to: &mut [T]) {
    for (row, values) in to.chunks_exact_mut(padded(cols)).zip(values.chunks_exact(cols)) {
        row.iter_mut().zip(values).for_each(|(to, &value)| *to = T::splat(f64::from(value)));
    }
}
