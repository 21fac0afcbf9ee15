//! Spellings of missing values.

use super::Cell;
use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Usual spellings of missing values, in lower case.
const USUAL: [&str; 7] = ["?", "na", "n/a", "#n/a", "<na>", "nan", "null"];

/// Spellings of missing values. Empty cells are always missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MissingValues(Option<Vec<String>>);

impl MissingValues {
    /// Returns true for the usual spellings, which count in upper and lower case unless quoted.
    pub fn is_usual(&self) -> bool {
        self.0.is_none()
    }

    /// Returns these if they were chosen, else `others`.
    #[must_use]
    pub(crate) fn or(&self, others: &Self) -> Self {
        if self.is_usual() { others.clone() } else { self.clone() }
    }

    /// Reads a cell of a text file, quoted or not, ignoring spaces around it. Chosen spellings count in quotes too.
    pub(crate) fn typed<'a>(&self, text: &'a str, is_quoted: impl FnOnce() -> bool) -> Cell<'a> {
        let text = text.trim_ascii();
        match &self.0 {
            _ if text.is_empty() => Cell::Missing(text),
            Some(chosen) if chosen.iter().any(|spelling| spelling == text) => Cell::Missing(text),
            Some(_) => Cell::Typed(text),
            None if !is_usual(text) => Cell::Typed(text),
            None if is_quoted() => Cell::Word(text),
            None => Cell::Missing(text),
        }
    }

    /// Reads a cell of a typed column, in which only chosen spellings are missing.
    #[cfg_attr(
        not(feature = "parquet"),
        allow(dead_code, reason = "only Parquet and Arrow columns have types")
    )]
    pub(crate) fn of_column<'a>(&'a self, cell: Cell<'a>) -> Cell<'a> {
        let Some(chosen) = &self.0 else { return cell };
        let is_chosen = |text: &str| chosen.iter().any(|spelling| spelling == text.trim_ascii());
        match cell {
            Cell::Word(text) if text.trim_ascii().is_empty() || is_chosen(text) => Cell::Missing(text),
            Cell::Word(_) | Cell::Missing(_) => cell,
            number => {
                let word = number.word();
                let spelling = chosen.iter().find(|spelling| word.as_deref() == Some(&***spelling));
                spelling.map_or(number, |spelling| Cell::Missing(spelling))
            }
        }
    }
}

fn is_usual(text: &str) -> bool {
    let is_digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit); // most cells, and none of USUAL
    !is_digit && USUAL.iter().any(|usual| text.eq_ignore_ascii_case(usual))
}

impl FromStr for MissingValues {
    type Err = Error;

    /// Parses `NA,-,?`, as typed; `none` for empty cells only.
    fn from_str(text: &str) -> Result<Self, Error> {
        let spellings = text.split(',').map(str::trim_ascii).filter(|spelling| !spelling.is_empty());
        let spellings: Vec<String> = spellings.map(str::to_owned).collect();
        Ok(Self(Some(if spellings == ["none"] { Vec::new() } else { spellings })))
    }
}

impl fmt::Display for MissingValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(chosen) if chosen.is_empty() => f.write_str("none"),
            Some(chosen) => f.write_str(&chosen.join(",")),
            None => f.write_str("?,NA,N/A,#N/A,<NA>,NaN,null"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_usual_spellings_are_missing_unless_they_are_quoted() {
        let usual = MissingValues::default();
        for text in ["?", "NA", "n/a", "NaN", "nan", "NULL", "null ", "#N/A", "<NA>"] {
            assert_eq!(usual.typed(text, || false), Cell::Missing(text.trim()), "{text}");
            assert_eq!(usual.typed(text, || true), Cell::Word(text.trim()), "{text}");
        }
        for text in ["", "  "] {
            assert!(usual.typed(text, || false).is_missing() && usual.typed(text, || true).is_missing());
        }
        assert_eq!(usual.typed(" nano ", || false), Cell::Typed("nano"));
    }

    #[test]
    fn chosen_spellings_count_as_typed_in_quotes_and_in_columns_of_words_or_numbers() {
        let chosen: MissingValues = "NA,-,-999".parse().unwrap();
        for (text, missing) in
            [("NA", true), ("-", true), ("-999", true), ("na", false), ("?", false), ("", true)]
        {
            assert_eq!(chosen.typed(text, || false).is_missing(), missing, "{text}");
            assert_eq!(chosen.typed(text, || true).is_missing(), missing, "{text}");
            assert_eq!(chosen.of_column(Cell::Word(text)).is_missing(), missing, "{text}");
        }
        assert!(chosen.of_column(Cell::Number(-999.0)).is_missing());
        assert!(!MissingValues::default().of_column(Cell::Word("NA")).is_missing());
        let none: MissingValues = "none".parse().unwrap();
        assert!(!none.typed("NA", || false).is_missing() && none.typed("", || false).is_missing());
        assert_eq!((none.to_string(), chosen.to_string()), ("none".into(), "NA,-,-999".into()));
    }
}
