//! Which format a file is in: by its first bytes, and by its name only where these could be anything.

use crate::unpack::{self, Packing};
use crate::{Error, Result, file};
use std::io::{self, BufRead, Read};
use std::path::Path;

/// What `found::open` can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
}

/// Said where a format is not known.
const KNOWN: &str = "known are .csv .tsv (also .gz .zst)";
/// Where a tar file says so.
const USTAR: usize = 257;
const START: u64 = 512;

/// Formats that are told by how they begin, and are not read.
const OTHERS: [(&[u8], &str); 12] = [
    (b"\0\0\x08", "an IDX file; name the folder that holds all four"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file; save it as .npz, .parquet or .csv"),
    (
        b"\x80\x02",
        "a Python pickle, which is never opened: it may run anything; save it as .npz, .parquet or .csv",
    ),
    (
        b"\x80\x03",
        "a Python pickle, which is never opened: it may run anything; save it as .npz, .parquet or .csv",
    ),
    (
        b"\x80\x04",
        "a Python pickle, which is never opened: it may run anything; save it as .npz, .parquet or .csv",
    ),
    (
        b"\x80\x05",
        "a Python pickle, which is never opened: it may run anything; save it as .npz, .parquet or .csv",
    ),
    (b"SQLite format 3\0", "an SQLite database; save the table as .csv"),
    (b"MATLAB", "a MATLAB file; save it as .csv or .npy"),
    (b"%PDF", "a PDF document"),
    (b"<!DOCTYPE", "an HTML page; was the download redirected?"),
    (b"<!doctype", "an HTML page; was the download redirected?"),
    (b"<html", "an HTML page; was the download redirected?"),
];

/// The format of a file.
///
/// # Errors
/// A data error that says what was seen and what is known.
pub(crate) fn format(path: &Path) -> Result<Format> {
    let (mut reader, packing) = unpack::open(path)?;
    let (_, length) = file::open(path)?;
    let start = start(&mut reader).map_err(|error| {
        Error::data(format!("{} cannot be read: {error}", file::name(path)))
            .at(file::place(path, length))
            .advise("copy it again")
    })?;
    by_start(&start, packing).map_err(|seen| {
        Error::data(format!("{} is {seen}", file::name(path))).at(file::place(path, length)).advise(KNOWN)
    })
}

fn start(reader: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(START).read_to_end(&mut start)?;
    Ok(start)
}

fn by_start(start: &[u8], packing: Packing) -> std::result::Result<Format, String> {
    if let Some((_, seen)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err((*seen).into());
    }
    if start.get(USTAR..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return Err(format!("a tar file, packed; unpack it with {}", packing.tool()));
    }
    Ok(Format::Text)
}
