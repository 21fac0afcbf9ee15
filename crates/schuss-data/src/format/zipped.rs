//! Pictures in a zip archive, in folders as on disk.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::file::OpenFile;
use crate::format::encoded::{Blob, Blobs};
use crate::format::table::{Origin, reserved};
use crate::format::tree::{self, Entry};
use crate::format::zips::{self, Archive, broken, plausible};
use crate::reader::{Loaded, ReadOptions};
use crate::text::bytes;
use crate::{Error, Result, RowUnit};
use std::io::{Cursor, Read};
use std::sync::Arc;

/// Maximum size of a picture, decompressed, in bytes.
const MAX_PICTURE: u64 = 64 << 20;

/// Reads the pictures in an archive; returns `None` for one without any, such as one of arrays.
///
/// # Errors
/// A data error that names the file, and the picture if one is at fault.
pub(crate) fn read(file: &OpenFile, ask: &ReadOptions) -> Result<Option<Loaded>> {
    let origin = Origin::new(file.path(), RowUnit::Sample);
    let archive = zips::open(file, &origin, ask.memory)?;
    let mut named: Vec<(Entry, usize)> = zips::names(&archive)
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((Entry::of(name)?, at)))
        .collect();
    named.sort_unstable();
    let (entries, places): (Vec<Entry>, Vec<usize>) = named.into_iter().unzip();
    let blobs = |chosen: Vec<usize>| -> Arc<dyn Blobs> {
        let places = chosen.iter().filter_map(|&at| places.get(at).copied()).collect();
        Arc::new(Members { origin: origin.clone(), archive: archive.clone(), length: file.length(), places })
    };
    tree::read(&entries, blobs, Vec::new(), &origin, ask)
}

/// Pictures by their indices in the archive.
struct Members {
    origin: Origin,
    archive: Archive,
    /// Length of the whole archive.
    length: u64,
    places: Vec<usize>,
}

impl Members {
    fn name(&self, index: usize) -> String {
        let name = self.places.get(index).and_then(|&at| self.archive.name_for_index(at)?.ok());
        name.unwrap_or_default().into_owned()
    }
}

impl Blobs for Members {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn open(&self, index: usize) -> Result<(Box<dyn Blob>, u64)> {
        let mut archive = self.archive.clone();
        let at = self.places.get(index).copied().unwrap_or(usize::MAX);
        let unreadable = |error: &dyn std::fmt::Display| broken(&self.origin, &self.name(index), error);
        let file = archive.by_index(at).map_err(|error| unreadable(&error))?;
        let size = file.size();
        if size > MAX_PICTURE || !plausible(&file, self.length) {
            return Err(self
                .origin
                .refuse(format!("claims to unpack to {}, which is too large for a picture", bytes(size))));
        }
        let mut picture = reserved(size)?;
        file.take(size).read_to_end(&mut picture).map_err(|error| unreadable(&error))?;
        Ok((Box::new(Cursor::new(picture)), size))
    }

    fn origin(&self, _index: usize) -> Origin {
        self.origin.clone()
    }

    fn named(&self, index: usize, error: Error) -> Error {
        Error {
            what: format!("`{}` of {}", crate::format::table::shown(&self.name(index)), error.what),
            ..error
        }
    }
}
