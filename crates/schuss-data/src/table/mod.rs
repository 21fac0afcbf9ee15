//! Tables, whatever file they come from: named columns of numbers and categories become the numbers of samples.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod cell;
mod chosen;
pub(crate) mod date;
mod encode;
mod evidence;
mod missing_values;
mod notation;
mod read;
mod row_numbers;
mod say;
mod source;
mod survey;
mod tally;
mod unseen;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) use cell::Cell;
pub use date::DateOrder;
pub(crate) use encode::Encoder;
pub use missing_values::MissingValues;
pub use notation::Notation;
pub(crate) use notation::is_value;
pub(crate) use read::{read, reserved};
pub(crate) use source::{Origin, RowPlace, RowSource, Visit, shown};
pub use unseen::Unknown;

/// How the columns of a table become numbers, the same way for every file that is read for the same model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The columns a network sees, in order.
    pub columns: Vec<Column>,
    /// What is to be predicted.
    pub target: Target,
    /// How the numbers of columns are written that are no plain numbers, by the columns' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notations: BTreeMap<String, Notation>,
    /// Which spellings of a cell say that nothing is known.
    #[serde(default, skip_serializing_if = "MissingValues::is_usual")]
    pub missing_values: MissingValues,
}

/// A column a network sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// As the header has it; without a header its number, from 1 on.
    pub name: String,
    /// What it holds.
    #[serde(flatten)]
    pub kind: ColumnKind,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// A number, as it is.
    Number {
        /// What stands in for a missing one: NaN until it is known which rows are trained on, then their mean. Without
        /// it, none may be missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<f32>,
    },
    /// One of several words: a 1 in the place of its level, 0 in the others'.
    Category {
        /// The words, sorted.
        levels: Vec<String>,
        /// Whether a missing word is a level of its own, the last.
        #[serde(default)]
        missing: bool,
    },
}

/// What is to be predicted for a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One of the classes.
    Class {
        /// The column it stands in.
        column: String,
        /// Names of the classes: numbers in order, or words sorted.
        classes: Vec<String>,
    },
    /// Numbers: what a regression is after, or for several labels at once 0 or 1.
    Real {
        /// The columns they stand in.
        columns: Vec<String>,
    },
    /// Nothing.
    Absent,
}

impl Table {
    /// Numbers per sample.
    pub fn features(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// Names of the classes; none unless a class is told.
    pub fn classes(&self) -> &[String] {
        match &self.target {
            Target::Class { classes, .. } => classes,
            Target::Real { .. } | Target::Absent => &[],
        }
    }
}

impl Column {
    /// Numbers it becomes.
    pub fn width(&self) -> usize {
        match &self.kind {
            ColumnKind::Number { .. } => 1,
            ColumnKind::Category { levels, missing } => levels.len().saturating_add(usize::from(*missing)),
        }
    }
}

#[cfg(test)]
mod tests;
