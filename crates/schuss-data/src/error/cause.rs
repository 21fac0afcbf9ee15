//! Causes of errors, to match on.

/// Cause of an error. [`ErrorKind`](crate::ErrorKind) says who can fix it; the cause, what to fix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Name that is not known.
    UnknownName {
        /// Noun for what it should name, such as `optimizer` or `key`.
        noun: String,
        /// Name as typed.
        name: String,
        /// Most similar known name, if one is near.
        nearest: Option<String>,
    },
    /// Missing, malformed or out of range; the cause of usage errors without another.
    InvalidValue,
    /// Choice without effect on the data or trial at hand.
    NoEffect,
    /// Choices that exclude one another.
    Conflict,
    /// Model, loss, data or weights that do not fit together.
    Mismatch,
    /// More memory needed than there is or is allowed.
    TooLarge {
        /// Number of bytes needed.
        needed: u64,
        /// Number of bytes available, if known.
        available: Option<u64>,
    },
    /// Feature that was left out of this build.
    NotBuiltIn {
        /// Name of the Cargo feature.
        feature: &'static str,
    },
    /// File, folder, run or data set that does not exist.
    NotFound,
    /// File or folder that would be overwritten.
    AlreadyExists,
    /// File or folder that another process is working on.
    Busy,
    /// File that cannot be read; the source is the system's error, if it was the system that refused.
    Unreadable,
    /// File or folder that cannot be written; the source is the system's error.
    Unwritable,
    /// Contents that are not of the format, or were cut off or altered.
    Damaged,
    /// Contents that are well-formed but cannot be used, such as a missing cell; the cause of data errors without another.
    InvalidData,
    /// Data that differ from those a run started with.
    Changed,
    /// Anything else, such as a refusal of the system; the cause of failures without another.
    Other,
}
