//! System calls that modify the disk, wrapped one by one so that tests can make any of them fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// A file open for writing.
#[derive(Debug)]
pub(super) struct Output(File);

impl Output {
    /// Creates a new file; an existing one is an error.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        fault()?;
        OpenOptions::new().write(true).create_new(true).open(path).map(Self)
    }

    /// Opens an existing file for appending, truncated to its first `length` bytes.
    pub(super) fn reopen(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(path)?;
        if file.metadata()?.len() < length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was"));
        }
        fault()?;
        file.set_len(length)?;
        Ok(Self(file))
    }

    /// Syncs everything written so far to disk, so that it survives a power loss.
    pub(super) fn sync(&self) -> io::Result<()> {
        fault()?;
        self.0.sync_all()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = fault() {
            let _ = self.0.write_all(&bytes[..bytes.len() / 2]); // a disk fills up in the middle of a write
            return Err(error);
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault()?;
    fs::rename(from, to)
}

/// Syncs the names in a folder to disk, so that they survive a power loss.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    fault()?;
    File::open(folder)?.sync_all()
}

pub(super) fn create_dir(folder: &Path) -> io::Result<()> {
    fault()?;
    fs::create_dir(folder)
}

pub(super) fn create_dir_all(folder: &Path) -> io::Result<()> {
    fault()?;
    fs::create_dir_all(folder)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    fault()?;
    fs::remove_file(path)
}

pub(super) fn remove_dir_all(folder: &Path) -> io::Result<()> {
    fault()?;
    fs::remove_dir_all(folder)
}

#[cfg(not(test))]
fn fault() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
fn fault() -> io::Result<()> {
    super::faults::next()
}
