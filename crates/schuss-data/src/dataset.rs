//! Data sets for training and evaluation: splits of samples, resident in memory or streamed.

use crate::format::table::{Table, shown};
use crate::text::{grouped, listed};
use crate::{
    Error, HeldOut, Labels, Normalisation, Offsets, Preparation, Resampled, Result, Row, Samples, Scale,
    Shape, Store,
};
use std::fmt;
use std::sync::Arc;

/// A split of a data set.
#[derive(Clone)]
pub enum Split {
    /// Held in memory, by everything that reads them.
    Resident(Arc<Samples>),
    /// Streamed: read when needed.
    Streamed(Arc<dyn Store>),
}

impl From<Samples> for Split {
    fn from(samples: Samples) -> Self {
        Self::Resident(Arc::new(samples))
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.resident().is_some() { "resident" } else { "streamed" };
        write!(f, "{} samples, {how}", self.len())
    }
}

impl Split {
    /// Returns the number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Resident(samples) => samples.len(),
            Self::Streamed(store) => usize::try_from(store.len()).unwrap_or(usize::MAX),
        }
    }

    /// Returns true if there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the samples if they are resident.
    pub fn resident(&self) -> Option<&Samples> {
        match self {
            Self::Resident(samples) => Some(samples),
            Self::Streamed(_) => None,
        }
    }

    /// Returns the samples as a store.
    pub fn store(&self) -> &dyn Store {
        match self {
            Self::Resident(samples) => &**samples,
            Self::Streamed(store) => &**store,
        }
    }

    /// Returns copies of the samples at `indices`, in that order.
    ///
    /// # Errors
    /// A data error if a sample cannot be read or an index is out of range.
    pub fn read(&self, indices: &[u64]) -> Result<Samples> {
        if let Some(beyond) = indices.iter().find(|&&index| index >= self.len() as u64) {
            return Err(Error::data(format!("sample {beyond} is out of range (0..{})", self.len())));
        }
        match self {
            Self::Resident(samples) => samples.select(indices),
            Self::Streamed(store) => {
                let mut found = Samples::default();
                store.read(indices, &mut found)?;
                Ok(found)
            }
        }
    }

    /// Calls `look` on all samples in order, a block at a time, with the index of the block's first sample.
    ///
    /// # Errors
    /// Any error from reading or from `look`.
    pub fn each_block(&self, mut look: impl FnMut(u64, &Samples) -> Result<()>) -> Result<()> {
        match self {
            Self::Resident(samples) => look(0, samples),
            Self::Streamed(store) => {
                let (mut block, mut indices) = (Samples::default(), vec![]);
                for first in (0..store.len()).step_by(BLOCK as usize) {
                    indices.clear();
                    indices.extend(first..store.len().min(first + BLOCK));
                    store.read(&indices, &mut block)?;
                    look(first, &block)?;
                }
                Ok(())
            }
        }
    }

    /// Calls `look` with the index and class of every sample, in order; reads the samples only if their labels are not
    /// known otherwise.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub(crate) fn each_class(&self, mut look: impl FnMut(u64, Option<u32>)) -> Result<()> {
        let mut all = |first: u64, labels: &Labels| {
            (0..labels.len()).zip(first..).for_each(|(index, place)| look(place, labels.class(index)));
        };
        match self.store().labels() {
            Some(labels) => all(0, &labels),
            None => self.each_block(|first, block| {
                all(first, block.labels());
                Ok(())
            })?,
        }
        Ok(())
    }

    /// Counts the samples of each class in `0..classes`.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn class_counts(&self, classes: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0; classes];
        self.each_class(|_, class| {
            if let Some(count) = class.and_then(|class| counts.get_mut(class as usize)) {
                *count += 1;
            }
        })?;
        Ok(counts)
    }

    /// Returns the bytes held in memory; for streamed samples, those that stay resident.
    pub fn bytes(&self) -> usize {
        self.store().held()
    }
}

/// Samples read at a time.
const BLOCK: u64 = 1_024;

/// A named data set with its splits.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Canonical spec, e.g. `mnist`, `digits:train=60000,test=10000,size=28,seed=1`, or the path as typed.
    pub name: String,
    /// Human-readable origin: `digits, drawn by schuss`, `MNIST, read from /data/mnist`.
    pub origin: String,
    /// Shape of one sample.
    pub shape: Shape,
    /// Class names, in order of label; empty if labels are not classes.
    pub classes: Vec<String>,
    /// Training split.
    pub train: Split,
    /// Validation split for curves and model selection, if one is held out from training.
    pub validation: Option<Split>,
    /// Test split, evaluated at the end; without a validation split, also during training.
    pub test: Split,
    /// Label names of a multi-label target, whose training labels are all 0 or 1; else empty.
    pub labels: Vec<String>,
    /// Normalisation from stored values to network inputs.
    pub normalisation: Normalisation,
    /// True if the samples were decoded from picture files.
    pub pictures: bool,
    /// Preparation that turns a single picture into a sample like these, if samples are pixels.
    pub preparation: Option<Preparation>,
    /// Encoding of the columns of a table as numbers; with it, other files fit the same model.
    pub table: Option<Table>,
    /// Offsets subtracted from the values before they were rounded to 32 bits.
    pub offsets: Offsets,
    /// Mean and standard deviation of real-valued targets over the training split.
    pub scale: Scale,
    /// Splits that were held out by schuss rather than given.
    pub held_out: Option<HeldOut>,
    /// Samples as they were loaded, if every seed draws its own splits from them: these are then the splits of one seed, see
    /// [`Self::for_seed`].
    pub resampled: Option<Arc<Resampled>>,
    /// Notes for the user on decisions made while reading.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Iterates over the splits with their names.
    pub fn splits(&self) -> impl Iterator<Item = (&'static str, &Split)> {
        let validation = self.validation.iter().map(|split| ("validation", split));
        [("train", &self.train)].into_iter().chain(validation).chain([("test", &self.test)])
    }

    /// Returns the split used for curves and model selection: validation if there is one, else test.
    pub fn evaluated(&self) -> &Split {
        self.validation.as_ref().unwrap_or(&self.test)
    }

    /// Returns the name of the split used for curves and model selection.
    pub fn evaluated_name(&self) -> &'static str {
        if self.validation.is_some() { "validation" } else { "test" }
    }

    /// Returns warnings about the classes if labels are known without reading the samples; see
    /// [`Self::strange_classes`].
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn warnings(&self) -> Result<Vec<String>> {
        let known = self.splits().all(|(_, split)| split.store().labels().is_some());
        if self.classes.is_empty() || !known {
            return Ok(vec![]);
        }
        let counts = self.splits().map(|(_, split)| split.class_counts(self.classes.len()));
        Ok(self.strange_classes(&counts.collect::<Result<Vec<_>>>()?))
    }

    /// Returns warnings about the given numbers of samples per class in each split: classes that are missing from
    /// training, or a single class.
    pub fn strange_classes(&self, counts: &[Vec<u64>]) -> Vec<String> {
        let Some((trained, others)) = counts.split_first() else { return vec![] };
        let mut warnings = vec![];
        for ((name, _), counts) in self.splits().skip(1).zip(others) {
            let unseen = counts.iter().zip(trained).zip(&self.classes);
            let unseen: Vec<String> = unseen
                .filter(|((count, trained), _)| **count > 0 && **trained == 0)
                .map(|((count, _), class)| format!("`{}` ({})", shown(class), grouped(*count)))
                .collect();
            if !unseen.is_empty() {
                let list = listed(unseen.iter().cloned(), unseen.len());
                warnings.push(format!(
                    "the {name} split has samples of classes that training never sees: {list}"
                ));
            }
        }
        if trained.iter().filter(|count| **count > 0).count() == 1 {
            warnings.push("all training samples are of one class: there is nothing to learn".to_owned());
        }
        warnings
    }

    /// Returns the name of a class as shown in messages.
    pub fn class_name(&self, class: usize) -> Option<String> {
        self.classes.get(class).map(|name| shown(name))
    }

    /// Returns the share of the most common class in a split, which is the accuracy of always predicting it; `None`
    /// without classes or if labels are not known without reading the samples.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn known_chance(&self, split: &Split) -> Result<Option<f64>> {
        if self.classes.is_empty() || split.store().labels().is_none() {
            return Ok(None);
        }
        let counts = split.class_counts(self.classes.len())?;
        let (most, all) = (counts.iter().copied().max().unwrap_or(0), counts.iter().sum::<u64>());
        Ok((all > 0).then(|| most as f64 / all as f64))
    }

    /// Describes the target in a few words.
    pub fn target_words(&self) -> String {
        match self.labels.len() {
            0 => self.target_kind().to_string(),
            count => format!("{} labels to predict", grouped(count as u64)),
        }
    }

    /// Describes the first few class or label names, with the share of the most common class in the evaluated split.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn target_names(&self) -> Result<Option<String>> {
        let first = |names: &[String]| listed(names.iter().map(|name| shown(name)), names.len());
        if !self.labels.is_empty() {
            return Ok(Some(format!("labels: {}, each 0 or 1", first(&self.labels))));
        }
        let (name, split) = (self.evaluated_name(), self.evaluated());
        let share =
            |chance| format!("; the most common class has {:.1} % of the {name} split", 100.0 * chance);
        let share = self.known_chance(split)?.map_or_else(String::new, share);
        Ok((!self.classes.is_empty()).then(|| format!("classes: {}{share}", first(&self.classes))))
    }

    /// Returns the bytes that all splits hold in memory, with those that a seed's splits take if they are drawn anew.
    pub fn bytes(&self) -> usize {
        let splits: usize = self.splits().map(|(_, split)| split.bytes()).sum();
        splits + self.resampled.as_ref().map_or(0, |resampled| 2 * resampled.bytes())
    }

    /// Returns the 128-bit XXH3 over shape, counts, values and labels of all splits, as 32 hex digits; of larger
    /// splits, over [`FINGERPRINTED`] samples in evenly spaced blocks. Resident and streamed copies of the same samples
    /// have the same fingerprint.
    ///
    /// # Errors
    /// A data error if a sample cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        let mut number = |number: usize| hash.update(&(number as u64).to_le_bytes());
        match self.shape {
            Shape::Image(image) => [image.channels, image.height, image.width].map(&mut number),
            Shape::Flat(features) => [0, 0, features].map(&mut number),
        };
        number(self.classes.len());
        self.splits().for_each(|(_, split)| number(split.len()));
        let Offsets { values, labels } = &self.offsets;
        values.iter().chain(labels).for_each(|offset| hash.update(&offset.to_le_bytes()));
        for (_, split) in self.splits() {
            for first in fingerprinted(split.len() as u64) {
                let end = (split.len() as u64).min(first + BLOCK);
                split.read(&(first..end).collect::<Vec<_>>())?.hash(&mut hash);
            }
        }
        Ok(format!("{:032x}", hash.digest128()))
    }
}

/// Maximum number of samples per split that a fingerprint covers.
pub const FINGERPRINTED: u64 = 64 * BLOCK;

/// Returns the first index of each block that a fingerprint covers.
fn fingerprinted(len: u64) -> impl Iterator<Item = u64> {
    let blocks = len.div_ceil(BLOCK).min(FINGERPRINTED / BLOCK);
    let apart = if len > FINGERPRINTED { (len - BLOCK) / (blocks - 1) } else { BLOCK };
    (0..blocks).map(move |block| block * apart)
}

/// Kind of target, with its number of classes or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A class out of this many.
    Class(usize),
    /// This many real numbers.
    Real(usize),
    /// No target.
    Nothing,
}

impl TargetKind {
    /// Returns the number of network outputs that it needs.
    pub fn outputs(self) -> usize {
        match self {
            Self::Class(classes) => classes,
            Self::Real(width) => width,
            Self::Nothing => 0,
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(classes) => write!(f, "{classes} classes"),
            Self::Real(1) => f.write_str("1 number to predict"),
            Self::Real(width) => write!(f, "{width} numbers to predict"),
            Self::Nothing => f.write_str("no labels"),
        }
    }
}

impl Dataset {
    /// Returns the kind of target of its training samples.
    pub fn target_kind(&self) -> TargetKind {
        self.target_kind_of(&self.train)
    }

    /// Returns the kind of target of one of its splits.
    pub fn target_kind_of(&self, split: &Split) -> TargetKind {
        match split.read(&[]).unwrap_or_default().labels() {
            Labels::Class(_) => TargetKind::Class(self.classes.len()),
            Labels::Real { width, .. } => TargetKind::Real(*width),
            Labels::Absent(_) => TargetKind::Nothing,
        }
    }
}

impl Samples {
    fn hash(&self, hash: &mut xxhash_rust::xxh3::Xxh3) {
        for index in 0..self.len() {
            match self.row(index) {
                Row::Bytes(bytes) => hash.update(bytes),
                Row::Floats(floats) => floats.iter().for_each(|x| hash.update(&x.to_le_bytes())),
            }
        }
        match self.labels() {
            Labels::Class(classes) => classes.iter().for_each(|class| hash.update(&class.to_le_bytes())),
            Labels::Real { values, .. } => values.iter().for_each(|x| hash.update(&x.to_le_bytes())),
            Labels::Absent(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
