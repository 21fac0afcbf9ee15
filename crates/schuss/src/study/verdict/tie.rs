//! The relative difference up to which two recipes count as equal.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Relative difference up to which two recipes count as equal: `5%`, or `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "Typed")]
pub struct Tie(f64);

impl Default for Tie {
    fn default() -> Self {
        Self(0.05)
    }
}

impl Tie {
    /// Returns a tie.
    ///
    /// # Errors
    /// A usage error unless it is at least 0 and less than 1.
    pub fn new(fraction: f64) -> Result<Self> {
        if (0.0..1.0).contains(&fraction) { Ok(Self(fraction)) } else { Err(refused(&fraction.to_string())) }
    }

    /// Returns the difference as a fraction.
    pub fn fraction(self) -> f64 {
        self.0
    }
}

impl FromStr for Tie {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, unit) = match text.trim().strip_suffix('%') {
            Some(number) => (number.trim(), 100.0),
            None => (text.trim(), 1.0),
        };
        let number: f64 = number.parse().map_err(|_| refused(text))?;
        Self::new(number / unit).map_err(|_| refused(text))
    }
}

fn refused(text: &str) -> Error {
    Error::usage(format!("`{text}` is not a share from 0 up to 1")).advise("5% or 0.05")
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", 100.0 * self.0)
    }
}

impl From<Tie> for f64 {
    fn from(tie: Tie) -> Self {
        tie.0
    }
}

/// A tie as it stands in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Typed {
    Fraction(f64),
    Text(String),
}

impl TryFrom<Typed> for Tie {
    type Error = Error;

    fn try_from(typed: Typed) -> Result<Self> {
        match typed {
            Typed::Fraction(fraction) => Self::new(fraction),
            Typed::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_is_a_percentage_or_a_fraction() {
        for text in ["5%", "5 %", "0.05"] {
            assert_eq!(text.parse::<Tie>().unwrap(), Tie::default(), "{text}");
        }
        assert_eq!("0".parse::<Tie>().unwrap().fraction(), 0.0);
        for text in ["", "%", "five", "-1%", "100%", "NaN", "5"] {
            assert_eq!(text.parse::<Tie>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
