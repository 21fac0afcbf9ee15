//! Columns of row numbers, as data frames write them in front of their own columns.

use std::collections::HashSet;

/// Maximum numbers remembered to detect duplicates.
const KEPT: usize = 1 << 20;
/// Names that R and pandas generate for such columns.
const NAMES: [&str; 5] = ["index", "level_0", "rownames", "row.names", "X"];

/// Evidence on whether a column numbers its rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Counting {
    is_nameless: bool,
    /// True if it is named like an identifier.
    is_called_identifier: bool,
    first: f64,
    numbers: u32,
    /// True if some number is not one more than the previous.
    broken: bool,
    /// True if some number has a fraction or is negative.
    other: bool,
    /// True if a number or word is known to occur twice.
    pub(super) repeated: bool,
    seen: HashSet<u64>,
}

impl Counting {
    pub(super) fn of(name: &str) -> Self {
        let is_called_identifier = is_called_identifier(name);
        Self { is_nameless: is_nameless(name), is_called_identifier, ..Self::default() }
    }

    pub(super) fn see(&mut self, number: f64) {
        if self.numbers == 0 {
            self.first = number;
        }
        self.broken |= number != self.first + f64::from(self.numbers);
        self.numbers = self.numbers.saturating_add(1);
        if self.is_nameless || self.is_called_identifier {
            self.other |= number.fract() != 0.0 || number < 0.0;
            self.repeated |= self.seen.len() < KEPT && !self.seen.insert(number.to_bits());
        }
    }

    /// Returns a description of the column if it numbers or names the rows and has a fitting name.
    pub(super) fn says(&self, name: &str, has_words: bool, different: u64) -> Option<&'static str> {
        let counts = self.counts() && !has_words;
        match self.is_nameless {
            true if has_words && self.numbers == 0 && !self.repeated && different > 1 => {
                Some("the names of the rows")
            }
            true if !has_words && self.numbers > 1 && !self.other => {
                Some("the row numbers (the index of a data frame)")
            }
            false if counts && NAMES.contains(&name) => Some("the row numbers (the index of a data frame)"),
            _ => None,
        }
    }

    /// Returns true if it is named like an identifier, and its numbers are whole and, as far as is known, distinct.
    pub(super) fn identifies(&self) -> bool {
        const FEWEST: u32 = 12;
        self.is_called_identifier && self.numbers >= FEWEST && !self.other && !self.repeated
    }

    /// Returns true if its numbers are 0, 1, 2, ... or 1, 2, 3, ...
    pub(super) fn counts(&self) -> bool {
        !self.broken && self.numbers > 2 && (self.first == 0.0 || self.first == 1.0)
    }
}

/// Returns true if the column has no name, or a generated one, as from pandas.
fn is_nameless(name: &str) -> bool {
    let is_numbered = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    name.is_empty() || name.starts_with("Unnamed: ") || name.strip_prefix("column ").is_some_and(is_numbered)
}

/// Returns true if a column is named like an identifier.
pub(super) fn is_called_identifier(column: &str) -> bool {
    const NAMES: [&str; 11] =
        ["id", "ids", "uuid", "guid", "key", "code", "number", "no", "account", "index", "zip"];
    let words = column.to_lowercase();
    words.split(|c: char| !c.is_alphanumeric()).any(|word| NAMES.contains(&word))
        || column.ends_with("Id")
        || column.ends_with("ID")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, numbers: &[f64]) -> bool {
        let mut counting = Counting::of(name);
        numbers.iter().for_each(|&number| counting.see(number));
        counting.says(name, false, 0).is_some()
    }

    #[test]
    fn nameless_whole_numbers_and_named_ones_that_count_are_row_numbers() {
        assert!(of("", &[0.0, 1.0, 2.0]) && of("", &[7.0, 3.0, 9.0]) && of("Unnamed: 0", &[1.0, 2.0]));
        assert!(of("index", &[0.0, 1.0, 2.0]) && of("X", &[1.0, 2.0, 3.0]));
        assert!(of("", &[0.0, 1.0, 0.0]), "frames behind each other");
        assert!(!of("", &[0.5, 1.5]) && !of("", &[-1.0, 1.0]));
        assert!(!of("index", &[3.0, 1.0, 2.0]) && !of("size", &[0.0, 1.0, 2.0]));
    }
}
