//! Claims of a file, checked before its decoder acts on them: a decoder that requests more memory than there is ends
//! the process, which nothing can contain.

pub(super) mod arrow;
pub(super) mod parquet;
mod thrift;

use crate::Error;
use crate::format::table::Origin;
use crate::text::bytes;
use std::io;

/// Minimum limit for a row group, however small the memory budget: an ordinary page is 1 MiB.
const LEAST: u64 = 4 << 20;
/// Maximum values per byte of a file: real data packs hundreds of times at best, a few bytes can claim 2^31 nulls.
const VALUES_PER_BYTE: u64 = 4_096;

/// Reason why a file is not passed to its decoder.
#[derive(Debug)]
pub(super) struct Refused {
    what: String,
    advice: &'static str,
}

impl Refused {
    fn damaged(what: impl Into<String>) -> Self {
        Self { what: what.into(), advice: "copy it again" }
    }

    pub(super) fn of(self, origin: &Origin) -> Error {
        origin.refuse(self.what).advise(self.advice)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::damaged(format!("cannot be read: {error}"))
    }
}

/// Returns the bytes that a row group may take, given the `memory` budget.
pub(super) fn limit(memory: u64) -> u64 {
    memory.max(LEAST)
}

/// Checks that a row group takes no more than the limit.
fn fits(taken: u64, limit: u64) -> Result<(), Refused> {
    if taken <= limit {
        return Ok(());
    }
    let (taken, limit) = (bytes(taken), bytes(limit));
    let what = format!("has a row group that unpacks to {taken}, above the limit of {limit}");
    Err(Refused { what, advice: "write it in smaller row groups, or give more --memory" })
}

/// Checks that a file of `length` bytes can hold this many values.
fn plausible(values: u64, length: u64) -> Result<(), Refused> {
    if values <= length.saturating_mul(VALUES_PER_BYTE) {
        return Ok(());
    }
    Err(Refused::damaged(format!("claims {values} values in {}", bytes(length))))
}

/// Checks that `from..from + size` lies within a file of `length` bytes.
fn within(from: u64, size: u64, length: u64) -> Result<(), Refused> {
    match from.checked_add(size) {
        Some(end) if end <= length => Ok(()),
        _ => Err(Refused::damaged("claims more bytes than it has")),
    }
}

/// Returns a size or a count, which must not be negative.
fn size(claimed: i64) -> Result<u64, Refused> {
    u64::try_from(claimed).map_err(|_| Refused::damaged(format!("claims a size of {claimed}")))
}
