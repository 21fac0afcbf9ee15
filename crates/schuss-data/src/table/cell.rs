//! One cell of a table.

/// What is written in tables where nothing is known, in any case.
const NOTHING: [&str; 6] = ["", "?", "na", "n/a", "nan", "null"];

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
        let nothing = NOTHING.iter().any(|nothing| text.eq_ignore_ascii_case(nothing));
        if nothing { Self::Missing } else { Self::Typed(text) }
    }

    /// The number it is, if it is one.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Typed(text) => text.parse().ok(),
            Self::Missing | Self::Word(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_words_for_nothing_are_missing() {
        for text in ["", "  ", "?", "NA", "n/a", "NaN", "nan", "NULL", "null "] {
            assert_eq!(Cell::typed(text), Cell::Missing, "{text}");
        }
        assert_eq!(Cell::typed(" nano "), Cell::Typed("nano"));
    }
}
