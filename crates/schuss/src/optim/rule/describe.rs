//! What the files of all rules provide, and what they are given.

use super::linear::Linear;
use super::slot::{Shown, Slot, SlotShape};
use crate::network::Entry;
use crate::optim::arithmetic::{Arithmetic, Tensors};
use crate::recipe::spec::Choice;
use schuss_kernels::sweep::Elementwise;

/// What the files of all rules provide.
pub(crate) trait Describe: Choice {
    /// What it keeps per weight, row, column or tensor.
    fn slots(&self) -> Vec<Slot> {
        vec![]
    }

    /// Room for what an update works out on its way, from zeros at first; nothing there is of use later.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![]
    }

    /// Whether slots and scratch of `shape` are of use for `tensor`; they are empty if not.
    fn needs(&self, _shape: SlotShape, _tensor: &Entry) -> bool {
        true
    }

    /// Numbers it carries from update to update for all weights together, with what they are at first.
    fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Learning rate.
    fn lr(&mut self) -> Option<&mut f64> {
        None
    }

    /// Momentum, or the memory of a first moment.
    fn momentum(&mut self) -> Option<&mut f64> {
        None
    }

    /// Memory of a second moment.
    fn beta2(&mut self) -> Option<&mut f64> {
        None
    }

    /// Where the weights to be evaluated are found, if not among the weights themselves.
    fn shown(&self) -> Option<Shown> {
        None
    }

    /// What decoupled decay leaves of a weight in an update.
    fn keep(&self) -> f64 {
        1.0
    }

    /// Begins update `t` (from 1): carries the scalars on.
    fn begin(&self, _t: u64, _scalars: &mut [f64]) {}
}

/// Lets schedules drive these fields: `lr`, `momentum` and `beta2` of [`Describe`].
macro_rules! knobs {
    ($($knob:ident = $field:ident),*) => {
        $(fn $knob(&mut self) -> Option<&mut f64> {
            Some(&mut self.$field)
        })*
    };
}
pub(super) use knobs;

/// A rule whose weights go their ways one by one.
pub(super) trait ByElement: Describe {
    /// Shows `visitor` the arithmetic of an update.
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output;
}

/// A rule that is a linear map of gradient, weight and velocity.
pub(super) trait ByMap: ByElement {
    /// Update `t` (from 1) as a linear map.
    fn linear(&self, t: u64) -> Linear;
}

/// A rule that looks at whole tensors, or at all weights, before it changes one.
pub(super) trait Staged: Describe {
    /// One update of all tensors of a group.
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>);
}

/// Which update it is, and what is known at its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// From 1.
    pub(crate) t: u64,
    /// The rule's scalars, after `begin`.
    pub(crate) scalars: &'a [f64],
    /// Mean loss of the update's samples; NaN where nobody knows it.
    pub(crate) loss: f64,
}

impl Step<'_> {
    /// Update `t` of a rule without scalars.
    pub(crate) fn at(t: u64) -> Self {
        Self { t, scalars: &[], loss: f64::NAN }
    }
}

/// Whoever wants to run an update's arithmetic, whatever its number of slots.
pub(crate) trait Visitor {
    /// What it returns.
    type Output;

    /// Runs `update`, which has `S` slots.
    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) -> Self::Output;
}
