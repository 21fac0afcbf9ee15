//! Tables from any file format: named columns of numbers and categories, encoded as the features of samples.
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

/// Encoding of a table's columns as numbers, the same for every file that is read for a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Feature columns, in order.
    pub columns: Vec<Column>,
    /// Target to predict.
    pub target: Target,
    /// Notations of columns that are not plain numbers, by column name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notations: BTreeMap<String, Notation>,
    /// Spellings of missing values.
    #[serde(default, skip_serializing_if = "MissingValues::is_usual")]
    pub missing_values: MissingValues,
}

/// A feature column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name in the header; without a header, the column number from 1.
    pub name: String,
    /// Kind of its values.
    #[serde(flatten)]
    pub kind: ColumnKind,
}

/// Kind of a column's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// A number, used as is.
    Number {
        /// Replacement for missing values: NaN until the training rows are known, then their mean. Without it, none may
        /// be missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<f32>,
    },
    /// One of several words, one-hot encoded: 1 for its level, 0 for the others.
    Category {
        /// The words, sorted.
        levels: Vec<String>,
        /// True if a missing word is a level of its own, the last.
        #[serde(default)]
        missing: bool,
    },
}

/// Target to predict for a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Target {
    /// One of the classes.
    Class {
        /// Label column.
        column: String,
        /// Class names: numbers in order, or words sorted.
        classes: Vec<String>,
    },
    /// Numbers: the targets of a regression, or 0 and 1 for several labels at once.
    Real {
        /// Target columns.
        columns: Vec<String>,
    },
    /// No target.
    Absent,
}

impl Table {
    /// Returns the number of features per sample.
    pub fn features(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// Returns the class names; none unless the target is a class.
    pub fn classes(&self) -> &[String] {
        match &self.target {
            Target::Class { classes, .. } => classes,
            Target::Real { .. } | Target::Absent => &[],
        }
    }
}

impl Column {
    /// Returns the number of features it becomes.
    pub fn width(&self) -> usize {
        match &self.kind {
            ColumnKind::Number { .. } => 1,
            ColumnKind::Category { levels, missing } => levels.len().saturating_add(usize::from(*missing)),
        }
    }
}

#[cfg(test)]
mod tests;
