//! What is taken off numbers before they are rounded to 32 bits.
//!
//! Seconds since 1970 or coordinates in metres are large numbers that differ in their last digits: as 32-bit numbers
//! they are all the same. Such a column is stored less its lowest number, which is taken off in 64 bits. That is how
//! the numbers are held, not a statistic that anything is learnt from: normalisation follows as for other columns.

use crate::text::listed;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// What was taken off the numbers of every sample, in 64 bits, before they were rounded to 32.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offsets {
    /// One per feature; empty where nothing was taken off any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// One per number of a label; empty likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<f64>,
}

/// What is to be taken off the numbers of a file that is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Centring {
    /// What its own columns need.
    #[default]
    AsNeeded,
    /// Nothing off features, which are wanted as they are.
    Never,
    /// What a model was trained with.
    By(Offsets),
}

/// Numbers whose range is smaller than this share of their size are stored less an offset, if 32 bits do not hold them:
/// of the 24 bits that they have, fewer than 16 would be left for what tells them apart.
const RATIO: f64 = 256.0;

impl Centring {
    /// What a model was trained with; nothing where it is not known.
    pub(crate) fn given(&self) -> Offsets {
        if let Self::By(offsets) = self { offsets.clone() } else { Offsets::default() }
    }

    /// What is taken off where so much is `needed`, which is said of columns by their numbers.
    pub(crate) fn settle(&self, needed: Offsets, notes: &mut Vec<String>) -> Offsets {
        let columns: Vec<f64> = needed.values.clone();
        let columns =
            columns.into_iter().zip(0_u64..).map(|(offset, number)| (format!("column {number}"), offset));
        self.settle_named(needed, columns, notes)
    }

    /// The same, by the names of `columns` and what each needs.
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
    /// Whether nothing was taken off anything.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.labels.is_empty()
    }

    /// What was taken off a feature.
    pub fn value(&self, feature: usize) -> f64 {
        self.values.get(feature).copied().unwrap_or(0.0)
    }

    /// What was taken off a number of a label.
    pub fn label(&self, number: usize) -> f64 {
        self.labels.get(number).copied().unwrap_or(0.0)
    }

    /// Says what was taken off the numbers of labels, by their `names`.
    pub(crate) fn note_labels(&self, names: impl Iterator<Item = String>) -> Option<String> {
        note(names.zip(self.labels.iter().copied()), true)
    }

    /// Refuses offsets that do not fit samples of so many features, as they might stand in a file.
    ///
    /// # Errors
    /// A data error.
    pub fn check(&self, features: usize) -> Result<()> {
        let count = self.values.is_empty() || self.values.len() == features;
        if count && self.values.iter().chain(&self.labels).all(|offset| offset.is_finite()) {
            return Ok(());
        }
        Err(Error::data(format!("its offsets do not fit {features} features")))
    }
}

/// What `width` numbers of each sample need taken off.
pub(crate) fn needed(numbers: &[f64], width: usize) -> Vec<f64> {
    let mut spreads = vec![Spread::default(); width];
    for row in numbers.chunks(width.max(1)) {
        spreads.iter_mut().zip(row).for_each(|(spread, &number)| spread.see(number));
    }
    list(spreads.into_iter().map(Spread::offset))
}

/// A list of offsets; empty if none of them takes anything off.
pub(crate) fn list(offsets: impl Iterator<Item = f64>) -> Vec<f64> {
    let offsets: Vec<f64> = offsets.collect();
    if offsets.iter().all(|offset| *offset == 0.0) { Vec::new() } else { offsets }
}

/// `number` less `offset`, rounded to 32 bits; infinite beyond what these hold.
#[allow(clippy::cast_possible_truncation, reason = "rounds; whoever calls looks for what overflows")]
pub(crate) fn rounded(number: f64, offset: f64) -> f32 {
    (number - offset) as f32
}

/// What is known of a column's numbers: how far they reach, and whether 32 bits hold them all.
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

    /// What is to be taken off such numbers; 0 where they are held well enough without.
    pub(crate) fn offset(self) -> f64 {
        let (range, size) = (self.highest - self.lowest, self.highest.abs().max(self.lowest.abs()));
        if self.is_rounded && range > 0.0 && size > range * RATIO { self.lowest } else { 0.0 }
    }
}

/// Says which columns are stored less an offset, or would have to be if that had been wanted.
fn note(columns: impl Iterator<Item = (String, f64)>, is_wanted: bool) -> Option<String> {
    let found: Vec<String> = columns
        .filter(|(_, offset)| *offset != 0.0)
        .map(|(name, offset)| if is_wanted { format!("{name} less {offset}") } else { name })
        .collect();
    let names = listed(found.iter().cloned(), found.len());
    match (found.is_empty(), is_wanted) {
        (true, _) => None,
        (_, true) => Some(format!(
            "large numbers that are close together, stored less their lowest so that 32 bits hold their last digits: {names}"
        )),
        (_, false) => Some(format!(
            "32-bit numbers lose the last digits of {names}: large numbers that are close together; any --normalisation but none keeps them"
        )),
    }
}

#[cfg(test)]
mod tests;
