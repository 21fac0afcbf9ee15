//! One cell of a table.

use super::notation::Notation;

/// What is written in tables where nothing is known, in any case.
const NOTHING: [&str; 8] = ["", "?", "na", "n/a", "#n/a", "<na>", "nan", "null"];

/// One cell of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only Parquet and Arrow columns have types"))]
pub(crate) enum Cell<'a> {
    /// Nothing.
    Missing,
    /// A number, by the type of its column.
    Number(f64),
    /// As typed: a number or a word.
    Typed(&'a str),
    /// A word, by the type of its column.
    Word(&'a str),
}

impl<'a> Cell<'a> {
    /// What is typed in a text file; spaces around it do not count.
    pub(crate) fn typed(text: &'a str) -> Self {
        let text = text.trim_ascii();
        let digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit); // most cells, and none of NOTHING
        let nothing = !digit && NOTHING.iter().any(|nothing| text.eq_ignore_ascii_case(nothing));
        if nothing { Self::Missing } else { Self::Typed(text) }
    }

    /// The number it is, if it is one.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Typed(text) => digits(text).or_else(|| text.parse().ok()),
            Self::Missing | Self::Word(_) => None,
        }
    }

    /// It as a number in a notation; what that does not read is missing.
    pub(crate) fn read_as(self, notation: Option<Notation>) -> Self {
        match (self, notation) {
            (Self::Typed(text) | Self::Word(text), Some(notation)) => {
                notation.read(text).map_or(Self::Missing, Self::Number)
            }
            (cell, _) => cell,
        }
    }

    /// It as a word; whole numbers without a point.
    pub(crate) fn word(self) -> Option<std::borrow::Cow<'a, str>> {
        match self {
            Self::Missing => None,
            Self::Number(number) => Some(number.to_string().into()),
            Self::Typed(text) | Self::Word(text) => Some(text.into()),
        }
    }
}

/// What up to nine digits say, which most cells are, in less time than any number takes.
fn digits(text: &str) -> Option<f64> {
    let digit = |number: u32, byte: u8| {
        let digit = char::from(byte).to_digit(10)?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    let short = (1..=9).contains(&text.len());
    if short { text.bytes().try_fold(0, digit).map(f64::from) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_numbers_that_any_text_is() {
        for text in ["0", "7", "007", "255", "999999999", "1000000000", "-1", "1.5", "1e3", "+3", "", "12a"] {
            assert_eq!(Cell::Typed(text).number(), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn blanks_and_words_for_nothing_are_missing() {
        for text in ["", "  ", "?", "NA", "n/a", "NaN", "nan", "NULL", "null ", "#N/A", "<NA>"] {
            assert_eq!(Cell::typed(text), Cell::Missing, "{text}");
        }
        assert_eq!(Cell::typed(" nano "), Cell::Typed("nano"));
    }
}
