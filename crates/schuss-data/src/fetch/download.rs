//! Download from a mirror to a complete, verified file: temporary name, SHA-256, fsync, rename, fsync of the
//! folder.

use super::Progress;
use crate::file::OpenFile;
use crate::format::folder::{self, NAMES};
use crate::format::idx::Stream;
use crate::published::Checksum;
use crate::{Cause, Error, Place, Result, file};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;

/// Timeout for a connection, for an answer, and for the next bytes.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Time limit for one file, however steadily its bytes trickle in.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Lock file of a process that downloads.
const LOCK: &str = ".fetch.lock";
/// Bytes that gzip may add to a file it cannot shrink.
const GZIP_OVERHEAD: u64 = 1 << 16;

pub(super) fn agent(patience: Duration) -> Agent {
    Agent::config_builder()
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_send_request(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .timeout_per_write(Some(patience))
        .timeout_global(Some(LONGEST))
        .user_agent(concat!("schuss/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// The four files of a data set being downloaded into a folder.
pub(super) struct Download<'a> {
    pub(super) folder: &'a Path,
    pub(super) files: &'a [Checksum; 4],
    pub(super) mirrors: &'a [String],
    pub(super) agent: Agent,
}

/// Reason why a mirror did not help, or why no mirror could.
enum Trouble {
    Mirror(String),
    Here(Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Mirror(crate::text::plain_io(&error))
    }
}

impl Download<'_> {
    pub(super) fn run(&self, progress: &mut Progress) -> Result<()> {
        if self.files().all(|(name, checksum)| self.is_there(name, checksum)) {
            return Ok(());
        }
        fs::create_dir_all(self.folder).map_err(|error| unwritable(self.folder, error))?;
        let _lock = self.lock()?;
        let ensured = self.files().try_for_each(|(name, checksum)| self.ensure(name, checksum, progress));
        // Should another process lock the file between its removal and the end of this lock, each still
        // writes its own: a partial file is created anew or not at all.
        let _ = fs::remove_file(self.folder.join(LOCK));
        ensured
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, &Checksum)> {
        NAMES.into_iter().zip(self.files)
    }

    /// Returns true if a file exists and has the right checksum.
    fn is_there(&self, name: &str, checksum: &Checksum) -> bool {
        folder::existing(self.folder, name).is_some_and(|path| is_right(&path, checksum))
    }

    /// Lets only one process at a time write here; the lock ends with the process, however it ends.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join(LOCK);
        // No truncation: the path may be a link to something valuable.
        let open = File::options().write(true).create(true).truncate(false).open(&path);
        let lock = open.map_err(|error| unwritable(&path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => {
                Err(Error::failure("another schuss is downloading this data set")
                    .because(Cause::Busy)
                    .at(self.folder.display())
                    .advise("wait until it is done"))
            }
            Err(TryLockError::Error(error)) => Err(unwritable(&path, error)),
        }
    }

    /// Keeps an existing file if it is right, else downloads it from the first mirror that has it.
    fn ensure(&self, name: &str, checksum: &Checksum, progress: &mut Progress) -> Result<()> {
        if self.is_there(name, checksum) {
            return Ok(());
        }
        let part = self.folder.join(format!(".{name}.gz.part"));
        let mut troubles = Vec::new();
        for mirror in self.mirrors {
            let url = format!("{}/{name}.gz", mirror.trim_end_matches('/'));
            match self.get(&url, &part, checksum, &mut |got, total| progress(name, got, total)) {
                Ok(()) => return self.publish(&part, name),
                Err(Trouble::Mirror(why)) => troubles.push(format!("{url}: {why}")),
                Err(Trouble::Here(error)) => return Err(discard(&part, error)),
            }
        }
        let what = format!("no mirror served the published {name}.gz");
        let advice = format!(
            "check the network, or put the file into {}, or use --data digits",
            self.folder.display()
        );
        Err(discard(&part, Error::data(what).at(Place::Servers(troubles)).advise(advice)))
    }

    /// Downloads `url` to `part` and verifies it there; leftovers of an earlier, dead process in `part` are
    /// discarded.
    fn get(
        &self,
        url: &str,
        part: &Path,
        checksum: &Checksum,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> std::result::Result<(), Trouble> {
        let mut body =
            self.agent.get(url).call().map_err(|error| Trouble::Mirror(error.to_string()))?.into_body();
        let total = body.content_length();
        let limit = checksum.bytes.saturating_add(GZIP_OVERHEAD);
        let here = |error| Trouble::Here(unwritable(part, error));
        let mut file = fresh(part).map_err(here)?;
        let mut got = 0;
        pump(&mut body.as_reader().take(limit), |chunk| {
            got += chunk.len() as u64;
            progress(got, total);
            file.write_all(chunk).map_err(here)
        })?;
        file.sync_all().map_err(here)?;
        file.rewind().map_err(here)?;
        verify(file, got, checksum)
    }

    /// Moves the verified file to its final name; wrong files that would be read before it are set aside.
    fn publish(&self, part: &Path, name: &str) -> Result<()> {
        while let Some(wrong) = folder::existing(self.folder, name) {
            let aside = PathBuf::from(format!("{}.old", wrong.display()));
            fs::rename(&wrong, &aside).map_err(|error| unwritable(&aside, error))?;
        }
        let path = self.folder.join(format!("{name}.gz"));
        fs::rename(part, &path).map_err(|error| unwritable(&path, error))?;
        sync_folder(self.folder).map_err(|error| unwritable(self.folder, error))
    }
}

/// Creates a new file; whatever exists there, a leftover or a link somebody planted, is removed and not
/// followed.
fn fresh(part: &Path) -> io::Result<File> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().read(true).write(true).create_new(true).open(part)
}

fn discard(part: &Path, error: Error) -> Error {
    match fs::remove_file(part) {
        Err(remains) if remains.kind() != io::ErrorKind::NotFound => unwritable(part, remains),
        _ => error,
    }
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::failure(format!("{} cannot be written: {}", file::name(path), crate::text::plain_io(&error)))
        .with_source(error)
        .at(path.display())
        .advise("free some space, or allow writing there, or set SCHUSS_DATA to another folder")
}

/// Syncs a folder: a rename survives a power cut only once its folder is on disk. Folders can only be synced
/// on Unix.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn is_right(path: &Path, checksum: &Checksum) -> bool {
    OpenFile::open(path).is_ok_and(|file| verify(file.reader(), file.length(), checksum).is_ok())
}

/// Compares the decompressed content with its published SHA-256.
fn verify(file: impl Read + 'static, length: u64, checksum: &Checksum) -> std::result::Result<(), Trouble> {
    let mut hash = Sha256::new();
    let content = Stream::new(file, length)?.reader;
    let got = pump(&mut content.take(checksum.bytes.saturating_add(1)), |chunk| {
        hash.update(chunk);
        Ok::<_, Trouble>(())
    })?;
    if got != checksum.bytes {
        let what = if got > checksum.bytes { "more than".to_owned() } else { format!("{got} of") };
        return Err(Trouble::Mirror(format!("it unpacks to {what} {} bytes", checksum.bytes)));
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != checksum.sha256 {
        return Err(Trouble::Mirror(format!("its SHA-256 is {found}, not {}", checksum.sha256)));
    }
    Ok(())
}

/// Passes everything that `reader` yields to `sink`, piece by piece; returns the number of bytes.
fn pump<E: From<io::Error>>(
    reader: &mut dyn Read,
    mut sink: impl FnMut(&[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<u64, E> {
    let mut buffer = vec![0; 1 << 16];
    let mut total = 0;
    loop {
        let got = match reader.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        sink(&buffer[..got])?;
        total += got as u64;
    }
}

#[cfg(test)]
mod tests;
