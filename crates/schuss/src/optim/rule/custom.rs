use super::{Describe, Slot, Staged, Step};
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::recipe::spec::Choice;
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::{Lane, padded};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::sync::Arc;

/// A rule of your own, which joins any trial as [`Rule::Custom`](super::Rule::Custom).
///
/// It is asked tensor by tensor and may look at all of one. `examples/02-your-own-optimizer.rs` has one in a few lines.
pub trait CustomRule: Debug + Send + Sync {
    /// Its name in tables and records.
    fn name(&self) -> String;

    /// Numbers it keeps per weight, at first zero; at most [`MOST_SLOTS`].
    fn slots(&self) -> usize {
        0
    }

    /// One update of a tensor.
    fn step(&self, tensor: &mut CustomTensor);
}

/// What a rule of your own sees in an update.
#[derive(Debug)]
pub struct CustomTensor<'a> {
    /// Update, from 1.
    pub t: u64,
    /// Mean loss of the update's samples.
    pub loss: f64,
    /// Rows (inputs) and columns (outputs); a bias has one row.
    pub shape: [usize; 2],
    /// Mean gradient over the update's samples, row after row.
    pub gradient: &'a [f32],
    /// To be changed, in the same order.
    pub weights: &'a mut [f32],
    /// What was kept for each weight, one list per slot.
    pub slots: &'a mut [Vec<f32>],
}

/// Numbers per weight that a rule of your own may keep.
pub const MOST_SLOTS: usize = 8;

/// The row of the table that holds a [`CustomRule`]. It cannot be typed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Custom {
    /// Its name, for records.
    name: String,
    /// Itself.
    #[serde(skip)]
    rule: Option<Arc<dyn CustomRule>>,
}

impl<R: CustomRule + 'static> From<Arc<R>> for Custom {
    fn from(rule: Arc<R>) -> Self {
        Self { name: rule.name(), rule: Some(rule) }
    }
}

impl PartialEq for Custom {
    /// The same rule, not one that does the same.
    fn eq(&self, other: &Self) -> bool {
        match (&self.rule, &other.rule) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

impl Choice for Custom {
    const NAME: &'static str = "custom";

    fn check(&self) -> Result<()> {
        Err(Error::usage("a rule of your own cannot be typed")
            .advise("the library: Rule::from(Custom::from(Arc::new(MyRule)))"))
    }
}

impl Describe for Custom {
    fn slots(&self) -> Vec<Slot> {
        const NAMES: [&str; MOST_SLOTS] =
            ["slot 1", "slot 2", "slot 3", "slot 4", "slot 5", "slot 6", "slot 7", "slot 8"];
        let kept = self.rule.as_ref().map_or(0, |rule| rule.slots());
        NAMES.into_iter().take(kept).map(Slot::new).collect()
    }
}

impl Staged for Custom {
    fn step<A: Arithmetic>(&self, step: &Step, _: &mut A, tensors: Tensors<A>) {
        let Some(rule) = &self.rule else { return };
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

/// The numbers that count, row after row.
fn dense<B, T: Lane + Into<f64>>(tensor: &Tensor<B>, values: &[T]) -> Vec<f32> {
    let rows = values.chunks_exact(padded(tensor.cols)).take(tensor.rows);
    rows.flat_map(|row| row[..tensor.cols].iter().map(|&x| Into::<f64>::into(x) as f32)).collect()
}

fn lay_out<T: Lane>(cols: usize, values: &[f32], to: &mut [T]) {
    for (row, values) in to.chunks_exact_mut(padded(cols)).zip(values.chunks_exact(cols)) {
        row.iter_mut().zip(values).for_each(|(to, &value)| *to = T::splat(f64::from(value)));
    }
}
