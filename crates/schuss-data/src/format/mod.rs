//! File formats: one module per reader, and the one table of those that are files.

pub(crate) mod catch_panic;
pub(crate) mod channels_first;
#[cfg(feature = "parquet")]
pub(crate) mod columnar;
pub mod csv;
pub(crate) mod encoded;
pub(crate) mod folder;
pub(crate) mod idx;
pub(crate) mod images;
pub(crate) mod npy;
pub(crate) mod npz;
pub mod pack;
pub(crate) mod packed;
mod picture;
pub(crate) mod recognise;
pub(crate) mod shards;
pub mod table;
pub(crate) mod tables;
pub(crate) mod tree;
pub(crate) mod unpack;
pub(crate) mod zipped;
pub(crate) mod zips;

pub use encoded::Pictures;
pub use idx::read_split;
pub use images::is_picture_file;
pub use picture::{Picture, read_picture, write_picture};

use crate::Result;
use crate::file::OpenFile;
use crate::reader::{Loaded, ReadOptions};

/// A format of files.
pub(crate) struct FileFormat {
    /// Name in messages.
    pub(crate) name: &'static str,
    /// Bytes that files contain, any of them at its offset.
    magic: &'static [(usize, &'static [u8])],
    /// Usual endings of names.
    pub(crate) endings: &'static [&'static str],
    /// Reads a file.
    pub(crate) read: fn(&OpenFile, &ReadOptions) -> Result<Loaded>,
}

impl FileFormat {
    /// Returns true if a file that begins with `start` is of this format.
    pub(crate) fn begins(&self, start: &[u8]) -> bool {
        let is_at = |(offset, magic): &(usize, &[u8])| {
            start.get(*offset..).is_some_and(|rest| rest.starts_with(magic))
        };
        self.magic.iter().any(is_at)
    }
}

/// Tables as text, which have no magic bytes.
pub(crate) static TEXT: FileFormat =
    FileFormat { name: "text", magic: &[], endings: &[".csv", ".tsv", ".txt"], read: csv::read };

/// All formats with magic bytes.
pub(crate) static FORMATS: [FileFormat; 6] = [
    FileFormat { name: "NPY", magic: &[(0, npy::MAGIC)], endings: &[".npy"], read: npy::read },
    FileFormat {
        name: "zip",
        magic: &[(0, b"PK\x03\x04"), (0, b"PK\x05\x06")],
        endings: &[".npz", ".zip"],
        read: read_zip,
    },
    FileFormat { name: "Parquet", magic: &[(0, b"PAR1")], endings: &[".parquet"], read: columns::parquet },
    FileFormat {
        name: "Arrow",
        magic: &[(0, b"ARROW1")],
        endings: &[".arrow", ".feather"],
        read: columns::arrow,
    },
    FileFormat { name: "tar", magic: &[(257, b"ustar")], endings: &[".tar"], read: read_tar },
    FileFormat { name: "schuss", magic: &[(0, &pack::MAGIC)], endings: &[".schuss"], read: packed::read },
];

/// Images in folders, or arrays.
fn read_zip(file: &OpenFile, options: &ReadOptions) -> Result<Loaded> {
    match zipped::read(file, options)? {
        Some(loaded) => Ok(loaded),
        None => npz::read(file, options),
    }
}

fn read_tar(file: &OpenFile, options: &ReadOptions) -> Result<Loaded> {
    shards::read_file(file, options)
}

/// Readers of tables of typed columns, which a build may leave out.
mod columns {
    #[cfg(feature = "parquet")]
    use super::columnar::{Format, read};
    use super::{Loaded, OpenFile, ReadOptions, Result};

    #[cfg(feature = "parquet")]
    pub(super) fn parquet(file: &OpenFile, options: &ReadOptions) -> Result<Loaded> {
        read(file, Format::Parquet, options)
    }

    #[cfg(feature = "parquet")]
    pub(super) fn arrow(file: &OpenFile, options: &ReadOptions) -> Result<Loaded> {
        read(file, Format::Arrow, options)
    }

    #[cfg(not(feature = "parquet"))]
    pub(super) fn parquet(file: &OpenFile, _: &ReadOptions) -> Result<Loaded> {
        Err(super::recognise::left_out(file.path()))
    }

    #[cfg(not(feature = "parquet"))]
    pub(super) use parquet as arrow;
}
