//! What a trial trains on and is evaluated on: splits of samples, in memory or read when needed.

use crate::table::{Table, shown};
use crate::text::{grouped, listed};
use crate::{
    Error, HeldOut, Labels, Normalisation, Offsets, Preparation, Result, Row, Samples, Scale, Shape, Store,
};
use std::fmt;
use std::sync::Arc;

/// Some of the samples of a data set.
#[derive(Clone)]
pub enum Split {
    /// In memory.
    Resident(Samples),
    /// Read when needed.
    Streamed(Arc<dyn Store>),
}

impl From<Samples> for Split {
    fn from(samples: Samples) -> Self {
        Self::Resident(samples)
    }
}

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.resident().is_some() { "resident" } else { "streamed" };
        write!(f, "{} samples, {how}", self.len())
    }
}

impl Split {
    /// How many samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Resident(samples) => samples.len(),
            Self::Streamed(store) => usize::try_from(store.len()).unwrap_or(usize::MAX),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples, if they are in memory.
    pub fn resident(&self) -> Option<&Samples> {
        match self {
            Self::Resident(samples) => Some(samples),
            Self::Streamed(_) => None,
        }
    }

    /// The samples as they are read one by one.
    pub fn store(&self) -> &dyn Store {
        match self {
            Self::Resident(samples) => samples,
            Self::Streamed(store) => &**store,
        }
    }

    /// Copies of the samples at `indices`, in that order.
    ///
    /// # Errors
    /// A data error if one cannot be read or is not there.
    pub fn read(&self, indices: &[u64]) -> Result<Samples> {
        if let Some(beyond) = indices.iter().find(|&&index| index >= self.len() as u64) {
            return Err(Error::data(format!("there is no sample {beyond} among {}", self.len())));
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

    /// Shows `look` all samples in order, some at a time, with the index of the first.
    ///
    /// # Errors
    /// What reading or `look` reports.
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

    /// Shows `look` the index and class of every sample, in order; they are read only where that is not known otherwise.
    ///
    /// # Errors
    /// What reading reports.
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

    /// Samples per class, for classes `0..classes`.
    ///
    /// # Errors
    /// What reading reports.
    pub fn class_counts(&self, classes: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0; classes];
        self.each_class(|_, class| {
            if let Some(count) = class.and_then(|class| counts.get_mut(class as usize)) {
                *count += 1;
            }
        })?;
        Ok(counts)
    }

    /// Bytes held in memory; of streamed samples what is known of them all the time.
    pub fn bytes(&self) -> usize {
        self.store().held()
    }
}

/// Samples that are read at once.
const BLOCK: u64 = 1_024;

/// A named set of samples in splits.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Canonical spec, e.g. `mnist`, `digits:train=60000,test=10000,size=28,seed=1`, or the path as typed.
    pub name: String,
    /// Where it came from, for people: `digits, drawn by schuss`, `MNIST, read from /data/mnist`.
    pub origin: String,
    /// Shape of one sample.
    pub shape: Shape,
    /// Names of the classes, in order of label; none where labels are no classes.
    pub classes: Vec<String>,
    /// What is trained on.
    pub train: Split,
    /// What curves and choices look at, if it is held out from training.
    pub validation: Option<Split>,
    /// What is evaluated on at the end; where nothing is held out, all along.
    pub test: Split,
    /// Names of the labels, where there are several at once, each of them 0 or 1 for all that is trained on.
    pub labels: Vec<String>,
    /// How the stored numbers become those that a network sees.
    pub normalisation: Normalisation,
    /// Whether they were made of the files of pictures.
    pub pictures: bool,
    /// How a single picture becomes a sample like these, where they are pixels.
    pub preparation: Option<Preparation>,
    /// How the columns of a table became numbers; the same makes other files fit the same model.
    pub table: Option<Table>,
    /// What was taken off the stored numbers before they were rounded to 32 bits.
    pub offsets: Offsets,
    /// Mean and deviation of the numbers to predict, over the training split.
    pub scale: Scale,
    /// Which splits were held out here.
    pub held_out: Option<HeldOut>,
    /// What was decided in reading, to be said aloud.
    pub notes: Vec<String>,
}

impl Dataset {
    /// The splits with their names.
    pub fn splits(&self) -> impl Iterator<Item = (&'static str, &Split)> {
        let validation = self.validation.iter().map(|split| ("validation", split));
        [("train", &self.train)].into_iter().chain(validation).chain([("test", &self.test)])
    }

    /// The split that curves and choices look at, with its name.
    pub fn evaluated(&self) -> (&'static str, &Split) {
        self.validation.as_ref().map_or(("test", &self.test), |split| ("validation", split))
    }

    /// What is strange about its classes, where they are known without reading the samples: see
    /// [`Self::strange_classes`].
    ///
    /// # Errors
    /// What reading reports.
    pub fn warnings(&self) -> Result<Vec<String>> {
        let known = self.splits().all(|(_, split)| split.store().labels().is_some());
        if self.classes.is_empty() || !known {
            return Ok(vec![]);
        }
        let counts = self.splits().map(|(_, split)| split.class_counts(self.classes.len()));
        Ok(self.strange_classes(&counts.collect::<Result<Vec<_>>>()?))
    }

    /// What is strange about so many samples per class in each of its splits: classes that training never sees, or a
    /// single one.
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

    /// Name of a class, as a message shows it.
    pub fn class_name(&self, class: usize) -> Option<String> {
        self.classes.get(class).map(|name| shown(name))
    }

    /// Share of the commonest class in one of its splits, where classes are known without reading the samples: the
    /// accuracy of always answering it.
    ///
    /// # Errors
    /// What reading reports.
    pub fn known_chance(&self, split: &Split) -> Result<Option<f64>> {
        if self.classes.is_empty() || split.store().labels().is_none() {
            return Ok(None);
        }
        let counts = split.class_counts(self.classes.len())?;
        let (most, all) = (counts.iter().copied().max().unwrap_or(0), counts.iter().sum::<u64>());
        Ok((all > 0).then(|| most as f64 / all as f64))
    }

    /// What is to be predicted, in a few words.
    pub fn target_words(&self) -> String {
        match self.labels.len() {
            0 => self.told().to_string(),
            count => format!("{} labels to predict", grouped(count as u64)),
        }
    }

    /// The first names of its classes or labels, and how common the commonest class is where curves look.
    ///
    /// # Errors
    /// What reading reports.
    pub fn target_names(&self) -> Result<Option<String>> {
        let first = |names: &[String]| listed(names.iter().map(|name| shown(name)), names.len());
        if !self.labels.is_empty() {
            return Ok(Some(format!("labels: {}, each 0 or 1", first(&self.labels))));
        }
        let (name, split) = self.evaluated();
        let share = |chance| format!("; the commonest class has {:.1} % of the {name} split", 100.0 * chance);
        let share = self.known_chance(split)?.map_or_else(String::new, share);
        Ok((!self.classes.is_empty()).then(|| format!("classes: {}{share}", first(&self.classes))))
    }

    /// Bytes all splits hold in memory.
    pub fn bytes(&self) -> usize {
        self.splits().map(|(_, split)| split.bytes()).sum()
    }

    /// 128-bit XXH3 over shape, counts, numbers and labels of all splits, as 32 hex digits; of larger splits over
    /// [`FINGERPRINTED`] samples in blocks that lie evenly. It is the same for samples in memory and for the same
    /// samples streamed.
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

/// Samples of a split that take part in a fingerprint at most.
pub const FINGERPRINTED: u64 = 64 * BLOCK;

/// Where the blocks of a fingerprint begin.
fn fingerprinted(len: u64) -> impl Iterator<Item = u64> {
    let blocks = len.div_ceil(BLOCK).min(FINGERPRINTED / BLOCK);
    let apart = if len > FINGERPRINTED { (len - BLOCK) / (blocks - 1) } else { BLOCK };
    (0..blocks).map(move |block| block * apart)
}

/// What is to be predicted for samples, and of how many kinds it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// One of so many classes.
    Class(usize),
    /// So many numbers.
    Real(usize),
    /// Nothing.
    Nothing,
}

impl TargetKind {
    /// Outputs that a network needs to tell it.
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
    /// What is to be predicted for its samples.
    pub fn told(&self) -> TargetKind {
        self.told_of(&self.train)
    }

    /// What is to be predicted for the samples of one of its splits.
    pub fn told_of(&self, split: &Split) -> TargetKind {
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
