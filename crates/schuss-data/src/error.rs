//! The error type of the whole project: a message, its cause, the place, and advice.

mod cause;
mod place;

pub use cause::Cause;
pub use place::{Column, DataFile, Place, RowUnit};

use std::sync::Arc;
use std::{fmt, io};

/// Result of anything that can fail because of user input, a file, or the machine.
pub type Result<T> = std::result::Result<T, Error>;

/// Kind of an error, by who can fix it; each has its own exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system failed: output not writable, disk full (exit 1).
    Failure,
    /// Invalid input: unknown name, key or flag, a bad number, mismatched shapes (exit 2).
    Usage,
    /// A data or model file is missing, unreadable or damaged (exit 3).
    Data,
}

/// An error: one sentence on what is wrong, where it was found, and how to fix it.
///
/// Programs match on [`cause`](Self::cause) and [`place`](Self::place); texts may change. If the system refused
/// something, its [`io::Error`] is the [`source`](std::error::Error::source). Two errors are equal if their sources are
/// of the same kind and all else is the same.
///
/// # Example
/// ```
/// use schuss_data::{Cause, Place, load};
///
/// let error = load("digits:trian=100").unwrap_err();
/// assert!(matches!(*error.cause, Cause::UnknownName { nearest: Some(name), .. } if name == "train"));
///
/// let error = load("missing/iris.csv").unwrap_err();
/// match (*error.cause, error.place.as_deref()) {
///     (Cause::NotFound, Some(Place::DataFile(file))) => assert_eq!(file.path, "missing/iris.csv"),
///     _ => panic!("{}", error.what),
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    /// Kind of the error, which decides the exit code.
    pub kind: ErrorKind,
    /// Cause, to match on.
    pub cause: Box<Cause>,
    /// Message: one sentence without a full stop.
    pub what: String,
    /// Flag, file, line or key at fault.
    pub place: Option<Box<Place>>,
    /// Advice on how to fix it.
    pub advice: Option<String>,
    /// Error of the system behind it.
    pub source: Option<Arc<io::Error>>,
}

impl Error {
    fn new(kind: ErrorKind, cause: Cause, what: impl Into<String>) -> Self {
        Self { kind, cause: Box::new(cause), what: what.into(), place: None, advice: None, source: None }
    }

    /// Creates an [`ErrorKind::Failure`] error (exit 1), of [`Cause::Other`].
    pub fn failure(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failure, Cause::Other, what)
    }

    /// Creates an [`ErrorKind::Usage`] error (exit 2), of [`Cause::InvalidValue`].
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, Cause::InvalidValue, what)
    }

    /// Creates an [`ErrorKind::Data`] error (exit 3), of [`Cause::InvalidData`].
    pub fn data(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, Cause::InvalidData, what)
    }

    /// Sets the cause.
    #[must_use]
    pub fn because(mut self, cause: Cause) -> Self {
        *self.cause = cause;
        self
    }

    /// Sets the error of the system behind it, and the cause that follows: a file is not found, cannot be written
    /// (failures), is damaged or cannot be read (other errors).
    #[must_use]
    pub fn with_source(mut self, source: io::Error) -> Self {
        *self.cause = match (source.kind(), self.kind) {
            (io::ErrorKind::NotFound, _) => Cause::NotFound,
            (_, ErrorKind::Failure) => Cause::Unwritable,
            (io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData, _) => Cause::Damaged,
            _ => Cause::Unreadable,
        };
        self.source = Some(Arc::new(source));
        self
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

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let source = |error: &Self| error.source.as_ref().map(|source| source.kind());
        let Self { kind, cause, what, place, advice, .. } = self;
        (kind, cause, what, place, advice)
            == (&other.kind, &other.cause, &other.what, &other.place, &other.advice)
            && source(self) == source(other)
    }
}

impl Eq for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let error = Error::data("no images").at(Place::data("train.gz")).advise("schuss data fetch mnist");
        assert_eq!(error.to_string(), "no images\n  in    train.gz\n  try   schuss data fetch mnist");
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn an_error_of_the_system_is_the_source_and_gives_the_cause() {
        use std::error::Error as _;
        let system = |kind| io::Error::new(kind, "no");
        for (error, kind, cause) in [
            (Error::data("a"), io::ErrorKind::NotFound, Cause::NotFound),
            (Error::data("a"), io::ErrorKind::PermissionDenied, Cause::Unreadable),
            (Error::data("a"), io::ErrorKind::UnexpectedEof, Cause::Damaged),
            (Error::failure("a"), io::ErrorKind::StorageFull, Cause::Unwritable),
        ] {
            let error = error.with_source(system(kind));
            let source = error.source().and_then(|source| source.downcast_ref::<io::Error>()).unwrap();
            assert_eq!((source.kind(), &*error.cause), (kind, &cause));
            assert_eq!(error, error.clone());
            assert_ne!(error, error.clone().with_source(system(io::ErrorKind::TimedOut)));
        }
    }
}
