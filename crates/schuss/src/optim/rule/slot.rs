//! What rules keep between updates.

/// Something a rule keeps between updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Its name in checkpoints and equations.
    pub name: &'static str,
    /// How many numbers for a tensor.
    pub shape: SlotShape,
    /// What it is before the first update.
    pub first: First,
}

/// How many numbers a slot keeps for a tensor of `[rows, cols]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotShape {
    /// One per weight.
    Like,
    /// One per row: per input of a weight.
    Rows,
    /// One per column: per output.
    Cols,
    /// `[rows, rows]`.
    SquareOfRows,
    /// `[cols, cols]`.
    SquareOfCols,
    /// `[rows + 1, cols]`: a weight and the bias behind it.
    Layer,
    /// `[rows + 1, rows + 1]`: inputs of a layer, and the 1 that its bias sees.
    SquareOfInputs,
    /// As many rows and columns as the tensor has of what it has less.
    SmallerSquare,
    /// One.
    Scalar,
}

/// What a slot is before the first update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum First {
    /// The same number everywhere.
    Value(f64),
    /// The initial weights.
    Weights,
}

impl Slot {
    /// One number per weight, at first zero.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, shape: SlotShape::Like, first: First::Value(0.0) }
    }

    /// The same, at first `value`.
    pub(crate) const fn filled(name: &'static str, value: f64) -> Self {
        Self { first: First::Value(value), ..Self::new(name) }
    }

    /// The same, at first the weight itself.
    pub(crate) const fn copied(name: &'static str) -> Self {
        Self { first: First::Weights, ..Self::new(name) }
    }

    /// The same name in another shape.
    pub(crate) const fn shaped(self, shape: SlotShape) -> Self {
        Self { shape, ..self }
    }
}

/// Weights to be evaluated: w + share (slot − w).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Index of the slot.
    pub(crate) slot: usize,
    /// How far from the weights to the slot.
    pub(crate) share: f64,
}
