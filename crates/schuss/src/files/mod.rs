//! File output, all of it: a file or a run folder appears whole, by rename, or not at all.

mod disk;
#[cfg(test)]
pub(crate) mod faults;

use crate::{Cause, Error, Result};
use disk::Output;
use schuss_data::text::plain_io;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

fn failure(what: &str, path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space on that disk",
        _ => "a writable folder, with --out",
    };
    Error::failure(format!("{what}: {}", plain_io(&error)))
        .with_source(error)
        .at(path.display())
        .advise(advice)
}

/// Writes a new file or replaces an old one: exclusive temporary name, fsync, rename, fsync of the folder.
///
/// # Errors
/// Failures (exit 1) that name the file; the old content, if any, is then kept.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_by(path, None, |to| to.write_all(bytes))
}

/// Like [`write()`], with contents written by `fill`. If `previous` is given, an old file is renamed to it.
///
/// # Errors
/// As for [`write()`]. If killed between the two renames, only `previous` exists.
pub fn write_by(
    path: &Path,
    previous: Option<&Path>,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let fail = |error: io::Error| failure("the file cannot be written", path, error);
    let folder = folder_of(path);
    disk::create_dir_all(folder).map_err(fail)?;
    let temporary = sibling(path);
    let written =
        clear(&temporary).and_then(|()| write_through(&temporary, fill)).and_then(|()| match previous {
            Some(previous) if path.exists() => disk::rename(path, previous),
            _ => Ok(()),
        });
    if let Err(error) = written.and_then(|()| disk::rename(&temporary, path)) {
        let _ = disk::remove_file(&temporary); // it may not exist; the first error is reported
        return Err(fail(error));
    }
    disk::sync_folder(folder).map_err(fail)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_through(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    const ROOM: usize = 1 << 16;
    let mut file = BufWriter::with_capacity(ROOM, Output::create(path)?);
    let filled = fill(&mut file).and_then(|()| file.flush());
    let (file, _) = file.into_parts(); // unlike drop, this does not retry a failed write
    filled.and_then(|()| file.sync())
}

/// Returns `.name.tmp-PID` beside `path`.
fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{TEMPORARY}{}", std::process::id()))
}

/// Removes a temporary file or folder left by a killed process with the same PID.
fn clear(temporary: &Path) -> io::Result<()> {
    match temporary.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(left) if left.is_dir() => disk::remove_dir_all(temporary),
        Ok(_) => disk::remove_file(temporary),
    }
}

const TEMPORARY: &str = ".tmp-";

/// Removes temporary files and folders left in `folder` by killed processes.
///
/// # Errors
/// Failures (exit 1) that name the file or folder.
pub fn clean(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.contains(TEMPORARY) {
            let removed = if path.is_dir() { disk::remove_dir_all(&path) } else { disk::remove_file(&path) };
            removed.map_err(|error| failure("a leftover of a killed run cannot be removed", &path, error))?;
        }
    }
    Ok(())
}

/// Creates a folder that appears with all of its `files` (names and contents) in it.
///
/// # Errors
/// Failures (exit 1); a usage error (exit 2) if `folder` already exists.
pub fn create_folder<N: AsRef<Path>, B: AsRef<[u8]>>(folder: &Path, files: &[(N, B)]) -> Result<()> {
    let fail = |error: io::Error| failure("the folder cannot be created", folder, error);
    if folder.symlink_metadata().is_ok() {
        return Err(Error::usage("the output folder already exists")
            .because(Cause::AlreadyExists)
            .at(folder.display())
            .advise("another --out; runs are never overwritten"));
    }
    let parent = folder_of(folder);
    disk::create_dir_all(parent).map_err(fail)?;
    let temporary = sibling(folder);
    let write = |(name, bytes): &(N, B)| {
        write_through(&temporary.join(name), |to: &mut dyn Write| to.write_all(bytes.as_ref()))
    };
    let made = clear(&temporary)
        .and_then(|()| disk::create_dir(&temporary))
        .and_then(|()| files.iter().try_for_each(write))
        .and_then(|()| disk::rename(&temporary, folder))
        .and_then(|()| disk::sync_folder(parent));
    made.map_err(|error| {
        let _ = disk::remove_dir_all(&temporary);
        fail(error)
    })
}

/// Like [`create_folder`], but replaces an existing folder.
///
/// # Errors
/// Failures (exit 1) that name the folder.
pub fn replace_folder<N: AsRef<Path>, B: AsRef<[u8]>>(folder: &Path, files: &[(N, B)]) -> Result<()> {
    if folder.is_dir() {
        let removed = disk::remove_dir_all(folder);
        removed.map_err(|error| failure("the folder cannot be replaced", folder, error))?;
    }
    create_folder(folder, files)
}

/// Renames a file, replacing any file at `to`.
///
/// # Errors
/// Failures (exit 1) that name the file.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let renamed = disk::rename(from, to).and_then(|()| disk::sync_folder(folder_of(to)));
    renamed.map_err(|error| failure("the file cannot be renamed", from, error))
}

/// Removes a file, if it exists.
///
/// # Errors
/// Failures (exit 1) that name the file.
pub fn remove(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    disk::remove_file(path).map_err(|error| failure("the file cannot be removed", path, error))
}

/// An append-only file that grows while a trial runs; data appended before a crash can be read.
#[derive(Debug)]
pub struct Log {
    file: Output,
    path: PathBuf,
    length: u64,
}

impl Log {
    /// Creates a new, empty log.
    ///
    /// # Errors
    /// Failures (exit 1) that name the file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = Output::create(path);
        let file = file.map_err(|error| failure("the file cannot be created", path, error))?;
        Ok(Self { file, path: path.to_owned(), length: 0 })
    }

    /// Reopens an existing log, truncated to its first `length` bytes.
    ///
    /// # Errors
    /// Failures (exit 1) that name the file, including if it is shorter.
    pub fn reopen(path: &Path, length: u64) -> Result<Self> {
        let file = Output::reopen(path, length);
        let file = file.map_err(|error| failure("the file cannot be appended to", path, error))?;
        Ok(Self { file, path: path.to_owned(), length })
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends `bytes` and passes them to the operating system.
    ///
    /// # Errors
    /// Failures (exit 1) that name the file.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| failure("the file cannot be written", &self.path, error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Syncs everything appended so far to disk, so that it survives a power loss.
    ///
    /// # Errors
    /// Failures (exit 1) that name the file.
    pub fn sync(&self) -> Result<()> {
        self.file.sync().map_err(|error| failure("the file cannot be written", &self.path, error))
    }
}

/// Exclusive lock on a run folder; released when dropped, or when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the folder of `file`, without changing the file.
    ///
    /// # Errors
    /// A failure (exit 1) if another process has the lock.
    pub fn on(file: &Path) -> Result<Self> {
        let folder = folder_of(file);
        let unreadable = |error: io::Error| {
            Error::failure(format!("the run cannot be locked: {}", plain_io(&error)))
                .with_source(error)
                .at(folder)
        };
        let opened = File::open(file).map_err(unreadable)?;
        match opened.try_lock() {
            Ok(()) => Ok(Self { _file: opened }),
            Err(TryLockError::WouldBlock) => Err(Error::failure("another process is at work on this run")
                .because(Cause::Busy)
                .at(folder)
                .advise("wait until it ends")),
            Err(TryLockError::Error(error)) => Err(unreadable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::faults::Fault;
    use super::*;

    #[test]
    fn a_file_appears_whole_and_leaves_nothing_else_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/model");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_there_is_refused_and_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        create_folder(&run, &[("study.toml", b"a"), ("more", b"c")]).unwrap();
        assert_eq!(create_folder(&run, &[("study.toml", b"b")]).unwrap_err().exit_code(), 2);
        assert_eq!(fs::read(run.join("study.toml")).unwrap(), b"a");
        assert_eq!(fs::read(run.join("more")).unwrap(), b"c");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_keeps_its_old_content_whichever_call_fails() {
        for (fault, at) in (1..).flat_map(|at| [(Fault::Once(at), at), (Fault::From(at), at)]) {
            let folder = tempfile::tempdir().unwrap();
            let (path, previous) = (folder.path().join("file"), folder.path().join("previous"));
            write(&path, b"old").unwrap();
            let (written, failed) =
                faults::with(fault, || write_by(&path, Some(&previous), |to| to.write_all(&[b'n'; 100_000])));
            let found = fs::read(&path).or_else(|_| fs::read(&previous)).unwrap();
            assert!(found == b"old" || found.len() == 100_000, "call {at}");
            assert_eq!(written.is_err(), failed, "call {at}");
            if !failed {
                return;
            }
        }
    }

    #[test]
    fn a_log_goes_on_behind_the_bytes_that_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Log::create(&path).unwrap();
        log.append(b"kept, lost").unwrap();
        let mut log = Log::reopen(&path, 6).unwrap();
        log.append(b"new").unwrap();
        assert_eq!((fs::read(&path).unwrap(), log.length()), (b"kept, new".to_vec(), 9));
        assert!(Log::reopen(&path, 10).is_err(), "what counts is missing");
    }

    #[test]
    fn a_folder_is_locked_once_and_free_when_the_lock_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("study.toml");
        write(&file, b"").unwrap();
        let lock = Lock::on(&file).unwrap();
        assert_eq!(Lock::on(&file).unwrap_err().exit_code(), 1);
        drop(lock);
        assert!(Lock::on(&file).is_ok());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".checkpoint.tmp-17", "checkpoint", ".hidden"] {
            fs::write(folder.path().join(name), b"x").unwrap();
        }
        clean(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_failure_that_names_it() {
        for path in ["/proc/nobody/file", "/dev/null/file"] {
            let error = write(Path::new(path), b"x").unwrap_err();
            assert_eq!((error.exit_code(), error.place), (1, Some(Box::new(Path::new(path).into()))));
        }
    }
}
