//! Files named by the user: opened once, read at any offset by any number of readers, and named in messages.

use crate::{Cause, DataFile, Error, Result, text};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Regular file that is open; clones share the handle, so a file that is replaced is still read as it was when opened.
#[derive(Clone)]
pub(crate) struct OpenFile {
    path: Arc<Path>,
    contents: Arc<dyn ReadAt>,
    length: u64,
}

/// Reader of an open file, with a position of its own.
#[derive(Clone)]
pub(crate) struct FileReader {
    file: OpenFile,
    offset: u64,
}

/// Bytes that can be read at any offset, by several threads at once.
trait ReadAt: Send + Sync {
    /// Reads once into `buffer`, from `offset` on; returns the number of bytes read, which is 0 only at the end.
    fn read_once_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl OpenFile {
    /// Opens a regular file.
    ///
    /// Folders, pipes and devices are refused before they are opened, since opening a pipe may block forever.
    ///
    /// # Errors
    /// A data error that names the file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let refuse =
            |what: &dyn fmt::Display| Error::data(format!("{} {what}", name(path))).at(path.display());
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => refuse(&"does not exist").with_source(error),
            io::ErrorKind::PermissionDenied => refuse(&"may not be read by this user")
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
        #[cfg(test)]
        crate::testing::count_opening(path);
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        Ok(Self { path: path.into(), contents: Arc::new(file), length })
    }

    /// Lets tests read bytes as if from a file.
    #[cfg(test)]
    pub(crate) fn of_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self { path: Path::new(name).into(), length: bytes.len() as u64, contents: Arc::new(bytes) }
    }

    /// Returns the path it was opened as, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its length when it was opened, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the last component of its path.
    pub(crate) fn name(&self) -> String {
        name(&self.path)
    }

    /// Returns its place and size for messages.
    pub(crate) fn place(&self) -> DataFile {
        place(&self.path, self.length)
    }

    /// Returns a reader from the start.
    pub(crate) fn reader(&self) -> FileReader {
        FileReader { file: self.clone(), offset: 0 }
    }

    /// Fills `buffer` from `offset` on, as far as the file goes; returns the number of bytes read.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.contents.read_once_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Fills `buffer` from `offset` on.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let whole = self.read_at(buffer, offset)? == buffer.len();
        if whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.contents.read_once_at(buffer, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for FileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let offset = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => self.file.length.checked_add_signed(by),
        };
        self.offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_once_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_once_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
}

#[cfg(test)]
impl ReadAt for Vec<u8> {
    fn read_once_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        rest.unwrap_or_default().read(buffer)
    }
}

/// Returns the last component of a path.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Returns the place of a file of this size: `data/mnist/train-images-idx3-ubyte.gz (6.1 MB)`.
pub(crate) fn place(path: &Path, size: u64) -> DataFile {
    DataFile { size: Some(size), ..DataFile::new(path) }
}
