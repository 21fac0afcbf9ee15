//! Opens files named by the user, and names files in messages.

use crate::{Cause, DataFile, Error, Result, text};
use std::fmt;
use std::fs::{self, File};
use std::path::Path;

/// Opens a regular file for reading; also returns its length.
///
/// Folders, pipes and devices are refused before they are opened, since opening a pipe may block forever.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let refuse = |what: &dyn fmt::Display| Error::data(format!("{} {what}", name(path))).at(path.display());
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => refuse(&"does not exist").with_source(error),
        std::io::ErrorKind::PermissionDenied => refuse(&"may not be read by this user")
            .with_source(error)
            .advise("change its permissions with chmod"),
        _ => refuse(&format_args!("cannot be read: {}", text::plain_io(&error))).with_source(error),
    };
    let seen = fs::metadata(path).map_err(unreadable)?;
    if seen.is_dir() {
        return Err(refuse(&"is a folder, not a file").because(Cause::Unreadable));
    }
    if !seen.is_file() {
        return Err(refuse(&"is not a regular file").because(Cause::Unreadable));
    }
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    Ok((file, length))
}

/// Returns the last component of a path.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Returns the place of a file of this size: `data/mnist/train-images-idx3-ubyte.gz (6.1 MB)`.
pub(crate) fn place(path: &Path, size: u64) -> DataFile {
    DataFile { size: Some(size), ..DataFile::new(path) }
}
