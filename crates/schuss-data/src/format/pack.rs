//! Packs, schuss's own file format (`.schuss`): samples of a fixed length, each of which can be located and verified on
//! its own.
//!
//! All numbers are little-endian. Header: see `pack::header`. Then the records of the training split, of the validation
//! split and of the test split, each: its values (bytes or f32), its label (u32 class, or f32s, or nothing), and the
//! XXH3-64 of both, xor the number of the record in the file. Last the fingerprint, an XXH3-128 over the header and the
//! records' checksums, and its XXH3-64.
//!
//! Every record has its own checksum, rather than every block of records: a sample that is read in an order of single
//! samples is then verified without reading its neighbours, for 8 bytes each (1 % of an image of MNIST). The number of
//! the record in its checksum detects records that were swapped.
//!
//! The training split is written in a shuffled order, so that reading it from front to back is already a good order.

mod header;
mod read;
mod write;

pub use header::{Labelled, MAGIC};
pub use read::{Pack, PackedSplit};
pub use write::{Contents, shuffling, write};

use xxhash_rust::xxh3::xxh3_64;

/// Length of a checksum, and of a fingerprint with its checksum.
const CHECKSUM: usize = 8;
const TRAILER: usize = 16 + CHECKSUM;

/// Returns the checksum of record `number`, which follows its `body`.
fn checksum(body: &[u8], number: u64) -> u64 {
    xxh3_64(body) ^ number
}

#[cfg(test)]
mod tests;
