//! Folders of pictures: `root/{train,val,test}/class/*.png`, `root/class/*.jpg`, or `root/*.png` without labels.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::encoded::{self, Blob, Blobs, Encoded};
use crate::found::{Ask, Found};
use crate::table::{Origin, shown};
use crate::text::{grouped, listed};
use crate::{Error, Labels, Result, file};
use std::ffi::OsString;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What folders of splits are called, and tables of splits.
pub(crate) const TRAIN: &[&str] = &["train", "training"];
pub(crate) const VALIDATION: &[&str] = &["val", "valid", "validation", "dev"];
pub(crate) const TEST: &[&str] = &["test", "testing"];
const ENDINGS: [&str; 11] = ["png", "jpg", "jpeg", "jpe", "jfif", "webp", "gif", "bmp", "dib", "tif", "tiff"];

/// Reads a folder of pictures, or gives `None` if it holds none.
///
/// # Errors
/// A data error that names the folder or picture.
pub(crate) fn read(root: &Path, ask: &Ask) -> Result<Option<Found>> {
    let mut walk = Walk::new(root)?;
    let given = walk.folder(root, TRAIN)?;
    let train = walk.split(given.as_deref().unwrap_or(root))?;
    if train.pictures.is_empty() {
        return Ok(None);
    }
    let mut others = Vec::new();
    for names in [VALIDATION, TEST] {
        let folder = if given.is_some() { walk.folder(root, names)? } else { None };
        let split = folder.map(|path| walk.split(&path)).transpose()?;
        let split = split.filter(|split| !split.pictures.is_empty());
        others.push(split.map(|split| split.encoded(root, &train.classes)).transpose()?);
    }
    let classes = train.classes.iter().map(|class| class.to_string_lossy().into_owned()).collect();
    let others = <[_; 2]>::try_from(others).unwrap_or_default();
    let known = train.classes.clone();
    encoded::found(train.encoded(root, &known)?, others, classes, walk.notes(), ask).map(Some)
}

/// Going through the folder; nothing outside it is ever opened.
struct Walk {
    /// The folder itself, its links followed.
    root: PathBuf,
    /// Files that are no pictures: how many, and the names of the first few.
    ignored: u64,
    named: Vec<String>,
    /// Folders of classes without a picture, and how many files each has.
    vanished: Vec<String>,
    outside: u64,
}

/// The pictures of one split.
struct Split {
    /// Number of the folder each lies in, and its path.
    pictures: Vec<(usize, PathBuf)>,
    /// Names of the folders, sorted; none if pictures lie in the split's own folder.
    classes: Vec<OsString>,
}

impl Walk {
    fn new(root: &Path) -> Result<Self> {
        let root = fs::canonicalize(root).map_err(|error| unreadable(root, &error))?;
        Ok(Self { root, ignored: 0, named: vec![], vanished: vec![], outside: 0 })
    }

    /// The first folder of these names that is there.
    fn folder(&mut self, root: &Path, names: &[&str]) -> Result<Option<PathBuf>> {
        for path in names.iter().map(|name| root.join(name)).filter(|path| path.is_dir()) {
            if self.is_inside(&path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Folders are classes; without any, pictures have no labels.
    fn split(&mut self, folder: &Path) -> Result<Split> {
        let (folders, files) = self.list(folder)?;
        let mut classes = Vec::new();
        let mut pictures = Vec::new();
        for path in folders {
            let before = self.ignored;
            let (_, files) = self.list(&path)?;
            if files.is_empty() {
                let others = grouped(self.ignored.saturating_sub(before));
                self.vanished.push(format!("`{}` ({others} other files)", shown(&file::name(&path))));
            } else {
                pictures.extend(files.into_iter().map(|file| (classes.len(), file)));
                classes.push(path.file_name().unwrap_or_default().to_owned());
            }
        }
        if classes.is_empty() {
            pictures = files.into_iter().map(|file| (0, file)).collect();
        } else {
            files.iter().for_each(|file| self.leave(file));
        }
        Ok(Split { pictures, classes })
    }

    /// Folders and pictures in a folder, sorted by name.
    fn list(&mut self, folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            let path = entry.map_err(|error| unreadable(folder, &error))?.path();
            if file::name(&path).starts_with('.') || !self.is_inside(&path)? {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false if is_picture(&path) => files.push(path),
                false => self.leave(&path),
            }
        }
        folders.sort_unstable();
        files.sort_unstable();
        Ok((folders, files))
    }

    /// Counts a file that takes no part.
    fn leave(&mut self, path: &Path) {
        const NAMED: usize = 3;
        self.ignored = self.ignored.saturating_add(1);
        if self.named.len() < NAMED {
            self.named.push(format!("`{}`", shown(&file::name(path))));
        }
    }

    /// Whether an entry is not a link that leads out of the folder.
    fn is_inside(&mut self, path: &Path) -> Result<bool> {
        let seen = fs::symlink_metadata(path).map_err(|error| unreadable(path, &error))?;
        let inside =
            !seen.is_symlink() || fs::canonicalize(path).is_ok_and(|led| led.starts_with(&self.root));
        self.outside = self.outside.saturating_add(u64::from(!inside));
        Ok(inside)
    }

    fn notes(&self) -> Vec<String> {
        let ignored = (self.ignored > 0).then(|| {
            let more = if self.ignored > self.named.len() as u64 { ", ..." } else { "" };
            format!(
                "left out: {} files that are no pictures: {}{more}",
                grouped(self.ignored),
                self.named.join(", ")
            )
        });
        let vanished = (!self.vanished.is_empty()).then(|| {
            let folders = listed(self.vanished.iter().cloned(), self.vanished.len());
            format!("warning: folders without a picture that is read make no class: {folders}")
        });
        let outside = (self.outside > 0).then(|| {
            format!("{} links that lead out of the folder were not followed", grouped(self.outside))
        });
        vanished.into_iter().chain(ignored).chain(outside).collect()
    }
}

/// Whether a file is a picture by its name.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&&*ending))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::data(format!("{} cannot be read: {}", shown(&file::name(path)), crate::text::plain_io(error)))
        .at(path.display())
}

impl Split {
    /// Its labels are the numbers of the folders among `known`.
    fn encoded(self, root: &Path, known: &[OsString]) -> Result<Encoded> {
        let classes: Vec<u32> =
            self.classes.iter().map(|class| number(class, known, root)).collect::<Result<_>>()?;
        if classes.is_empty() != known.is_empty() {
            let what = "has folders of classes in one split but none in another";
            return Err(Origin::new(root, "picture").refuse(what));
        }
        let labels = match classes.is_empty() {
            true => Labels::Absent(self.pictures.len()),
            false => Labels::Class(
                self.pictures.iter().filter_map(|(class, _)| classes.get(*class).copied()).collect(),
            ),
        };
        let files = self.pictures.into_iter().map(|(_, path)| path).collect();
        Ok(Encoded { blobs: Arc::new(Files(files)), labels })
    }
}

fn number(class: &OsString, known: &[OsString], root: &Path) -> Result<u32> {
    let at = known.iter().position(|other| other == class).and_then(|at| u32::try_from(at).ok());
    at.ok_or_else(|| {
        let what =
            format!("has no pictures of class `{}` to train on, but others", shown(&class.to_string_lossy()));
        Origin::new(root, "picture").refuse(what).advise("give every split folders of the same names")
    })
}

/// Each sample a file of its own.
struct Files(Vec<PathBuf>);

impl Blobs for Files {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn open(&self, index: usize) -> Result<(Box<dyn Blob>, u64)> {
        let (file, length) = file::open(self.path(index))?;
        Ok((Box::new(BufReader::new(file)), length))
    }

    fn origin(&self, index: usize) -> Origin {
        Origin::new(self.path(index), "sample")
    }
}

impl Files {
    fn path(&self, index: usize) -> &Path {
        self.0.get(index).map_or(Path::new(""), PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests;
