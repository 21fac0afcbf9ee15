//! WebDataset: tar files whose members `KEY.png`, `KEY.jpg` or `KEY.npy` are samples and `KEY.cls` or
//! `KEY.json` their labels.
//!
//! One pass over the headers records the position of each sample; after that any sample is read on its own.
//! Member names are only compared; no path is ever made of them.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod index;

use crate::file::{self, OpenFile};
use crate::format::encoded::{self, Blob, Blobs, Encoded};
use crate::format::table::Origin;
use crate::format::tree::{self, Entry, EntryKind};
use crate::reader::{Loaded, ReadOptions};
use crate::text::{bytes, grouped};
use crate::{Cause, Error, Labels, Result, RowUnit, classes};
pub(crate) use index::check_name;
use index::{Index, Member};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Size limit of an encoded sample, in bytes.
const MAX_SAMPLE: u64 = 256 << 20;
/// Prefixes of shard names that mark a split; if no name starts with `train`, all shards are training data.
const SPLITS: [&[&str]; 3] = [&["train"], &["val", "dev"], &["test"]];

/// Reads a tar file.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn read_file(file: &OpenFile, ask: &ReadOptions) -> Result<Loaded> {
    read(file.path(), [vec![Shard::Open(file.clone())], Vec::new(), Vec::new()], ask)
}

/// Reads a folder of tar files; returns `None` for a folder without any.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn read_folder(path: &Path, ask: &ReadOptions) -> Result<Option<Loaded>> {
    let shards = shards(path)?;
    if shards[0].is_empty() { Ok(None) } else { read(path, shards, ask).map(Some) }
}

/// Tar file.
#[derive(Clone)]
enum Shard {
    Open(OpenFile),
    /// One of a folder, opened whenever it is read: there may be more of them than a process may have open.
    Closed(PathBuf),
}

impl Shard {
    fn path(&self) -> &Path {
        match self {
            Self::Open(file) => file.path(),
            Self::Closed(path) => path,
        }
    }

    fn open(&self) -> Result<OpenFile> {
        match self {
            Self::Open(file) => Ok(file.clone()),
            Self::Closed(path) => OpenFile::open(path),
        }
    }
}

fn read(path: &Path, [train, validation, test]: [Vec<Shard>; 3], ask: &ReadOptions) -> Result<Loaded> {
    let mut words = Vec::new();
    let train = Index::take(train, &mut words, ask.memory)?;
    let mut take = |shards: Vec<Shard>| -> Result<Option<Index>> {
        if shards.is_empty() { Ok(None) } else { Index::take(shards, &mut words, ask.memory).map(Some) }
    };
    let (validation, test) = (take(validation)?, take(test)?);
    let notes: Vec<String> = [Some(&train), validation.as_ref(), test.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(Index::notes)
        .collect();
    let numbers = sorted(&mut words);
    let origin = Origin::new(path, RowUnit::Sample);
    let encode = |index: Index| encoded(index, &numbers, &origin);
    if let (None, None) = (&validation, &test)
        && train.classes.iter().all(Option::is_none)
        && let Some(found) = by_folders(&train, &notes, &origin, ask)?
    {
        return Ok(found);
    }
    let train = encode(train)?;
    let (validation, test) = (validation.map(encode).transpose()?, test.map(encode).transpose()?);
    let bare = |split: &Encoded| matches!(split.labels, Labels::Absent(_));
    if [&validation, &test].into_iter().flatten().any(|other| bare(other) != bare(&train)) {
        return Err(origin.refuse("has labels in one split but none in another"));
    }
    encoded::found(train, validation, test, words, notes, ask)
}

/// Reads samples without labels that lie in folders of splits and classes, as on disk, if there are such
/// folders.
fn by_folders(index: &Index, notes: &[String], origin: &Origin, ask: &ReadOptions) -> Result<Option<Loaded>> {
    let members = Members { shards: index.shards.clone(), members: index.members.clone() };
    let entry = |at: usize| {
        let parts: Vec<String> = members.key(at)?.split('/').map(str::to_owned).collect();
        Some((Entry { parts, kind: EntryKind::Picture }, at))
    };
    let Some(mut entries) = (0..members.len()).map(entry).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let folders: HashSet<&[String]> =
        entries.iter().filter_map(|(entry, _)| Some(entry.parts.split_last()?.1)).collect();
    if folders.len() < 2 {
        return Ok(None);
    }
    entries.sort_unstable();
    let (entries, places): (Vec<Entry>, Vec<usize>) = entries.into_iter().unzip();
    let blobs = |chosen: Vec<usize>| -> Arc<dyn Blobs> {
        let chosen = chosen.iter().filter_map(|&at| index.members.get(*places.get(at)?).copied());
        Arc::new(Members { shards: index.shards.clone(), members: chosen.collect() })
    };
    tree::read(&entries, blobs, notes.to_vec(), origin, ask)
}

/// Returns the tar files of each split of a folder, sorted by name.
fn shards(path: &Path) -> Result<[Vec<Shard>; 3]> {
    let unreadable = |error: std::io::Error| {
        Error::data(format!("{} cannot be read: {}", file::name(path), crate::text::plain_io(&error)))
            .with_source(error)
            .at(path.display())
    };
    let mut all = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let shard = entry.map_err(unreadable)?.path();
        if shard.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tar")) && shard.is_file() {
            all.push(shard);
        }
    }
    all.sort_unstable();
    let closed = |shards: Vec<PathBuf>| shards.into_iter().map(Shard::Closed).collect::<Vec<_>>();
    let of = |names: &[&str]| -> Vec<PathBuf> {
        all.iter()
            .filter(|shard| names.iter().any(|name| file::name(shard).starts_with(name)))
            .cloned()
            .collect()
    };
    let [train, validation, test] = SPLITS.map(of);
    let splits = if train.is_empty() { [all, Vec::new(), Vec::new()] } else { [train, validation, test] };
    Ok(splits.map(closed))
}

/// Sorts the words; returns the new index of each by its old index.
fn sorted(words: &mut [String]) -> Vec<u32> {
    let before = words.to_vec();
    classes::sort_names(words);
    let places: HashMap<&String, u32> = words.iter().zip(0..).collect();
    before.iter().filter_map(|word| places.get(word).copied()).collect()
}

/// Returns the samples of one split; either all or none of them have a label.
fn encoded(index: Index, numbers: &[u32], origin: &Origin) -> Result<Encoded> {
    let number = |class: u32| numbers.get(usize::try_from(class).ok()?).copied();
    let labels: Vec<u32> = index.classes.iter().filter_map(|class| number((*class)?)).collect();
    let lacking = index.classes.iter().position(Option::is_none);
    let members = Members { shards: index.shards, members: index.members };
    let samples = members.len();
    if samples == 0 {
        let advice = "a sample is a member called KEY.png, KEY.jpg or KEY.npy";
        return Err(origin.refuse("holds no samples").advise(advice));
    }
    let labels = match labels.len() {
        0 => Labels::Absent(samples),
        count if count == samples => Labels::Class(labels),
        count => {
            let none = lacking.and_then(|index| members.key(index)).unwrap_or_default();
            let (count, all) = (grouped(count as u64), grouped(samples as u64));
            let what = format!("has labels for {count} of {all} samples, but none for `{none}`");
            return Err(origin.refuse(what).advise("add a KEY.cls for each KEY.png"));
        }
    };
    Ok(Encoded { blobs: Arc::new(members), labels })
}

/// Samples by their position in the shards.
struct Members {
    shards: Vec<Shard>,
    members: Vec<Member>,
}

impl Members {
    fn member(&self, index: usize) -> Option<(&Member, &Shard)> {
        let member = self.members.get(index)?;
        Some((member, self.shards.get(usize::try_from(member.shard).ok()?)?))
    }

    fn key(&self, index: usize) -> Option<String> {
        self.member(index).and_then(|(member, shard)| member.key(shard))
    }
}

impl Blobs for Members {
    fn len(&self) -> usize {
        self.members.len()
    }

    fn open(&self, index: usize) -> Result<(Box<dyn Blob>, u64)> {
        let refuse = |what: String| self.origin(index).refuse(what);
        let Some((member, shard)) = self.member(index) else { return Err(refuse("is not there".into())) };
        if member.length > MAX_SAMPLE {
            return Err(refuse(format!(
                "is a sample of {}, too large to be read at once",
                bytes(member.length)
            )));
        }
        let mut sample = vec![0; usize::try_from(member.length).unwrap_or(0)];
        let read = shard.open()?.read_at(&mut sample, member.offset);
        let read = read.map_err(|error| {
            refuse(format!("cannot be read: {}", crate::text::plain_io(&error))).with_source(error)
        })?;
        if read < sample.len() {
            return Err(refuse("was truncated after it was opened".into()).because(Cause::Damaged));
        }
        Ok((Box::new(Cursor::new(sample)), member.length))
    }

    fn origin(&self, index: usize) -> Origin {
        let place =
            self.member(index).map(|(member, shard)| format!("{}@{}", shard.path().display(), member.offset));
        Origin::new(Path::new(&place.unwrap_or_default()), RowUnit::Sample)
    }

    fn named(&self, index: usize, error: Error) -> Error {
        match self.key(index) {
            Some(key) => Error { what: format!("sample `{key}` of {}", error.what), ..error },
            None => error,
        }
    }
}

#[cfg(test)]
mod tests;
