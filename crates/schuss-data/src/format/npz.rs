//! NPZ: several NPY arrays in a zip archive, with samples and labels under their usual names.
//!
//! The names of the files in the archive are only compared; no path is ever made of them.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::classes::{Classes, Numbers};
use crate::file::OpenFile;
use crate::format::catch_panic::catch_panic;
use crate::format::npy::{Array, SAVE, Stored};
use crate::format::table::{Origin, shown};
use crate::format::zips::{self, Archive, broken, plausible};
use crate::reader::{LabelKind, Loaded, LoadedSplit, ReadOptions};
use crate::text::{grouped, listed};
use crate::{Centring, Error, Labels, Offsets, Result, RowUnit, Samples, classes, offsets};
use std::io::Read;
use zip::CompressionMethod;

/// Advice for labels that cannot be used as they are.
const SAVE_LABELS: &str = "save classes as whole numbers, such as numpy.unique(y, return_inverse=True)[1], and other labels as numbers";

/// Usual names of samples and labels for training, validation and test, in lower case.
const NAMES: [(&[&str], &[&str]); 3] = [
    (
        &["x_train", "train_x", "train_images", "train_data", "x", "data", "images", "features", "arr_0"],
        &[
            "y_train",
            "train_y",
            "train_labels",
            "train_targets",
            "y",
            "labels",
            "label",
            "targets",
            "target",
            "arr_1",
        ],
    ),
    (
        &["x_val", "x_valid", "x_validation", "val_x", "val_images", "valid_images"],
        &["y_val", "y_valid", "y_validation", "val_y", "val_labels", "valid_labels"],
    ),
    (&["x_test", "test_x", "test_images", "test_data"], &["y_test", "test_y", "test_labels", "test_targets"]),
];

/// Reads an archive of arrays.
///
/// # Errors
/// A data error that names the file, and the array if one is at fault.
pub(crate) fn read(file: &OpenFile, ask: &ReadOptions) -> Result<Loaded> {
    let origin = Origin::new(file.path(), RowUnit::Sample);
    let damaged = || origin.refuse("cannot be read as a zip archive").advise("copy it again");
    catch_panic(|| Arrays::open(file, &origin, ask.memory)?.read(ask), damaged)
}

/// An archive, and the arrays in it.
struct Arrays<'a> {
    file: &'a OpenFile,
    origin: &'a Origin,
    archive: Archive,
    names: Vec<String>,
}

/// One array of the archive.
struct Entry {
    at: usize,
    name: String,
    array: Array,
    /// Offset of its data in the archive, if it is not compressed.
    plain: Option<u64>,
}

/// Targets of all splits.
#[derive(Default)]
struct SplitTargets {
    labels: Vec<Labels>,
    classes: Vec<String>,
    /// Offset of each number of a label.
    offsets: Vec<f64>,
    /// Note on a guess.
    said: Option<String>,
}

/// Samples and their labels.
struct Pair {
    samples: Entry,
    labels: Option<Entry>,
}

impl<'a> Arrays<'a> {
    fn open(file: &'a OpenFile, origin: &'a Origin, memory: u64) -> Result<Self> {
        let archive = zips::open(file, origin, memory)?;
        let name = |name: &str| name.strip_suffix(".npy").unwrap_or(name).to_lowercase();
        let names = zips::names(&archive).iter().map(|file| name(file)).collect();
        Ok(Self { file, origin, archive, names })
    }

    fn read(mut self, ask: &ReadOptions) -> Result<Loaded> {
        let mut pairs = Vec::new();
        for (samples, labels) in NAMES {
            pairs.push(self.pair(samples, labels)?);
        }
        let [train, validation, test] = <[_; 3]>::try_from(pairs).unwrap_or_default();
        let Some(train) = train else { return Err(self.unknown()) };
        let pairs: Vec<&Pair> =
            [Some(&train), validation.as_ref(), test.as_ref()].into_iter().flatten().collect();
        self.check(&pairs)?;
        let SplitTargets { labels, classes, offsets: of_labels, said } = self.labels(&pairs, ask)?;
        let mut notes = notes(&pairs, classes.len());
        notes.extend(said);
        notes.extend(self.left_out(&pairs));
        let needed = match train.samples.array.is_searched(&ask.offsets) {
            true => self.unpacked(&train.samples, Array::needed)?,
            false => Offsets::default(),
        };
        let offsets = Offsets { labels: of_labels, ..ask.offsets.settle(needed, &mut notes) };
        let names = (0..offsets.labels.len()).map(|number| format!("label {number}"));
        notes.extend(offsets.note_labels(names));
        let needed = pairs.iter().fold(0_u64, |sum, pair| sum.saturating_add(pair.samples.array.memory()));
        let mut labels = labels.into_iter();
        let mut part = |pair: &Pair| {
            let labels = labels.next().unwrap_or(Labels::Absent(0));
            let streams = ask.read_once && pair.samples.plain.is_some() && pair.samples.array.is_contiguous();
            self.part(&pair.samples, labels, &offsets, needed <= ask.memory && !streams)
        };
        Ok(Loaded {
            shape: train.samples.array.layout.shape,
            train: part(&train)?,
            validation: validation.as_ref().map(&mut part).transpose()?,
            test: test.as_ref().map(&mut part).transpose()?,
            classes,
            table: None,
            offsets: offsets.clone(),
            pictures: false,
            usual: train.samples.array.usual(),
            notes,
        })
    }

    fn pair(&mut self, samples: &[&str], labels: &[&str]) -> Result<Option<Pair>> {
        let Some(samples) = self.find(samples, SAVE)? else { return Ok(None) };
        Ok(Some(Pair { samples, labels: self.find(labels, SAVE_LABELS)? }))
    }

    /// Finds the first of the `wanted` names in the archive; an array that cannot be used is an error with this
    /// `advice`.
    fn find(&mut self, wanted: &[&str], advice: &str) -> Result<Option<Entry>> {
        let place = |wanted: &&str| self.names.iter().position(|name| name == *wanted);
        let Some(at) = wanted.iter().find_map(place) else { return Ok(None) };
        let (origin, length) = (self.origin, self.file.length());
        let name = self.names.get(at).cloned().unwrap_or_default();
        if self.names.iter().filter(|other| **other == name).count() > 1 {
            let what = format!("holds two arrays called `{name}`, ignoring case");
            return Err(origin.refuse(what).advise("rename one"));
        }
        let mut file = self.archive.by_index(at).map_err(|error| broken(origin, &name, &error))?;
        if !plausible(&file, length) {
            return Err(
                origin.refuse(format!("cannot hold an array as large as it claims `{}` to be", shown(&name)))
            );
        }
        let size = file.size();
        let array = Array::new(&mut file, size)
            .map_err(|what| origin.refuse(format!("has an array `{name}` that {what}")).advise(advice))?
            .named(&name);
        let plain = file.data_start().filter(|_| file.compression() == CompressionMethod::Stored);
        Ok(Some(Entry { at, name, array, plain }))
    }

    fn unknown(&self) -> Error {
        const LISTED: usize = 12;
        let names: Vec<String> =
            self.names.iter().take(LISTED).map(|name| format!("`{}`", shown(name))).collect();
        let what = format!(
            "holds no array of samples; its arrays: {}",
            if names.is_empty() { "none".into() } else { names.join(" ") }
        );
        self.origin.refuse(what).advise("call them x_train, y_train, x_test, y_test; or x, y")
    }

    /// Checks that all samples have the same shape, that each has a label, and that all splits have labels or none has.
    fn check(&self, pairs: &[&Pair]) -> Result<()> {
        let first = pairs.first().map(|pair| &pair.samples);
        for Pair { samples, labels } in pairs {
            if let Some(first) = first.filter(|first| first.array.layout.shape != samples.array.layout.shape)
            {
                let what = format!(
                    "holds {} in `{}` but {} in `{}`",
                    first.array, first.name, samples.array, samples.name
                );
                return Err(self.origin.refuse(what).advise("put samples of one shape into the file"));
            }
            let [a, b] = [Some(samples), labels.as_ref()]
                .map(|entry| entry.map(|entry| (entry.array.layout.samples, &entry.name)));
            if let (Some((a, samples)), Some((b, labels))) = (a, b)
                && a != b
            {
                let what = format!(
                    "holds {} samples in `{samples}` but {} labels in `{labels}`",
                    grouped(a),
                    grouped(b)
                );
                return Err(self.origin.refuse(what));
            }
        }
        if pairs.iter().any(|pair| pair.labels.is_some())
            && let Some(bare) = pairs.iter().find(|pair| pair.labels.is_none())
        {
            let what = format!("has labels for other splits, but none for `{}`", bare.samples.name);
            return Err(self.origin.refuse(what).advise("add them, or leave all labels out"));
        }
        Ok(())
    }

    /// Returns a note on arrays that are not used.
    fn left_out(&self, pairs: &[&Pair]) -> Option<String> {
        let entries = pairs.iter().flat_map(|pair| [Some(&pair.samples), pair.labels.as_ref()]);
        let used: Vec<usize> = entries.flatten().map(|entry| entry.at).collect();
        let others = self.names.iter().enumerate().filter(|(at, _)| !used.contains(at));
        let others: Vec<String> = others.map(|(_, name)| format!("`{}`", shown(name))).collect();
        let listed = listed(others.iter().cloned(), others.len());
        (!others.is_empty()).then(|| format!("left out: arrays with other names: {listed}"))
    }

    /// Reads the targets of each split.
    fn labels(&mut self, pairs: &[&Pair], ask: &ReadOptions) -> Result<SplitTargets> {
        let entries: Vec<&Entry> = pairs.iter().filter_map(|pair| pair.labels.as_ref()).collect();
        let Some(first) = entries.first() else {
            let absent = |pair: &&Pair| Labels::Absent(pair.samples.array.samples());
            return Ok(SplitTargets {
                labels: pairs.iter().map(absent).collect(),
                ..SplitTargets::default()
            });
        };
        let width = first.array.layout.shape.features();
        if let Some(other) = entries.iter().find(|entry| entry.array.layout.shape.features() != width) {
            let what =
                format!("holds labels of {width} numbers in `{}` but not in `{}`", first.name, other.name);
            return Err(self.origin.refuse(what));
        }
        let mut splits = Vec::new();
        for entry in &entries {
            splits.push(self.unpacked(entry, Array::numbers)?);
        }
        match self.classes(&splits, first, ask.label_kind)? {
            Some(targets) => Ok(targets),
            None => self.amounts(&splits, &entries, ask),
        }
    }

    /// Returns the labels as classes, if they are classes.
    fn classes(&self, splits: &[Numbers], first: &Entry, kind: LabelKind) -> Result<Option<SplitTargets>> {
        let width = first.array.layout.shape.features();
        let targets = |Classes { labels, names: classes }, said: Option<String>| {
            Some(SplitTargets { labels, classes, said, ..SplitTargets::default() })
        };
        if width > 1 {
            return Ok(None);
        }
        let refuse = |error: Error| Error {
            what: self.origin.refuse(format!("has {}", error.what)).what,
            place: Some(Box::new(self.origin.path.as_path().into())),
            ..error
        };
        let found = classes::of_numbers(splits, kind).map_err(refuse)?;
        let said = (kind == LabelKind::Guess).then(|| format!("labels: {}", classes::guess(true)));
        Ok(found.and_then(|found| targets(found, said)))
    }

    /// Returns the labels as real-valued targets.
    fn amounts(&self, splits: &[Numbers], entries: &[&Entry], ask: &ReadOptions) -> Result<SplitTargets> {
        let width = entries.first().map_or(0, |entry| entry.array.layout.shape.features());
        let is_guess =
            width == 1 && ask.label_kind == LabelKind::Guess && Numbers::different(splits).is_some();
        let said = is_guess.then(|| format!("labels: {}", classes::guess(false)));
        let offsets = match (&ask.offsets, splits.first()) {
            (Centring::By(offsets), _) => offsets.labels.clone(),
            (_, trained) => offsets::needed(&trained.map(Numbers::floats).unwrap_or_default(), width),
        };
        let real = |(numbers, entry): (&Numbers, &&Entry)| {
            let refuse = |error: Error| format!("has an array `{}` whose {}", entry.name, error.what);
            let real = classes::real(&numbers.floats(), width, &offsets);
            real.map_err(|error| self.origin.refuse(refuse(error)))
        };
        let labels = splits.iter().zip(entries).map(real).collect::<Result<_>>()?;
        Ok(SplitTargets { labels, classes: Vec::new(), offsets, said })
    }

    fn part(&mut self, entry: &Entry, labels: Labels, offsets: &Offsets, fits: bool) -> Result<LoadedSplit> {
        if fits {
            let values =
                self.unpacked(entry, |array, file, origin| array.clone().less(offsets).values(file, origin))?;
            let features = entry.array.layout.shape.features();
            return Samples::new(values, labels, features).map(LoadedSplit::Resident);
        }
        let Some(plain) = entry.plain else {
            let advice = "save it with numpy.savez, which does not compress, or give more --memory";
            return Err(entry.array.too_large(
                self.origin,
                "it is compressed, so samples cannot be read individually",
                advice,
            ));
        };
        Stored::open(self.file, plain, entry.array.clone().less(offsets), labels).map(LoadedSplit::Streamed)
    }

    /// Decodes the numbers of an array with `decode`, and verifies their checksum.
    fn unpacked<T>(
        &mut self,
        entry: &Entry,
        decode: impl FnOnce(&Array, &mut dyn Read, &Origin) -> Result<T>,
    ) -> Result<T> {
        let origin = self.origin;
        let mut file =
            self.archive.by_index(entry.at).map_err(|error| broken(origin, &entry.name, &error))?;
        let size = file.size();
        let array = Array::new(&mut file, size).map_err(|what| origin.refuse(what).advise(SAVE))?;
        let decoded = decode(&array.named(&entry.name), &mut file, origin)?;
        match file.read(&mut [0]) {
            Ok(0) => Ok(decoded),
            Ok(_) => Err(origin.refuse(format!("continues after the end of `{}`", entry.name))),
            Err(error) => Err(broken(origin, &entry.name, &error)),
        }
    }
}

fn notes(pairs: &[&Pair], classes: usize) -> Vec<String> {
    let mut notes: Vec<String> = pairs
        .iter()
        .map(|Pair { samples, labels }| {
            let labels =
                labels.as_ref().map_or("no labels".into(), |labels| format!("labels from `{}`", labels.name));
            format!("`{}`: {}, {labels}", samples.name, samples.array)
        })
        .collect();
    if classes > 0 {
        notes.push(format!("labels: {} classes", grouped(classes as u64)));
    } else if let Some(labels) = pairs.first().and_then(|pair| pair.labels.as_ref()) {
        notes.push(format!("labels: {} to predict", grouped(labels.array.layout.shape.features() as u64)));
    }
    notes
}

#[cfg(test)]
mod tests;
