//! Rows of outputs that losses are computed on.

use super::Target;
use schuss_kernels::{Lane, Math};

/// Outputs of one sample with their targets, and the gradient with respect to them, which a loss writes. A loss is
/// written once for all kinds of row: numbers, and records of what is done to them.
pub trait Row {
    /// Output, target or slope.
    type Lane: Math;
    /// Place of an output.
    type Place: Copy;

    /// Returns the number of outputs.
    fn outputs(&self) -> usize;

    /// Returns an output z.
    fn output(&self, at: Self::Place) -> Self::Lane;

    /// Returns the target of an output; classes are one-hot.
    fn target(&self, at: Self::Place) -> Self::Lane;

    /// Returns the place of the sample's class; `None` if its target is a row of numbers.
    fn class(&self) -> Option<Self::Place>;

    /// Returns the one of `values` that belongs to an output; 1 if there are fewer.
    fn pick(&self, values: &[f64], at: Self::Place) -> Self::Lane;

    /// Writes the gradient with respect to an output.
    fn set_slope(&mut self, at: Self::Place, slope: Self::Lane);

    /// Returns what `each` makes of `start`, from output to output.
    fn fold<const N: usize>(
        &mut self,
        start: [Self::Lane; N],
        each: impl FnMut(&mut Self, Self::Place, [Self::Lane; N]) -> [Self::Lane; N],
    ) -> [Self::Lane; N];

    /// Returns `value` where x is above zero, else 0: what is not needed is not computed, if that can be known.
    fn where_positive(&self, x: Self::Lane, value: impl FnOnce() -> Self::Lane) -> Self::Lane {
        x.where_positive(value(), Self::Lane::splat(0.0))
    }

    /// Calls `act` with every output in order.
    fn each(&mut self, mut act: impl FnMut(&mut Self, Self::Place)) {
        self.fold([], |row, at, []| {
            act(row, at);
            []
        });
    }

    /// Returns the sum over all outputs of what `each` returns, in order.
    fn sum(&mut self, mut each: impl FnMut(&mut Self, Self::Place) -> Self::Lane) -> Self::Lane {
        let zero = Self::Lane::splat(0.0);
        let [sum] = self.fold([zero], |row, at, [sum]| [sum + each(row, at)]);
        sum
    }

    /// Returns the largest output.
    fn largest(&mut self) -> Self::Lane {
        let lowest = Self::Lane::splat(f64::NEG_INFINITY);
        let [largest] = self.fold([lowest], |row, at, [largest]| [row.output(at).max(largest)]);
        largest
    }
}

/// Row of numbers.
pub(super) struct Numbers<'a> {
    pub(super) z: &'a [f32],
    pub(super) target: Target<'a>,
    pub(super) delta: &'a mut [f32],
}

impl<'a> Numbers<'a> {
    /// Creates a row of outputs whose targets and gradient do not matter.
    pub(super) fn of(z: &'a [f32]) -> Self {
        Self { z, target: Target::Class(0), delta: &mut [] }
    }
}

impl Row for Numbers<'_> {
    type Lane = f64;
    type Place = usize;

    fn outputs(&self) -> usize {
        self.z.len()
    }

    fn output(&self, at: usize) -> f64 {
        f64::from(self.z[at])
    }

    fn target(&self, at: usize) -> f64 {
        self.target.at(at)
    }

    fn class(&self) -> Option<usize> {
        match self.target {
            Target::Class(class) => Some(class),
            Target::Row(_) => None,
        }
    }

    fn pick(&self, values: &[f64], at: usize) -> f64 {
        values.get(at).copied().unwrap_or(1.0)
    }

    fn set_slope(&mut self, at: usize, slope: f64) {
        self.delta[at] = slope as f32;
    }

    fn where_positive(&self, x: f64, value: impl FnOnce() -> f64) -> f64 {
        if x > 0.0 { value() } else { 0.0 }
    }

    fn fold<const N: usize>(
        &mut self,
        start: [f64; N],
        mut each: impl FnMut(&mut Self, usize, [f64; N]) -> [f64; N],
    ) -> [f64; N] {
        (0..self.z.len()).fold(start, |folded, at| each(self, at, folded))
    }
}
