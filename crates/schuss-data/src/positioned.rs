//! Reading at a place in a file, by several threads at once.

use std::fs::File;
use std::io;

/// Bytes that are read at given places.
pub(crate) trait ReadAt: Send + Sync {
    /// Fills `bytes` from `offset` on.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A file, read by as many threads at once as the system lets.
#[cfg(unix)]
pub(crate) fn positioned(file: File) -> impl ReadAt {
    file
}

#[cfg(unix)]
impl ReadAt for File {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, bytes, offset)
    }
}

/// A file, read by one thread at a time.
#[cfg(not(unix))]
pub(crate) fn positioned(file: File) -> impl ReadAt {
    std::sync::Mutex::new(file)
}

#[cfg(not(unix))]
impl ReadAt for std::sync::Mutex<File> {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}

/// So that tests need no files.
#[cfg(test)]
impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let from = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)?.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
