//! Offsets subtracted from numbers before they are rounded to 32 bits.
//!
//! Seconds since 1970 or coordinates in metres are large numbers that differ only in their last digits: as 32-bit
//! floats they are all the same. Such a column is stored minus its minimum, which is subtracted in 64 bits. This is a
//! storage format, not a statistic learned from data: normalisation follows as for other columns.

use crate::text::listed;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Offsets subtracted from the numbers of every sample, in 64 bits, before they were rounded to 32.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offsets {
    /// One per feature; empty if all are 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// One per number of a label; empty if all are 0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<f64>,
}

/// Choice of the offsets for a file that is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Centring {
    /// Offsets that the file's own columns need.
    #[default]
    AsNeeded,
    /// No offsets for features, which are read unchanged.
    Never,
    /// Offsets that a model was trained with.
    By(Offsets),
}

/// Numbers are stored minus an offset if their magnitude is more than this many times their range, and 32-bit floats do
/// not hold them exactly: fewer than 16 of the 24 bits of the significand would be left to distinguish them.
const RATIO: f64 = 256.0;

impl Centring {
    /// Returns the offsets that a model was trained with; none if there is no model.
    pub(crate) fn given(&self) -> Offsets {
        if let Self::By(offsets) = self { offsets.clone() } else { Offsets::default() }
    }

    /// Returns the offsets to use, given those `needed`, and adds a note that refers to columns by number.
    pub(crate) fn settle(&self, needed: Offsets, notes: &mut Vec<String>) -> Offsets {
        let columns: Vec<f64> = needed.values.clone();
        let columns =
            columns.into_iter().zip(0_u64..).map(|(offset, number)| (format!("column {number}"), offset));
        self.settle_named(needed, columns, notes)
    }

    /// As [`Self::settle`], with the names of `columns` and the offset that each needs.
    pub(crate) fn settle_named(
        &self,
        needed: Offsets,
        columns: impl Iterator<Item = (String, f64)>,
        notes: &mut Vec<String>,
    ) -> Offsets {
        if let Self::By(offsets) = self {
            return offsets.clone();
        }
        let is_wanted = *self == Self::AsNeeded;
        notes.extend(note(columns, is_wanted));
        Offsets { values: if is_wanted { needed.values } else { Vec::new() }, labels: needed.labels }
    }
}

impl Offsets {
    /// Returns true if there are no offsets.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.labels.is_empty()
    }

    /// Returns the offset of a feature.
    pub fn value(&self, feature: usize) -> f64 {
        self.values.get(feature).copied().unwrap_or(0.0)
    }

    /// Returns the offset of a number of a label.
    pub fn label(&self, number: usize) -> f64 {
        self.labels.get(number).copied().unwrap_or(0.0)
    }

    /// Returns a note on the offsets of labels, by their `names`.
    pub(crate) fn note_labels(&self, names: impl Iterator<Item = String>) -> Option<String> {
        note(names.zip(self.labels.iter().copied()), true)
    }

    /// Checks that the offsets, which may come from a file, fit samples with this many features.
    ///
    /// # Errors
    /// A data error if they do not.
    pub fn check(&self, features: usize) -> Result<()> {
        let count = self.values.is_empty() || self.values.len() == features;
        if count && self.values.iter().chain(&self.labels).all(|offset| offset.is_finite()) {
            return Ok(());
        }
        Err(Error::data(format!("its offsets do not fit {features} features")))
    }
}

/// Returns the offsets that samples of `width` numbers need.
pub(crate) fn needed(numbers: &[f64], width: usize) -> Vec<f64> {
    let mut spreads = vec![Spread::default(); width];
    for row in numbers.chunks(width.max(1)) {
        spreads.iter_mut().zip(row).for_each(|(spread, &number)| spread.see(number));
    }
    list(spreads.into_iter().map(Spread::offset))
}

/// Collects offsets; returns an empty list if all are 0.
pub(crate) fn list(offsets: impl Iterator<Item = f64>) -> Vec<f64> {
    let offsets: Vec<f64> = offsets.collect();
    if offsets.iter().all(|offset| *offset == 0.0) { Vec::new() } else { offsets }
}

/// Returns `number` minus `offset`, rounded to 32 bits; infinite if it is out of range.
#[allow(clippy::cast_possible_truncation, reason = "rounds; whoever calls looks for what overflows")]
pub(crate) fn rounded(number: f64, offset: f64) -> f32 {
    (number - offset) as f32
}

/// Range of a column's numbers, and whether 32-bit floats hold them all exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    lowest: f64,
    highest: f64,
    is_rounded: bool,
}

impl Default for Spread {
    fn default() -> Self {
        Self { lowest: f64::INFINITY, highest: f64::NEG_INFINITY, is_rounded: false }
    }
}

impl Spread {
    pub(crate) fn see(&mut self, number: f64) {
        (self.lowest, self.highest) = (self.lowest.min(number), self.highest.max(number));
        self.is_rounded |= f64::from(rounded(number, 0.0)) != number;
    }

    /// Returns the offset for such numbers; 0 if they need none.
    pub(crate) fn offset(self) -> f64 {
        let (range, size) = (self.highest - self.lowest, self.highest.abs().max(self.lowest.abs()));
        if self.is_rounded && range > 0.0 && size > range * RATIO { self.lowest } else { 0.0 }
    }
}

/// Returns a note on the columns that are stored minus an offset, or would need to be but for the user's choice.
fn note(columns: impl Iterator<Item = (String, f64)>, is_wanted: bool) -> Option<String> {
    let found: Vec<String> = columns
        .filter(|(_, offset)| *offset != 0.0)
        .map(|(name, offset)| if is_wanted { format!("{name} less {offset}") } else { name })
        .collect();
    let names = listed(found.iter().cloned(), found.len());
    match (found.is_empty(), is_wanted) {
        (true, _) => None,
        (_, true) => Some(format!(
            "large numbers that are close together, stored minus their minimum so that 32-bit floats keep \
             their last digits: {names}"
        )),
        (_, false) => Some(format!(
            "32-bit floats lose the last digits of {names}: large numbers that are close together; \
             any --normalisation but none keeps them"
        )),
    }
}

#[cfg(test)]
mod tests;
