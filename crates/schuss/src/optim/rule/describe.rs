//! Traits that rules implement, and the context of an update.

use super::linear::Linear;
use super::needs::Needs;
use super::slot::{Shown, Slot, SlotShape};
use crate::network::Entry;
use crate::optim::arithmetic::{Arithmetic, Tensor, Tensors};
use crate::spec::Choice;
use schuss_kernels::sweep::Elementwise;

/// Properties of a rule.
pub(crate) trait Describe: Choice {
    /// Returns the needs of the rule beyond gradients, weights and its own state.
    fn wants(&self) -> Needs {
        Needs::default()
    }

    /// Returns the state kept per weight, row, column or tensor.
    fn slots(&self) -> Vec<Slot> {
        vec![]
    }

    /// Returns the scratch buffers that an update needs: zeros at first, and not needed after the update.
    fn scratch(&self) -> Vec<SlotShape> {
        vec![]
    }

    /// Returns true if `tensor` needs slots and scratch of `shape`; they are empty if not.
    fn needs(&self, _shape: SlotShape, _tensor: &Entry) -> bool {
        true
    }

    /// Returns the scalars carried from update to update for all weights together, with their initial values.
    fn scalars(&self) -> Vec<(&'static str, f64)> {
        vec![]
    }

    /// Returns the learning rate, if the rule has one.
    fn lr(&mut self) -> Option<&mut f64> {
        None
    }

    /// Returns the momentum, or the decay rate of the first moment, if the rule has one.
    fn momentum(&mut self) -> Option<&mut f64> {
        None
    }

    /// Returns the decay rate of the second moment, if the rule has one.
    fn beta2(&mut self) -> Option<&mut f64> {
        None
    }

    /// Sets a first momentum that a schedule will drive, if the rule can have a momentum buffer and has none.
    fn add_momentum(&mut self, _momentum: f64) {}

    /// Returns the slot that determines the weights to evaluate; `None` if the trained weights are evaluated.
    fn shown(&self) -> Option<Shown> {
        None
    }

    /// Returns the factor that decoupled weight decay applies to a weight in an update.
    fn keep(&self) -> f64 {
        1.0
    }

    /// Begins update `t` (from 1): advances the scalars.
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

/// An element-wise rule.
pub(super) trait ByElement: Describe {
    /// Passes the arithmetic of an update to `visitor`.
    fn visit<V: Visitor>(&self, step: &Step, visitor: V) -> V::Output;
}

/// A rule that is a linear map of gradient, weight and velocity.
pub(super) trait ByMap: ByElement {
    /// Returns update `t` (from 1) as a linear map.
    fn linear(&self, t: u64) -> Linear;
}

/// A rule that needs whole tensors, or all weights, before it changes any.
pub(super) trait Staged: Describe {
    /// Updates all tensors of a group.
    fn step<A: Arithmetic>(&self, step: &Step, arithmetic: &mut A, tensors: Tensors<A>);

    /// Receives curvature statistics of update `t` before its step, if the rule [wants](Describe::wants) them: the means
    /// over the update's samples of [x 1]ᵀ [x 1] and of δᵀ δ, for the linear layer of `weight`.
    fn take_in<A: Arithmetic>(
        &self,
        _t: u64,
        _arithmetic: &mut A,
        _weight: &mut Tensor<A::Buffer>,
        _moments: [&[A::T]; 2],
    ) {
    }
}

/// Number of an update, and values known at its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// Update number, from 1.
    pub(crate) t: u64,
    /// Scalars of the rule, after `begin`.
    pub(crate) scalars: &'a [f64],
    /// Mean loss of the update's samples; NaN if unknown.
    pub(crate) loss: f64,
}

impl Step<'_> {
    /// Creates update `t` of a rule without scalars.
    pub(crate) fn at(t: u64) -> Self {
        Self { t, scalars: &[], loss: f64::NAN }
    }
}

/// A visitor that runs an update's arithmetic, for any number of slots.
pub trait Visitor {
    /// Result of the visit.
    type Output;

    /// Runs `update`, which has `S` slots.
    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) -> Self::Output;
}
