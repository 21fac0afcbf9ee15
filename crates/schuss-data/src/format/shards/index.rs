//! Index of the samples in tar files: their positions and labels.

use super::Shard;
use crate::file::{FileReader, OpenFile};
use crate::format::catch_panic::catch_panic;
use crate::format::table::{Origin, shown};
use crate::text::{grouped, listed};
use crate::{Error, Result, RowUnit};
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;
use tar::{Archive, Entry, Header};

/// File extensions of samples.
const SAMPLES: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "npy"];
/// File extensions of labels.
const LABELS: [&str; 2] = ["cls", "json"];
/// Size limit of a label, in bytes.
const MAX_LABEL: u64 = 1 << 16;
/// Maximum number of distinct labels.
const MAX_CLASSES: usize = 100_000;
/// Bytes of the archive read at most between two members: long names and pax headers.
const MAX_BETWEEN: u64 = 1 << 20;
/// Keys under which a KEY.json may hold a label.
const KEYS: [&str; 3] = ["label", "cls", "class"];

type ShardEntry<'a> = Entry<'a, ShardReader>;

/// Tar file that records whether it was read to its very end, after the block of zeros that closes it.
struct ShardReader {
    file: BufReader<FileReader>,
    ended: bool,
    /// Bytes that may be read until the next member: the `tar` crate keeps names as long as a header claims.
    left: Rc<Cell<u64>>,
}

impl Read for ShardReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.ended |= count == 0 && !into.is_empty();
        let left = self.left.get().checked_sub(count as u64);
        self.left.set(left.ok_or_else(|| io::Error::other("a name or header of more than 1 MiB"))?);
        Ok(count)
    }
}

impl Seek for ShardReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Position of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) shard: u32,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// All samples of some shards.
pub(super) struct Index {
    pub(super) shards: Vec<Shard>,
    pub(super) members: Vec<Member>,
    /// Index of each sample's label word.
    pub(super) classes: Vec<Option<u32>>,
    /// Labels without a sample: their number, and the key of the first.
    lonely: Option<(u64, String)>,
    /// Members that are neither samples nor labels: their number, and the name of the first.
    other: Option<(u64, String)>,
    /// File extensions of these members.
    endings: BTreeSet<String>,
    /// Number of distinct labels whose bytes were counted, and those bytes.
    weighed: usize,
    labels: u64,
}

/// Consecutive members of one key.
#[derive(Default)]
struct Group {
    key: Vec<u8>,
    sample: Option<Member>,
    label: Option<String>,
    /// Members of a longer key within, with dots in it: a sample of its own if it has both picture and label,
    /// else fields of this one.
    dotted: Option<Box<Group>>,
}

impl Index {
    /// Scans the headers; label words are added to `words`.
    pub(super) fn take(shards: Vec<Shard>, words: &mut Vec<String>, memory: u64) -> Result<Self> {
        let mut numbers: HashMap<String, u32> = words.iter().cloned().zip(0..).collect();
        let mut index = Self {
            shards: Vec::new(),
            members: Vec::new(),
            classes: Vec::new(),
            lonely: None,
            other: None,
            endings: BTreeSet::new(),
            weighed: words.len(),
            labels: 0,
        };
        for (number, shard) in (0..).zip(&shards) {
            let origin = Origin::new(shard.path(), RowUnit::Sample);
            let file = shard.open()?;
            let walk = || index.walk(number, &file, &origin, &mut numbers, words, memory);
            catch_panic(walk, || origin.refuse("cannot be read as a tar file"))?;
        }
        index.shards = shards;
        Ok(index)
    }

    fn walk(
        &mut self,
        shard: u32,
        file: &OpenFile,
        origin: &Origin,
        numbers: &mut HashMap<String, u32>,
        words: &mut Vec<String>,
        memory: u64,
    ) -> Result<()> {
        let left = Rc::new(Cell::new(MAX_BETWEEN));
        let length = file.length();
        let shard_file =
            ShardReader { file: BufReader::new(file.reader()), ended: false, left: Rc::clone(&left) };
        let mut archive = Archive::new(shard_file);
        let mut group = Group::default();
        for entry in archive.entries_with_seek().map_err(|error| broken(origin, &error))? {
            let mut entry = entry.map_err(|error| broken(origin, &error))?;
            left.set(MAX_BETWEEN);
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let Name { key, ending, dotted } = Name::of(&entry, origin)?;
            if key != group.key {
                self.close(std::mem::take(&mut group), numbers, words, origin)?;
                group.key = key;
            }
            if let Some(dotted) = dotted {
                if group.dotted.as_ref().is_none_or(|own| own.key != dotted) {
                    self.close_dotted(&mut group, numbers, words, origin)?;
                }
                let own =
                    group.dotted.get_or_insert_with(|| Box::new(Group { key: dotted, ..Group::default() }));
                own.add(&mut entry, &ending, shard, length, origin)?;
            } else {
                group.add(&mut entry, &ending, shard, length, origin)?;
                self.note_other(&entry, &ending);
            }
            self.check(words, memory, origin)?;
        }
        if archive.into_inner().ended {
            return Err(origin.refuse("is truncated: its end marker is missing").advise("copy it again"));
        }
        self.close(group, numbers, words, origin)
    }

    /// Rejects more samples and labels than the memory budget for data can hold.
    fn check(&mut self, words: &[String], memory: u64, origin: &Origin) -> Result<()> {
        let each = size_of::<(Member, Option<u32>)>() as u64;
        let samples = (self.members.len() as u64).saturating_mul(each);
        let fresh = words.get(self.weighed..).unwrap_or_default();
        let fresh = fresh.iter().fold(0_u64, |sum, word| sum.saturating_add(word.len() as u64));
        // Each label is kept twice: in the list and in the lookup table.
        self.labels = self.labels.saturating_add(fresh.saturating_mul(2));
        self.weighed = words.len();
        if samples.saturating_add(self.labels) <= memory {
            return Ok(());
        }
        let what = "holds more samples than fit into the memory budget";
        Err(origin.refuse(what).advise("give more --memory"))
    }

    /// Returns notes on the members that are ignored.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let lonely = self.lonely.as_ref().map(|(count, first)| {
            format!("labels without a sample: {}, left out; the first is of `{first}`", grouped(*count))
        });
        let other = self.other.as_ref().map(|(count, first)| {
            let count = grouped(*count);
            let endings = self.endings.iter().map(|ending| format!(".{}", shown(ending)));
            let endings = listed(endings, self.endings.len());
            format!("left out: {count} members that are neither samples nor labels ({endings}); the first is `{first}`")
        });
        lonely.into_iter().chain(other)
    }

    /// Counts a member that is neither a sample nor a label.
    fn note_other(&mut self, entry: &ShardEntry, ending: &str) {
        if !is_known(ending) {
            const MOST: usize = 100;
            if self.endings.len() < MOST {
                self.endings.insert(ending.to_owned());
            }
            self.count_other(&entry.path_bytes());
        }
    }

    fn count_other(&mut self, name: &[u8]) {
        let (count, _) = self.other.get_or_insert_with(|| (0, printable(name)));
        *count = count.saturating_add(1);
    }

    /// Adds the members under a dotted key, if they make a sample with a label.
    fn close_dotted(
        &mut self,
        group: &mut Group,
        numbers: &mut HashMap<String, u32>,
        words: &mut Vec<String>,
        origin: &Origin,
    ) -> Result<()> {
        match group.dotted.take() {
            Some(own) if own.sample.is_some() && own.label.is_some() => {
                self.close(*own, numbers, words, origin)
            }
            Some(own) => {
                self.count_other(&own.key);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn close(
        &mut self,
        mut group: Group,
        numbers: &mut HashMap<String, u32>,
        words: &mut Vec<String>,
        origin: &Origin,
    ) -> Result<()> {
        self.close_dotted(&mut group, numbers, words, origin)?;
        let Some(sample) = group.sample else {
            if group.label.is_some() {
                let (count, _) = self.lonely.get_or_insert_with(|| (0, printable(&group.key)));
                *count = count.saturating_add(1);
            }
            return Ok(());
        };
        if words.len() > MAX_CLASSES {
            return Err(origin.refuse("has more than 100,000 different labels, too many for classes"));
        }
        let class = group.label.map(|label| {
            let next = u32::try_from(words.len()).unwrap_or(u32::MAX);
            *numbers.entry(label).or_insert_with_key(|label| {
                words.push(label.clone());
                next
            })
        });
        self.members.push(sample);
        self.classes.push(class);
        Ok(())
    }
}

fn broken(origin: &Origin, error: &dyn std::fmt::Display) -> Error {
    origin.refuse(format!("cannot be read as a tar file: {error}")).advise("copy it again")
}

/// Rejects an archive member whose name would escape the folder it is unpacked in, on any system.
pub(crate) fn check_name(name: &[u8], origin: &Origin) -> Result<()> {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let outside = name.first().is_some_and(is_slash) || name.split(is_slash).any(|part| part == b"..");
    if !outside {
        return Ok(());
    }
    let what = format!("holds a member called `{}`, which points outside", printable(name));
    Err(origin.refuse(what).advise("pack it again from within the folder"))
}

/// Parsed name of a member.
struct Name {
    /// Key: everything before the first dot of the last path component, with the components before it.
    key: Vec<u8>,
    /// The rest in lower case; with a dotted key, only what follows the last dot.
    ending: String,
    /// Everything before the last dot, if only what follows it is a known extension: `img.0001` of
    /// `img.0001.png`.
    dotted: Option<Vec<u8>>,
}

impl Name {
    fn of(entry: &ShardEntry, origin: &Origin) -> Result<Self> {
        let name = entry.path_bytes();
        check_name(&name, origin)?;
        let (key, rest) = split(&name, first_dot);
        let (long, last) = split(&name, |own| own.iter().rposition(|&byte| byte == b'.'));
        let [ending, last] = [rest, last].map(lower);
        let is_dotted = !is_known(&ending) && is_known(&last);
        let (ending, dotted) = if is_dotted { (last, Some(long.to_vec())) } else { (ending, None) };
        Ok(Self { key: key.to_vec(), ending, dotted })
    }
}

fn lower(ending: &[u8]) -> String {
    String::from_utf8_lossy(ending.get(1..).unwrap_or_default()).to_lowercase()
}

fn is_known(ending: &str) -> bool {
    SAMPLES.contains(&ending) || LABELS.contains(&ending)
}

fn first_dot(name: &[u8]) -> Option<usize> {
    name.iter().position(|&byte| byte == b'.')
}

/// Splits a name at a dot of its last path component; the second half is empty if there is none.
fn split(name: &[u8], dot: impl Fn(&[u8]) -> Option<usize>) -> (&[u8], &[u8]) {
    let last = name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash.saturating_add(1));
    let dot = dot(name.get(last..).unwrap_or_default()).map(|dot| last.saturating_add(dot));
    name.split_at_checked(dot.unwrap_or(name.len())).unwrap_or_default()
}

fn printable(name: &[u8]) -> String {
    shown(&String::from_utf8_lossy(name))
}

impl Member {
    /// Reads the key from the header right before the sample, where names are cut off after 100 bytes.
    pub(super) fn key(&self, shard: &Shard) -> Option<String> {
        let mut header = Header::new_old();
        let start = self.offset.checked_sub(header.as_bytes().len() as u64)?;
        let read = shard.open().ok()?.read_at(header.as_mut_bytes(), start).ok()?;
        (read == header.as_bytes().len()).then(|| printable(split(&header.path_bytes(), first_dot).0))
    }
}

impl Group {
    fn add(
        &mut self,
        entry: &mut ShardEntry,
        ending: &str,
        shard: u32,
        length: u64,
        origin: &Origin,
    ) -> Result<()> {
        let (offset, size) = (entry.raw_file_position(), entry.size());
        if offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(origin.refuse("ends within a member").advise("copy it again"));
        }
        if SAMPLES.contains(&ending) {
            let fresh = self.sample.replace(Member { shard, offset, length: size }).is_none();
            return if fresh { Ok(()) } else { Err(self.twice("samples", origin)) };
        }
        let label = match ending {
            "cls" => word(&text(entry, origin)?),
            "json" => json_label(&text(entry, origin)?).map_err(|what| origin.refuse(what))?,
            _ => None,
        };
        if label.is_some() && self.label.replace(label.unwrap_or_default()).is_some() {
            return Err(self.twice("labels", origin));
        }
        Ok(())
    }

    fn twice(&self, noun: &str, origin: &Origin) -> Error {
        origin.refuse(format!("holds two {noun} called `{}`", printable(&self.key)))
    }
}

fn text(entry: &mut ShardEntry, origin: &Origin) -> Result<String> {
    let mut text = String::new();
    if entry.size() > MAX_LABEL {
        return Err(origin.refuse(format!("holds a label of {} bytes", entry.size())));
    }
    entry.read_to_string(&mut text).map_err(|error| broken(origin, &error))?;
    Ok(text)
}

fn word(text: &str) -> Option<String> {
    Some(text.trim_ascii().to_owned()).filter(|word| !word.is_empty())
}

/// Returns the label of a JSON object, if it has one under a usual name.
fn json_label(text: &str) -> std::result::Result<Option<String>, String> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("holds a label that is not JSON: {error}"))?;
    let label = KEYS.iter().find_map(|key| value.get(key));
    Ok(label.and_then(|label| word(label.as_str().map_or_else(|| label.to_string(), str::to_owned).as_str())))
}
