//! Columns that number the rows, as data frames write them in front of their own columns.

use std::collections::HashSet;

/// Numbers that are remembered to see that none is there twice.
const KEPT: usize = 1 << 20;
/// What R and pandas call such columns when they make names.
const NAMES: [&str; 5] = ["index", "level_0", "rownames", "row.names", "X"];

/// Whether a column counts its rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Counting {
    is_nameless: bool,
    /// Whether it has a name that identifiers have.
    is_called_identifier: bool,
    first: f64,
    numbers: u32,
    /// Whether some number is not one above that before it.
    broken: bool,
    /// Whether some number has a fraction or is below 0.
    other: bool,
    /// Whether a number or word is there twice, as far as is known.
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

    /// What the column is, if it numbers or names the rows and is called as such columns are.
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

    /// Whether it is called an identifier, and all of its numbers are whole and different, as far as is known.
    pub(super) fn identifies(&self) -> bool {
        const FEWEST: u32 = 12;
        self.is_called_identifier && self.numbers >= FEWEST && !self.other && !self.repeated
    }

    /// Whether its numbers are 0, 1, 2, ... or 1, 2, 3, ...
    pub(super) fn counts(&self) -> bool {
        !self.broken && self.numbers > 2 && (self.first == 0.0 || self.first == 1.0)
    }
}

/// Whether nobody gave the column a name: none is there, or pandas made it up.
fn is_nameless(name: &str) -> bool {
    let is_numbered = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    name.is_empty() || name.starts_with("Unnamed: ") || name.strip_prefix("column ").is_some_and(is_numbered)
}

/// Whether a column has a name that identifiers have.
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
