//! Zip archives: opened with bounded memory, and read by several threads at once.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::file::{FileReader, OpenFile};
use crate::format::shards;
use crate::format::table::{Origin, shown};
use crate::{Error, Result};
use std::borrow::Cow;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zip::ZipArchive;
use zip::read::ZipFile;

/// An archive; clones read the same file, each at a position of its own.
pub(crate) type Archive = ZipArchive<Bytes>;

/// A file of an archive.
pub(crate) type Packed<'a> = ZipFile<'a, Bytes>;

/// Maximum ratio of deflate, which writes at least one bit per 129 bytes (two bits per match of 258).
const MAX_RATIO: u64 = 1_032;

/// Directory size that is always allowed, in bytes: the names of 10,000 arrays take half of it.
const MIN_DIRECTORY: u64 = 2 << 20;
/// Ratio of the memory budget for data to the largest directory allowed in a file; in memory, a directory takes several
/// times more.
const SHARE: u64 = 32;

/// Bytes of an archive, with a limit on how many may be read while it is opened: the `zip` crate keeps its whole
/// directory in memory.
pub(crate) struct Bytes {
    buffered: BufReader<FileReader>,
    left: Arc<AtomicU64>,
}

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.buffered.read(into)?;
        let less = |left: u64| left.checked_sub(count as u64);
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        left.map_err(|_| io::Error::other("its directory is too large"))?;
        Ok(count)
    }
}

impl Seek for Bytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.buffered.seek(to)
    }
}

impl Clone for Bytes {
    fn clone(&self) -> Self {
        Self { buffered: BufReader::new(self.buffered.get_ref().clone()), left: Arc::clone(&self.left) }
    }
}

/// Opens an archive whose directory is small compared to the `memory` for data, and whose members all lie inside it.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn open(file: &OpenFile, origin: &Origin, memory: u64) -> Result<Archive> {
    let left = Arc::new(AtomicU64::new((memory / SHARE).max(MIN_DIRECTORY)));
    let bytes = Bytes { buffered: BufReader::new(file.reader()), left: Arc::clone(&left) };
    let archive = ZipArchive::new(bytes).map_err(|error| broken(origin, "", &error))?;
    left.store(u64::MAX, Ordering::Relaxed);
    archive.file_names_raw().try_for_each(|name| shards::check_name(name, origin))?;
    if archive.has_duplicate_names() {
        return Err(origin.refuse("holds two files of the same name").advise("pack it again"));
    }
    Ok(archive)
}

/// Returns the names of its files, in the archive's order; a name that is not valid text is empty.
pub(crate) fn names(archive: &Archive) -> Vec<String> {
    archive.file_names().map(|name| name.map_or_else(|_| String::new(), Cow::into_owned)).collect()
}

/// Returns true if a file in an archive of `length` bytes can unpack to the size that it claims.
pub(crate) fn plausible(file: &Packed, length: u64) -> bool {
    let packed = file.compressed_size();
    packed <= length && file.size() <= packed.saturating_mul(MAX_RATIO)
}

/// Returns the error for an archive, or the file called `name` in it, that cannot be read.
pub(crate) fn broken(origin: &Origin, name: &str, error: &dyn std::fmt::Display) -> Error {
    let of = if name.is_empty() { String::new() } else { format!(", in `{}`", shown(name)) };
    origin.refuse(format!("cannot be read as a zip archive{of}: {error}")).advise("copy it again")
}
