//! Folders of pictures: `root/{train,val,test}/class/*.png`, `root/class/*.jpg`, or `root/*.png` without labels.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::file::OpenFile;
use crate::format::encoded::{Blob, Blobs};
use crate::format::table::{Origin, shown};
use crate::format::tree::{self, Entry, EntryKind};
use crate::reader::{Loaded, ReadOptions};
use crate::text::grouped;
use crate::{Error, Result, RowUnit, file};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ENDINGS: [&str; 11] = ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "tif", "tiff"];

/// Reads a folder of pictures; returns `None` if it has none.
///
/// # Errors
/// A data error that names the folder or picture.
pub(crate) fn read(root: &Path, ask: &ReadOptions) -> Result<Option<Loaded>> {
    let mut walk = Walk::new(root)?;
    walk.list(root, &[])?;
    walk.found.sort_unstable();
    let notes = walk.notes();
    let (entries, paths): (Vec<Entry>, Vec<PathBuf>) = walk.found.into_iter().unzip();
    let blobs = |chosen: Vec<usize>| -> Arc<dyn Blobs> {
        Arc::new(Files(chosen.into_iter().filter_map(|at| paths.get(at).cloned()).collect()))
    };
    tree::read(&entries, blobs, notes, &Origin::new(root, RowUnit::Sample), ask)
}

/// Traversal of the folder; nothing outside it is ever opened.
struct Walk {
    /// Canonical path of the folder.
    root: PathBuf,
    found: Vec<(Entry, PathBuf)>,
    outside: u64,
    /// Number of links to folders that contain them.
    circles: u64,
    /// Number of folders nested too deeply.
    deeper: u64,
}

/// Maximum nesting of folders.
const MAX_DEPTH: usize = 8;

impl Walk {
    fn new(root: &Path) -> Result<Self> {
        let root = fs::canonicalize(root).map_err(|error| unreadable(root, error))?;
        Ok(Self { root, found: vec![], outside: 0, circles: 0, deeper: 0 })
    }

    /// Collects everything that is not hidden in a folder; `parts` are the components of the folder's own path.
    fn list(&mut self, folder: &Path, parts: &[String]) -> Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            if file::name(&path).starts_with('.') || !self.is_inside(&path)? {
                continue;
            }
            let kind = if path.is_dir() { EntryKind::Folder } else { EntryKind::of(&file::name(&path)) };
            let parts = [parts, &[file::name(&path)]].concat();
            self.found.push((Entry { parts: parts.clone(), kind }, path.clone()));
            match kind {
                EntryKind::Folder if parts.len() < MAX_DEPTH => self.list(&path, &parts)?,
                EntryKind::Folder => self.deeper = self.deeper.saturating_add(1),
                EntryKind::Picture | EntryKind::Other => {}
            }
        }
        Ok(())
    }

    /// Returns false for a link that points outside the folder, or to a folder that contains it, and counts it.
    fn is_inside(&mut self, path: &Path) -> Result<bool> {
        let seen = fs::symlink_metadata(path).map_err(|error| unreadable(path, error))?;
        if !seen.is_symlink() {
            return Ok(true);
        }
        let led = fs::canonicalize(path).ok().filter(|led| led.starts_with(&self.root));
        let Some(led) = led else {
            self.outside = self.outside.saturating_add(1);
            return Ok(false);
        };
        // A link to a folder that contains it would loop.
        let own = fs::canonicalize(path.parent().unwrap_or(path)).unwrap_or_default();
        let leads_on = !own.starts_with(&led);
        self.circles = self.circles.saturating_add(u64::from(!leads_on));
        Ok(leads_on)
    }

    fn notes(&self) -> Vec<String> {
        let outside = (self.outside > 0).then(|| {
            format!("{} links that point outside the folder were not followed", grouped(self.outside))
        });
        let deeper = (self.deeper > 0)
            .then(|| format!("{} folders are nested too deeply and were not read", grouped(self.deeper)));
        let circles =
            (self.circles > 0).then(|| format!("{} circular links were not followed", grouped(self.circles)));
        outside.into_iter().chain(circles).chain(deeper).collect()
    }
}

/// Returns true if the path has the extension of a picture and is not a folder.
pub fn is_picture_file(path: &Path) -> bool {
    is_picture(path) && !path.is_dir()
}

/// Returns true if the file name has the extension of a picture.
pub(crate) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&&*ending))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::data(format!("{} cannot be read: {}", shown(&file::name(path)), crate::text::plain_io(&error)))
        .with_source(error)
        .at(path.display())
}

/// Samples in files, one file each.
struct Files(Vec<PathBuf>);

impl Blobs for Files {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn open(&self, index: usize) -> Result<(Box<dyn Blob>, u64)> {
        let file = OpenFile::open(self.path(index))?;
        Ok((Box::new(BufReader::new(file.reader())), file.length()))
    }

    fn origin(&self, index: usize) -> Origin {
        Origin::new(self.path(index), RowUnit::Sample)
    }
}

impl Files {
    fn path(&self, index: usize) -> &Path {
        self.0.get(index).map_or(Path::new(""), PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests;
