//! What a file claims of itself, checked before its decoder acts on it: a decoder that asks for memory there is not ends
//! the process, which nothing can contain.

pub(super) mod arrow;
pub(super) mod parquet;
mod thrift;

use crate::Error;
use crate::table::Origin;
use crate::text::bytes;
use std::io;

/// What a group of rows may take however little may be used: an ordinary page is 1 MiB.
const LEAST: u64 = 4 << 20;
/// Values that a byte of a file may stand for: real data packs hundreds of times at best, a few bytes can claim 2^31 nulls.
const VALUES_PER_BYTE: u64 = 4_096;

/// Why a file is not given to its decoder.
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

/// Bytes that a group of rows may take of `memory` ones.
pub(super) fn limit(memory: u64) -> u64 {
    memory.max(LEAST)
}

/// That a group of rows takes no more than it may.
fn fits(taken: u64, limit: u64) -> Result<(), Refused> {
    if taken <= limit {
        return Ok(());
    }
    let (taken, limit) = (bytes(taken), bytes(limit));
    let what = format!("has a group of rows that unpacks to {taken}, but no more than {limit} may be used");
    Err(Refused { what, advice: "write it in smaller groups of rows, or give more --memory" })
}

/// That a file of `length` bytes may hold so many values.
fn plausible(values: u64, length: u64) -> Result<(), Refused> {
    if values <= length.saturating_mul(VALUES_PER_BYTE) {
        return Ok(());
    }
    Err(Refused::damaged(format!("claims {values} values in {}", bytes(length))))
}

/// That `from..from + size` lies within a file of `length` bytes.
fn within(from: u64, size: u64, length: u64) -> Result<(), Refused> {
    match from.checked_add(size) {
        Some(end) if end <= length => Ok(()),
        _ => Err(Refused::damaged("claims more bytes than it has")),
    }
}

/// A size or a count, which is never negative.
fn size(claimed: i64) -> Result<u64, Refused> {
    u64::try_from(claimed).map_err(|_| Refused::damaged(format!("claims a size of {claimed}")))
}
