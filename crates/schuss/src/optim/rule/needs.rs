//! Needs of a rule beyond gradients, weights and its own state.

/// Needs of a rule beyond gradients, weights and its own state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Moments of the inputs and output gradients of linear layers, for `take_in`.
    pub(crate) curvature: bool,
    /// Mean loss of the update's samples.
    pub(crate) loss: bool,
    /// Rule for all other tensors, if this one is made for hidden weight matrices alone.
    pub(crate) beside: Option<&'static str>,
}
