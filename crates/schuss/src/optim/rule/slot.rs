//! State that rules keep between updates.

/// A state buffer that a rule keeps between updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Name in checkpoints and equations.
    pub name: &'static str,
    /// Shape for a tensor.
    pub shape: SlotShape,
    /// Value before the first update.
    pub first: First,
}

/// Shape of a slot for a tensor of shape `[rows, cols]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotShape {
    /// `[rows, cols]`: one value per weight.
    Like,
    /// `[rows]`: one value per input of a weight matrix.
    Rows,
    /// `[cols]`: one value per output.
    Cols,
    /// `[rows, rows]`.
    SquareOfRows,
    /// `[cols, cols]`.
    SquareOfCols,
    /// `[rows + 1, cols]`: a weight matrix and the bias after it.
    Layer,
    /// `[rows + 1, rows + 1]`: inputs of a layer, and the 1 that its bias multiplies.
    SquareOfInputs,
    /// Square matrix whose side is the smaller of `rows` and `cols`.
    SmallerSquare,
    /// A single value.
    Scalar,
}

/// Value of a slot before the first update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum First {
    /// The same value everywhere.
    Value(f64),
    /// The initial weights.
    Weights,
}

impl Slot {
    /// Creates a slot with one value per weight, initially zero.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, shape: SlotShape::Like, first: First::Value(0.0) }
    }

    /// Creates a slot with one value per weight, initially `value`.
    pub(crate) const fn filled(name: &'static str, value: f64) -> Self {
        Self { first: First::Value(value), ..Self::new(name) }
    }

    /// Creates a slot with one value per weight, initially the weight itself.
    pub(crate) const fn copied(name: &'static str) -> Self {
        Self { first: First::Weights, ..Self::new(name) }
    }

    /// Returns the slot with another shape.
    pub(crate) const fn shaped(self, shape: SlotShape) -> Self {
        Self { shape, ..self }
    }
}

/// Weights to evaluate: w + share (slot − w).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    /// Index of the slot.
    pub(crate) slot: usize,
    /// Fraction of the way from the weights to the slot.
    pub(crate) share: f64,
}
