//! Options for the format of a text of columns.

use super::delimiter::Delimiter;
use crate::format::table::DateOrder;
use crate::{Error, Result};
use std::str::FromStr;

/// Format of a text of columns; options not given are guessed from the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Line that names the columns.
    pub header: Option<Header>,
    /// Delimiter of cells.
    pub delimiter: Option<Delimiter>,
    /// Prefix of comment lines.
    pub comment: Option<Comment>,
    /// Decimal separator of numbers.
    pub decimal: Option<Decimal>,
    /// Order of day and month in dates that do not start with the year.
    pub dates: Option<DateOrder>,
}

/// Line that names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The first that is not a comment.
    Yes,
    /// None.
    No,
    /// This one, from 1; those above it are skipped.
    Line(u64),
}

/// Prefix of comment lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comment {
    /// No comment lines.
    None,
    /// A prefix such as `#`, `//` or `%`.
    Marker(String),
}

/// Decimal separator of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// `1.5`.
    Point,
    /// `1,5`.
    Comma,
}

fn refuse<T>(text: &str, what: &str, advice: &str) -> Result<T> {
    Err(Error::usage(format!("invalid {what} `{text}`")).advise(advice))
}

impl FromStr for Header {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            number => match number.parse() {
                Ok(line) if line > 0 => Ok(Self::Line(line)),
                _ => refuse(text, "header", "yes, no, or the line that names the columns, from 1"),
            },
        }
    }
}

impl FromStr for Comment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "none" => Ok(Self::None),
            "" => refuse(text, "comment prefix", "'#', '//', '%' or none"),
            marker => Ok(Self::Marker(marker.to_owned())),
        }
    }
}

impl FromStr for Decimal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "point" | "." => Ok(Self::Point),
            "comma" | "," => Ok(Self::Comma),
            _ => refuse(text, "decimal separator", "point or comma"),
        }
    }
}

impl FromStr for DateOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().replace('_', "-").as_str() {
            "day-first" => Ok(Self::DayFirst),
            "month-first" => Ok(Self::MonthFirst),
            _ => refuse(text, "date order", "day-first or month-first"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read_or_refused_with_what_may_be_typed() {
        assert_eq!("No".parse::<Header>().unwrap(), Header::No);
        assert_eq!("3".parse::<Header>().unwrap(), Header::Line(3));
        assert_eq!("//".parse::<Comment>().unwrap(), Comment::Marker("//".into()));
        assert_eq!(",".parse::<Decimal>().unwrap(), Decimal::Comma);
        assert_eq!("day_first".parse::<DateOrder>().unwrap(), DateOrder::DayFirst);
        let refused = [
            "0".parse::<Header>().unwrap_err(),
            " ".parse::<Comment>().unwrap_err(),
            ";".parse::<Decimal>().unwrap_err(),
            "first".parse::<DateOrder>().unwrap_err(),
            "ab".parse::<Delimiter>().unwrap_err(),
        ];
        assert!(refused.iter().all(|error| error.exit_code() == 2 && error.advice.is_some()));
    }
}
