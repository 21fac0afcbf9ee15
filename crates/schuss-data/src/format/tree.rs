//! Pictures in folders, on disk or in an archive: their paths decide the split and class of each.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::format::encoded::{self, Blobs, Encoded};
use crate::format::images;
use crate::format::table::{Origin, shown};
use crate::reader::{Loaded, ReadOptions};
use crate::text::{grouped, listed};
use crate::{Labels, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Names of the folders, or tables, of each split.
pub(crate) const TRAIN: &[&str] = &["train", "training"];
pub(crate) const VALIDATION: &[&str] = &["val", "valid", "validation", "dev"];
pub(crate) const TEST: &[&str] = &["test", "testing"];

/// A file or folder, with the components of its path from the root of the data set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) parts: Vec<String>,
    pub(crate) kind: EntryKind,
}

/// Kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EntryKind {
    Folder,
    Picture,
    Other,
}

impl EntryKind {
    /// Returns the kind of a file, by its name.
    pub(crate) fn of(name: &str) -> Self {
        if images::is_picture(Path::new(name)) { Self::Picture } else { Self::Other }
    }
}

impl Entry {
    /// Creates an entry from a path with slashes, as in archives; a path that ends with a slash is a folder. Returns
    /// `None` for system litter: hidden files, and those of `__MACOSX`.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let parts: Vec<String> = path
            .split(['/', '\\'])
            .filter(|part| !part.is_empty() && *part != ".")
            .map(str::to_owned)
            .collect();
        let is_litter = parts.iter().any(|part| part.starts_with('.') || part == "__MACOSX");
        let kind = if path.ends_with('/') { EntryKind::Folder } else { EntryKind::of(parts.last()?) };
        (!is_litter).then_some(Self { parts, kind })
    }

    fn name(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// Returns the extension: `.txt` of `notes.txt`.
    fn ending(&self) -> String {
        let ending = self.name().rsplit_once('.').map(|(_, ending)| format!(".{}", ending.to_lowercase()));
        ending.unwrap_or_else(|| "without an ending".into())
    }

    /// Returns the number of folders that contain it, from the one at `depth` on.
    fn folders(&self, depth: usize) -> usize {
        self.parts.len().saturating_sub(depth).saturating_sub(1)
    }

    fn is_picture(&self) -> bool {
        self.kind == EntryKind::Picture
    }
}

/// Builds a data set of pictures: `root/{train,val,test}/class/*.png`, `root/class/*.jpg`, or `root/*.png` without
/// labels. Folders around all of these are ignored, and anything nested deeper than a class belongs to that class.
/// `blobs` returns the bytes of entries, given their indices. Returns `None` if no entry is a picture.
///
/// # Errors
/// A data error that names a class without training pictures, or a picture that cannot be read.
pub(crate) fn read(
    entries: &[Entry],
    blobs: impl Fn(Vec<usize>) -> Arc<dyn Blobs>,
    notes: Vec<String>,
    origin: &Origin,
    ask: &ReadOptions,
) -> Result<Option<Loaded>> {
    if !entries.iter().any(Entry::is_picture) {
        return Ok(None);
    }
    let mut tree = Tree::of(entries);
    tree.keep_classes(entries);
    let notes = [tree.notes, notes].concat();
    let classes: Vec<String> = tree.train.classes.keys().cloned().collect();
    let encode = |branch: Branch| branch.encoded(&classes, &blobs, origin);
    let others =
        [tree.validation, tree.test].map(|branch| (!branch.is_empty()).then(|| encode(branch)).transpose());
    let [validation, test] = others;
    encoded::found(encode(tree.train)?, validation?, test?, classes.clone(), notes, ask).map(Some)
}

/// Pictures of all splits.
#[derive(Default)]
struct Tree {
    train: Branch,
    validation: Branch,
    test: Branch,
    left_out: LeftOut,
    notes: Vec<String>,
}

/// Pictures of one split, by index of their entry.
#[derive(Default)]
struct Branch {
    /// Pictures directly in the folder of the split.
    loose: Vec<usize>,
    classes: BTreeMap<String, Class>,
}

/// Contents of the folder of a class.
#[derive(Default)]
struct Class {
    pictures: Vec<usize>,
    /// Number of other files, by extension.
    others: BTreeMap<String, u64>,
}

/// Files that are left out: how many, and the names of the first few.
#[derive(Default)]
struct LeftOut {
    count: u64,
    named: Vec<String>,
}

impl LeftOut {
    fn add(&mut self, entry: &Entry) {
        const NAMED: usize = 3;
        if entry.kind == EntryKind::Folder {
            return;
        }
        self.count = self.count.saturating_add(1);
        if self.named.len() < NAMED {
            self.named.push(format!("`{}`", shown(entry.name())));
        }
    }

    /// Returns a note on these files, called `one` or `several`.
    fn note(&self, one: &str, several: &str) -> Option<String> {
        let more = if self.count > self.named.len() as u64 { ", ..." } else { "" };
        let noun = if self.count == 1 { one } else { several };
        (self.count > 0)
            .then(|| format!("left out: {} {noun}: {}{more}", grouped(self.count), self.named.join(", ")))
    }
}

impl Tree {
    fn of(entries: &[Entry]) -> Self {
        let depth = around(entries);
        let role = |entry: &Entry| entry.parts.get(depth).and_then(|folder| Role::of(folder));
        let is_trained_on = |entry: &Entry| {
            entry.is_picture() && entry.folders(depth) > 0 && role(entry) == Some(Role::Train)
        };
        let has_splits = entries.iter().any(is_trained_on);
        let (mut tree, mut outside) = (Self::default(), LeftOut::default());
        for (at, entry) in entries.iter().enumerate() {
            let below = entry.parts.get(depth..).unwrap_or_default();
            match (has_splits, role(entry)) {
                (false, _) => tree.put(Role::Train, at, entry, below),
                (true, Some(role)) => tree.put(role, at, entry, below.get(1..).unwrap_or_default()),
                (true, None) if entry.is_picture() => outside.add(entry),
                (true, None) => tree.left_out.add(entry),
            }
        }
        tree.notes.extend(
            outside.note("picture outside the folders of splits", "pictures outside the folders of splits"),
        );
        tree
    }

    fn branch(&mut self, role: Role) -> &mut Branch {
        match role {
            Role::Train => &mut self.train,
            Role::Validation => &mut self.validation,
            Role::Test => &mut self.test,
        }
    }

    /// Adds an entry; `below` is its path below the folder of the split.
    fn put(&mut self, role: Role, at: usize, entry: &Entry, below: &[String]) {
        match below {
            [] => {}
            [class] if entry.kind == EntryKind::Folder => {
                self.branch(role).classes.entry(class.clone()).or_default();
            }
            [_] if entry.is_picture() => self.branch(role).loose.push(at),
            [_] => self.left_out.add(entry),
            [class, ..] if entry.is_picture() => {
                self.branch(role).classes.entry(class.clone()).or_default().pictures.push(at);
            }
            [class, ..] if entry.kind == EntryKind::Other => {
                let class = self.branch(role).classes.entry(class.clone()).or_default();
                let count = class.others.entry(entry.ending()).or_default();
                *count = count.saturating_add(1);
                self.left_out.add(entry);
            }
            _ => {}
        }
    }

    /// Removes classes without pictures and pictures without a class, and adds notes on both.
    fn keep_classes(&mut self, entries: &[Entry]) {
        let mut vanished = Vec::new();
        let mut loose = LeftOut::default();
        for branch in [&mut self.train, &mut self.validation, &mut self.test] {
            branch.classes.retain(|name, class| {
                let is_kept = !class.pictures.is_empty();
                vanished.extend((!is_kept).then(|| format!("`{}` ({})", shown(name), class.say_others())));
                is_kept
            });
            if !branch.classes.is_empty() {
                let alone = std::mem::take(&mut branch.loose);
                alone.iter().filter_map(|&at| entries.get(at)).for_each(|entry| loose.add(entry));
            }
        }
        let folders = listed(vanished.iter().cloned(), vanished.len());
        let vanished = (!vanished.is_empty())
            .then(|| format!("warning: folders without a readable picture make no class: {folders}"));
        self.notes.extend(vanished);
        self.notes.extend(
            loose.note("picture outside the folders of classes", "pictures outside the folders of classes"),
        );
        self.notes.extend(self.left_out.note("file that is not a picture", "files that are not pictures"));
        for (split, branch) in [("validation", &self.validation), ("test", &self.test)] {
            self.notes.extend(branch.lacking(&self.train).map(|lacking| format!("{split} split: {lacking}")));
        }
    }
}

/// Nouns for files that are left out: for one, and for several.
/// Purpose of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Train,
    Validation,
    Test,
}

impl Role {
    fn of(folder: &str) -> Option<Self> {
        let name = folder.to_lowercase();
        let is_one_of = |names: &[&str]| names.contains(&&*name);
        match () {
            () if is_one_of(TRAIN) => Some(Self::Train),
            () if is_one_of(VALIDATION) => Some(Self::Validation),
            () if is_one_of(TEST) => Some(Self::Test),
            () => None,
        }
    }
}

/// Returns the number of outer folders that all pictures share, above those of splits or classes.
fn around(entries: &[Entry]) -> usize {
    let pictures = || entries.iter().filter(|entry| entry.is_picture());
    let Some(first) = pictures().next() else { return 0 };
    let is_shared = |depth: usize, folder: &String| {
        Role::of(folder).is_none()
            && pictures()
                .all(|picture| picture.folders(depth) > 1 && picture.parts.get(depth) == Some(folder))
    };
    first.parts.iter().enumerate().take_while(|(depth, folder)| is_shared(*depth, folder)).count()
}

impl Class {
    /// Describes the other files: `12 files: .heic`.
    fn say_others(&self) -> String {
        let count = self.others.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let endings: Vec<String> = self.others.keys().map(|ending| shown(ending)).collect();
        match count {
            0 => "no files".into(),
            1 => format!("1 file: {}", endings.join(", ")),
            _ => format!("{} files: {}", grouped(count), listed(endings.iter().cloned(), endings.len())),
        }
    }
}

impl Branch {
    fn is_empty(&self) -> bool {
        self.loose.is_empty() && self.classes.is_empty()
    }

    /// Returns a note on the training classes that this split has no picture of.
    fn lacking(&self, train: &Self) -> Option<String> {
        let lacking: Vec<String> = train
            .classes
            .keys()
            .filter(|class| !self.classes.is_empty() && !self.classes.contains_key(*class))
            .map(|class| format!("`{}`", shown(class)))
            .collect();
        (!lacking.is_empty())
            .then(|| format!("no pictures of {}", listed(lacking.iter().cloned(), lacking.len())))
    }

    /// Encodes the split; its labels are the indices of its folders in `known`.
    fn encoded(
        self,
        known: &[String],
        blobs: &impl Fn(Vec<usize>) -> Arc<dyn Blobs>,
        origin: &Origin,
    ) -> Result<Encoded> {
        if self.classes.is_empty() != known.is_empty() {
            let what = "has folders of classes in one split but none in another";
            return Err(origin.refuse(what).advise("give every split folders of the same names"));
        }
        if self.classes.is_empty() {
            let labels = Labels::Absent(self.loose.len());
            return Ok(Encoded { blobs: blobs(self.loose), labels });
        }
        let (mut numbers, mut pictures) = (Vec::new(), Vec::new());
        for (name, class) in self.classes {
            let number = number(&name, known, origin)?;
            numbers.extend(std::iter::repeat_n(number, class.pictures.len()));
            pictures.extend(class.pictures);
        }
        Ok(Encoded { blobs: blobs(pictures), labels: Labels::Class(numbers) })
    }
}

fn number(class: &String, known: &[String], origin: &Origin) -> Result<u32> {
    let at = known.binary_search(class).ok().and_then(|at| u32::try_from(at).ok());
    at.ok_or_else(|| {
        let what =
            format!("has no pictures of class `{}` to train on, but some in another split", shown(class));
        origin.refuse(what).advise("give every split folders of the same names")
    })
}
