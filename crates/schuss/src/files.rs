//! All writing of files goes through here: a file or a run folder appears whole, by rename, or not at all.

use crate::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

fn failure(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::failure(format!("{what}: {error}"))
        .at(path.display())
        .advise("a folder that can be written, with --out")
}

/// Writes a new file or replaces an old one: exclusive temporary name, fsync, rename, fsync of the folder.
///
/// # Errors
/// Failures (exit 1) that name the file; the old content, if any, then still stands.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |error: io::Error| failure("the file cannot be written", path, &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(fail)?;
    let temporary = sibling(path);
    let written = write_through(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary); // it may never have been made; the first error is the one to tell
        return Err(fail(error));
    }
    sync_folder(folder).map_err(fail)
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// `.name.tmp-PID` beside `path`.
fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp-{}", std::process::id()))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder that appears with all of its `files`, names and contents, in it.
///
/// # Errors
/// Failures (exit 1); a usage error (exit 2) if `folder` is already there.
pub fn create_folder<N: AsRef<Path>, B: AsRef<[u8]>>(folder: &Path, files: &[(N, B)]) -> Result<()> {
    let fail = |error: io::Error| failure("the folder cannot be made", folder, &error);
    if folder.symlink_metadata().is_ok() {
        return Err(Error::usage("the output folder is already there")
            .at(folder.display())
            .advise("another --out; runs are never overwritten"));
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(fail)?;
    let temporary = sibling(folder);
    let write = |(name, bytes): &(N, B)| write_through(&temporary.join(name), bytes.as_ref());
    let made = fs::create_dir(&temporary)
        .and_then(|()| files.iter().try_for_each(write))
        .and_then(|()| fs::rename(&temporary, folder))
        .and_then(|()| sync_folder(parent));
    made.map_err(|error| {
        let _ = fs::remove_dir_all(&temporary);
        fail(error)
    })
}

/// A file that grows while a trial runs; what was appended before a crash can be read.
#[derive(Debug)]
pub struct Log {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Log {
    /// A new, empty log.
    ///
    /// # Errors
    /// Failures (exit 1) that name the file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| failure("the file cannot be made", path, &error))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned() })
    }

    /// Adds `bytes` and hands them to the system.
    ///
    /// # Errors
    /// Failures (exit 1) that name the file.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.flush());
        written.map_err(|error| failure("the file cannot be written", &self.path, &error))
    }
}

#[cfg(test)]
mod tests {
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
    fn a_place_that_cannot_be_written_is_a_failure_that_names_it() {
        for path in ["/proc/nobody/file", "/dev/null/file"] {
            let error = write(Path::new(path), b"x").unwrap_err();
            assert_eq!((error.exit_code(), error.place.as_deref()), (1, Some(path)));
        }
    }
}
