//! The error type of the whole project: a message, the place, and advice.

mod place;

pub use place::{Column, DataFile, Place, RowUnit};

use std::fmt;

/// Result of anything that can fail because of user input, a file, or the machine.
pub type Result<T> = std::result::Result<T, Error>;

/// Kind of an error, by who can fix it; each has its own exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The system failed: output not writable, disk full (exit 1).
    Failure,
    /// Invalid input: unknown name, key or flag, a bad number, mismatched shapes (exit 2).
    Usage,
    /// A data or model file is missing, unreadable or damaged (exit 3).
    Data,
}

/// An error: one sentence on what is wrong, where it was found, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Kind of the error, which decides the exit code.
    pub kind: ErrorKind,
    /// Message: one sentence without a full stop.
    pub what: String,
    /// Flag, file, line or key at fault.
    pub place: Option<Box<Place>>,
    /// Advice on how to fix it.
    pub advice: Option<String>,
}

impl Error {
    fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), place: None, advice: None }
    }

    /// Creates an [`ErrorKind::Failure`] error (exit 1).
    pub fn failure(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failure, what)
    }

    /// Creates an [`ErrorKind::Usage`] error (exit 2).
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, what)
    }

    /// Creates an [`ErrorKind::Data`] error (exit 3).
    pub fn data(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, what)
    }

    /// Sets the flag, file, line or key at fault.
    #[must_use]
    pub fn at(mut self, place: impl Into<Place>) -> Self {
        self.place = Some(Box::new(place.into()));
        self
    }

    /// Sets the place unless a more precise one is known.
    #[must_use]
    pub fn or_at(self, place: impl Into<Place>) -> Self {
        if self.place.is_some() { self } else { self.at(place) }
    }

    /// Sets the advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Returns the exit code of the command: 1, 2 or 3.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Failure => 1,
            ErrorKind::Usage => 2,
            ErrorKind::Data => 3,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  in    {place}")?;
        }
        if let Some(advice) = &self.advice {
            write!(f, "\n  try   {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let error = Error::data("no images").at(Place::data("train.gz")).advise("schuss data fetch mnist");
        assert_eq!(error.to_string(), "no images\n  in    train.gz\n  try   schuss data fetch mnist");
        assert_eq!(error.exit_code(), 3);
    }
}
