//! One cell of a table.

use super::date::DAY;
use super::{MissingValues, Notation};
use crate::classes;
use std::borrow::Cow;

/// One cell of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "only Parquet and Arrow columns have types"))]
pub(crate) enum Cell<'a> {
    /// A missing value, with its spelling.
    Missing(&'a str),
    /// A number, by column type.
    Number(f64),
    /// A whole number too large for 64-bit floats to represent exactly.
    Whole { magnitude: u64, is_negative: bool },
    /// A date or a time since 1970-01-01, by column type.
    Moment { seconds: f64, is_date: bool },
    /// Text as typed: a number or a word.
    Typed(&'a str),
    /// A word, by column type.
    Word(&'a str),
}

impl<'a> Cell<'a> {
    /// Reads a cell of a text file without regard to quotes, ignoring spaces around it.
    pub(crate) fn typed(text: &'a str) -> Self {
        MissingValues::default().typed(text, || false)
    }

    /// A missing value in a typed column.
    pub(crate) const NULL: Self = Self::Missing("");

    /// Returns true if the value is missing.
    pub(crate) fn is_missing(self) -> bool {
        matches!(self, Self::Missing(_))
    }

    /// Returns its number, if it is one.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Moment { seconds, is_date: true } => Some(seconds / DAY),
            Self::Moment { seconds, is_date: false } => Some(seconds),
            Self::Whole { magnitude, is_negative: true } => Some(-(magnitude as f64)),
            Self::Whole { magnitude, is_negative: false } => Some(magnitude as f64),
            Self::Typed(text) => {
                digits(text).or_else(|| text.parse().ok().filter(|number| is_meant(*number, text)))
            }
            Self::Missing(_) | Self::Word(_) => None,
        }
    }

    /// Reads it as a number in a notation; a cell not in that notation becomes missing.
    pub(crate) fn read_as(self, notation: Option<Notation>) -> Self {
        match (self, notation) {
            (Self::Typed(text) | Self::Word(text), Some(notation)) => {
                notation.read(text).map_or(Self::Missing(text), Self::Number)
            }
            (Self::Moment { seconds, .. }, Some(Notation::Date { timed, .. })) => {
                Self::Moment { seconds, is_date: !timed }
            }
            (cell, _) => cell,
        }
    }

    /// Returns true if it is a code although it looks like a number: it has a leading zero, or more digits than a float
    /// keeps.
    pub(crate) fn is_code(self) -> bool {
        const KEPT: usize = 15;
        match self {
            Self::Whole { .. } => true,
            Self::Typed(text) => has_leading_zero(text) || text.len() > KEPT && all_digits(text),
            _ => false,
        }
    }

    /// Returns its whole number, with all digits.
    pub(crate) fn whole(self) -> Option<i128> {
        match self {
            Self::Whole { magnitude, is_negative: true } => Some(i128::from(magnitude).saturating_neg()),
            Self::Whole { magnitude, .. } => Some(magnitude.into()),
            Self::Typed(text) => text.parse().ok().or_else(|| classes::whole(self.number()?).map(i128::from)),
            _ => classes::whole(self.number()?).map(i128::from),
        }
    }

    /// Returns it as a word; whole numbers without a point.
    pub(crate) fn word(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Missing(_) => None,
            Self::Whole { .. } => self.whole().map(|whole| whole.to_string().into()),
            Self::Number(number) => Some(number.to_string().into()),
            Self::Moment { .. } => self.number().map(|number| number.to_string().into()),
            Self::Typed(text) | Self::Word(text) => Some(text.into()),
        }
    }
}

fn has_leading_zero(text: &str) -> bool {
    text.starts_with('0') && text.len() > 1 && all_digits(text)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns true if a number is finite or meant to be infinite: `inf` is, the identifier `2e668` is not.
fn is_meant(number: f64, text: &str) -> bool {
    number.is_finite() || !text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Parses up to nine digits, which most cells are, faster than numbers in general.
fn digits(text: &str) -> Option<f64> {
    let digit = |number: u32, byte: u8| {
        let digit = char::from(byte).to_digit(10)?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    let short = (1..=9).contains(&text.len());
    if short { text.bytes().try_fold(0, digit).map(f64::from) } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_numbers_that_any_text_is() {
        for text in ["0", "7", "007", "255", "999999999", "1000000000", "-1", "1.5", "1e3", "+3", "", "12a"] {
            assert_eq!(Cell::Typed(text).number(), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn whole_numbers_keep_all_of_their_digits_and_codes_are_known() {
        let id = "1582218195625938945";
        assert_eq!(Cell::Typed(id).whole(), Some(1_582_218_195_625_938_945));
        let large = |magnitude, is_negative| Cell::Whole { magnitude, is_negative };
        assert_eq!(large(1_582_218_195_625_938_945, true).word().unwrap(), format!("-{id}"));
        assert_eq!(large(u64::MAX, false).whole(), Some(i128::from(u64::MAX)));
        assert_eq!(Cell::Typed("2.0").whole(), Some(2));
        for (text, is_code) in
            [("007", true), (id, true), ("0", false), ("0.5", false), ("00.5", false), ("70", false)]
        {
            assert_eq!(Cell::Typed(text).is_code(), is_code, "{text}");
        }
    }
}
