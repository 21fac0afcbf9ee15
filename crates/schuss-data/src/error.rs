//! One error type for the whole project: what happened, where, and what to do next.

use std::fmt;

/// Result of anything that can fail on what a person typed, on a file, or on the machine.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose move it is; each kind has one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The machine did not do its part: output not writable, disk full (exit 1).
    Failure,
    /// What was typed is wrong: unknown name, key or flag, a bad number, shapes that do not fit (exit 2).
    Usage,
    /// A data or model file is absent, unreadable or damaged (exit 3).
    Data,
}

/// One sentence that says what is wrong, the place it was found in, and a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Whose move it is.
    pub kind: ErrorKind,
    /// What is wrong, in one sentence without a full stop.
    pub what: String,
    /// The file, line or key it was found in.
    pub place: Option<String>,
    /// What to do next.
    pub advice: Option<String>,
}

impl Error {
    fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), place: None, advice: None }
    }

    /// The machine did not do its part (exit 1).
    pub fn failure(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failure, what)
    }

    /// What was typed is wrong (exit 2).
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, what)
    }

    /// A data or model file is absent, unreadable or damaged (exit 3).
    pub fn data(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, what)
    }

    /// Adds the file, line or key it was found in.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Adds the place, unless a closer one is known.
    #[must_use]
    pub fn or_at(self, place: impl fmt::Display) -> Self {
        if self.place.is_some() { self } else { self.at(place) }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Exit code of the command: 1, 2 or 3.
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
        let error = Error::data("no images").at("train.gz").advise("schuss data fetch mnist");
        assert_eq!(error.to_string(), "no images\n  in    train.gz\n  try   schuss data fetch mnist");
        assert_eq!(error.exit_code(), 3);
    }
}
