//! Detects the format of a file by its first bytes, and by its name only if these are ambiguous.

use crate::file::{self, OpenFile};
use crate::format::csv::Encoding;
use crate::format::table::shown;
use crate::format::unpack::{self, Packing};
use crate::format::{FORMATS, FileFormat, TEXT};
use crate::{Error, Result};
use std::io::{self, BufRead, Read};
use std::path::Path;

const START: u64 = 512;

/// Returns the advice for an unknown format.
fn supported() -> String {
    let endings: Vec<&str> =
        FORMATS.iter().chain([&TEXT]).flat_map(|format| format.endings).copied().collect();
    format!(
        "supported: {} (text also .gz .zst); folders of .tar; train/CLASS/*.png|jpg (also val/, test/) or \
         CLASS/*.png|jpg in a folder, .tar or .zip; folders of train.csv, test.csv, val.csv",
        endings.join(" ")
    )
}

/// Formats that are recognised by their first bytes but not supported.
const OTHERS: [(&[u8], &str); 12] = [
    (b"\0\0\x08", "an IDX file; name the folder that holds all four"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file; save it as .npz, .parquet or .csv"),
    (
        b"\x80\x02",
        "a Python pickle, which is never loaded: it could run any code; save it as .npz, .parquet or .csv",
    ),
    (
        b"\x80\x03",
        "a Python pickle, which is never loaded: it could run any code; save it as .npz, .parquet or .csv",
    ),
    (
        b"\x80\x04",
        "a Python pickle, which is never loaded: it could run any code; save it as .npz, .parquet or .csv",
    ),
    (
        b"\x80\x05",
        "a Python pickle, which is never loaded: it could run any code; save it as .npz, .parquet or .csv",
    ),
    (b"SQLite format 3\0", "an SQLite database; save the table as .csv"),
    (b"MATLAB", "a MATLAB file; save it as .csv or .npy"),
    (b"%PDF", "a PDF document"),
    (b"<!DOCTYPE", "an HTML page; was the download redirected?"),
    (b"<!doctype", "an HTML page; was the download redirected?"),
    (b"<html", "an HTML page; was the download redirected?"),
];

/// Returns the format of a file.
///
/// # Errors
/// A data error that says what was found and what is supported.
pub(crate) fn format(file: &OpenFile) -> Result<&'static FileFormat> {
    let (mut reader, packing) = unpack::unpacked(file)?;
    let start = start(&mut reader).map_err(|error| {
        Error::data(format!("{} cannot be read: {error}", file.name()))
            .with_source(error)
            .at(file.place())
            .advise("copy it again")
    })?;
    by_start(&start, packing, is_text(file.path())).map_err(|seen| {
        Error::data(format!("{} is {seen}", file.name())).at(file.place()).advise(supported())
    })
}

/// Returns the error for a folder with nothing to read, which lists some of its entries.
pub(crate) fn unknown_folder(path: &Path) -> Error {
    const LISTED: usize = 8;
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| shown(&entry.file_name().to_string_lossy())).collect();
    names.sort_unstable();
    let more = if names.len() > LISTED { " ..." } else { "" };
    names.truncate(LISTED);
    let seen = if names.is_empty() { "is empty".into() } else { format!("holds {}{more}", names.join(" ")) };
    Error::data(format!("the folder {} holds no samples: it {seen}", file::name(path)))
        .at(path.display())
        .advise(supported())
}

/// Returns the error for a format that this build leaves out.
#[cfg(not(feature = "parquet"))]
pub(crate) fn left_out(path: &Path) -> Error {
    Error::usage(format!("{} is a Parquet or Arrow file, which this build does not read", file::name(path)))
        .because(crate::Cause::NotBuiltIn { feature: "parquet" })
        .at(path.display())
        .advise("cargo build --release --features full, or save it as .npz or .csv")
}

fn start(reader: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(START).read_to_end(&mut start)?;
    Ok(start)
}

fn by_start(start: &[u8], packing: Packing, text: bool) -> std::result::Result<&'static FileFormat, String> {
    if let Some((_, seen)) = OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err((*seen).into());
    }
    match (FORMATS.iter().find(|format| format.begins(start)), packing) {
        (Some(format), Packing::Unpacked) => Ok(format),
        (Some(format), packed) => {
            Err(format!("a packed {} file; unpack it with {}", format.name, packed.tool()))
        }
        (None, _) if text || !start.contains(&0) || Encoding::of(start) != Encoding::Utf8 => Ok(&TEXT),
        (None, _) => Err(format!("of no known format; it begins with {}", beginning(start))),
    }
}

/// Returns true if the name is that of a text file.
fn is_text(path: &Path) -> bool {
    let name = file::name(path).to_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    TEXT.endings.iter().any(|ending| name.ends_with(ending))
}

/// Returns the first bytes, formatted for a message.
fn beginning(start: &[u8]) -> String {
    const SHOWN: usize = 8;
    start.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, bytes: &[u8]) -> Result<&'static str> {
        format(&OpenFile::of_bytes(name, bytes.to_vec())).map(|format| format.name)
    }

    #[test]
    fn contents_count_more_than_names() {
        assert_eq!(seen("x.csv", crate::format::npy::MAGIC).unwrap(), "NPY");
        assert_eq!(seen("x.npz", b"a,b\n").unwrap(), "text");
        assert_eq!(seen("x.csv.gz", b"a\0b").unwrap(), "text");
    }

    #[test]
    fn an_unknown_format_is_refused_with_what_was_seen_and_what_is_known() {
        let cases: [(&[u8], &str); 5] = [
            (b"\x01\x02\0\x03", "x is of no known format; it begins with 01 02 00 03"),
            (b"<!DOCTYPE html>", "x is an HTML page; was the download redirected?"),
            (
                b"\x80\x04\x95",
                "x is a Python pickle, which is never loaded: it could run any code; save it as .npz, .parquet or .csv",
            ),
            (b"\0\0\x08\x03", "x is an IDX file; name the folder that holds all four"),
            (
                &crate::testing::gzip(crate::format::npy::MAGIC),
                "x is a packed NPY file; unpack it with gunzip",
            ),
        ];
        for (bytes, what) in cases {
            let error = seen("x", bytes).unwrap_err();
            assert_eq!((error.exit_code(), &*error.what), (3, what));
            assert!(error.advice.unwrap().starts_with("supported: .npy"));
        }
    }
}
