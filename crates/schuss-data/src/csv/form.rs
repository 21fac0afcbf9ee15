//! How a text of columns is written, as far as somebody says so.

use super::delimiter::Delimiter;
use crate::table::DateOrder;
use crate::{Error, Result};
use std::str::FromStr;

/// How a text of columns is written; what is not said is guessed from the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Which line names the columns.
    pub header: Option<Header>,
    /// What separates cells.
    pub delimiter: Option<Delimiter>,
    /// What lines begin with that are no rows.
    pub comment: Option<Comment>,
    /// What stands before the fraction of numbers.
    pub decimal: Option<Decimal>,
    /// What stands first in dates that do not begin with the year.
    pub dates: Option<DateOrder>,
}

/// Which line names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The first that is no remark.
    Yes,
    /// None.
    No,
    /// This one, from 1 on; those above it are skipped.
    Line(u64),
}

/// What lines begin with that are no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comment {
    /// There are no such lines.
    None,
    /// `#`, `//`, `%`.
    Marker(String),
}

/// What stands before the fraction of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// `1.5`.
    Point,
    /// `1,5`.
    Comma,
}

fn refuse<T>(text: &str, what: &str, advice: &str) -> Result<T> {
    Err(Error::usage(format!("`{text}` is no {what}")).advise(advice))
}

impl FromStr for Header {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "yes" => Ok(Self::Yes),
            "no" => Ok(Self::No),
            number => match number.parse() {
                Ok(line) if line > 0 => Ok(Self::Line(line)),
                _ => refuse(text, "header", "yes, no, or the line that names the columns, from 1 on"),
            },
        }
    }
}

impl FromStr for Comment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "none" => Ok(Self::None),
            "" => refuse(text, "beginning of a remark", "'#', '//', '%' or none"),
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
            _ => refuse(text, "decimal sign", "point or comma"),
        }
    }
}

impl FromStr for DateOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().replace('_', "-").as_str() {
            "day-first" => Ok(Self::DayFirst),
            "month-first" => Ok(Self::MonthFirst),
            _ => refuse(text, "order of dates", "day-first or month-first"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used)]
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
