//! Summary of samples: ranges, classes, and possible problems.

use crate::{Dataset, Offsets, Result, Row, Samples, Split};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use xxhash_rust::xxh3::Xxh3;

/// Summary of the samples of a split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Name of the split.
    pub split: &'static str,
    /// Number of samples.
    pub samples: u64,
    /// Range of all values, as in the file.
    pub numbers: Range,
    /// Range of each feature, if there are few and they are not pixels.
    pub features: Vec<Range>,
    /// Range of each real-valued target.
    pub targets: Vec<Range>,
    /// Samples per class.
    pub classes: Vec<u64>,
    /// Number of features that are the same in all samples.
    pub constant: usize,
    /// Number of samples with the features and label of an earlier sample of the split.
    pub duplicates: u64,
    /// Number of samples with the features of an earlier sample of the split, but another label.
    pub contradictions: u64,
    /// Number of samples with the features of a sample in an earlier split.
    pub shared: u64,
    /// Number of samples that were compared with each other.
    pub compared: u64,
}

/// Range, mean and standard deviation of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// Smallest number.
    pub lowest: f64,
    /// Largest number.
    pub highest: f64,
    count: f64,
    /// First number; the sums are over differences from it.
    first: f64,
    sum: f64,
    squares: f64,
}

impl Range {
    fn add(&mut self, x: f64) {
        if self.count == 0.0 {
            (self.lowest, self.highest, self.first) = (x, x, x);
        }
        (self.lowest, self.highest) = (self.lowest.min(x), self.highest.max(x));
        self.count += 1.0;
        self.sum += x - self.first;
        self.squares += (x - self.first).powi(2);
    }

    /// Returns the mean.
    pub fn mean(&self) -> f64 {
        self.first + self.sum / self.count.max(1.0)
    }

    /// Returns the standard deviation.
    pub fn deviation(&self) -> f64 {
        let count = self.count.max(1.0);
        (self.squares / count - (self.sum / count).powi(2)).max(0.0).sqrt()
    }
}

/// Maximum number of features per sample with a range each.
const FEATURES: usize = 4_096;
/// Maximum number of samples that are compared with each other.
const COMPARED: u64 = 1 << 22;

/// Summarises every split in one pass over all samples.
///
/// # Errors
/// Any error from reading the samples.
pub fn survey(data: &Dataset) -> Result<Vec<Survey>> {
    let mut seen = HashMap::new();
    let of = |(name, split)| of_split(name, split, data.classes.len(), &data.offsets, &mut seen);
    data.splits().map(of).collect()
}

/// Split that a sample was first seen in, and a hash of its label, keyed by a hash of its features.
type Seen = HashMap<u64, (&'static str, u64)>;

fn of_split(
    name: &'static str,
    split: &Split,
    classes: usize,
    offsets: &Offsets,
    seen: &mut Seen,
) -> Result<Survey> {
    let mut survey = Survey { split: name, classes: vec![0; classes], ..Survey::default() };
    let mut changes = Changes::default();
    split.each_block(|_, block| {
        for index in 0..block.len() {
            survey.take(block, index, offsets);
            changes.take(block.row(index));
            if survey.compared < COMPARED {
                survey.compare(block, index, seen);
            }
        }
        Ok(())
    })?;
    survey.constant = changes.constant();
    Ok(survey)
}

impl Survey {
    fn take(&mut self, block: &Samples, index: usize, offsets: &Offsets) {
        self.samples += 1;
        match block.row(index) {
            Row::Bytes(bytes) => bytes.iter().for_each(|&byte| self.numbers.add(f64::from(byte))),
            Row::Floats(floats) => {
                let original = |(feature, &x): (usize, &f32)| f64::from(x) + offsets.value(feature);
                let originals = || floats.iter().enumerate().map(original);
                originals().for_each(|x| self.numbers.add(x));
                self.features
                    .resize(if floats.len() > FEATURES { 0 } else { floats.len() }, Range::default());
                self.features.iter_mut().zip(originals()).for_each(|(range, x)| range.add(x));
            }
        }
        let class = block.class(index).map(|class| class as usize);
        if let Some(count) = class.and_then(|class| self.classes.get_mut(class)) {
            *count += 1;
        }
        let reals = block.reals(index);
        self.targets.resize(reals.len(), Range::default());
        for (number, (range, &real)) in self.targets.iter_mut().zip(reals).enumerate() {
            range.add(f64::from(real) + offsets.label(number));
        }
    }

    fn compare(&mut self, block: &Samples, index: usize, seen: &mut Seen) {
        self.compared += 1;
        let label = label_hash(block, index);
        match seen.entry(row_hash(block.row(index))) {
            Entry::Vacant(free) => {
                free.insert((self.split, label));
            }
            Entry::Occupied(found) => match *found.get() {
                (split, _) if split != self.split => self.shared += 1,
                (_, other) if other == label => self.duplicates += 1,
                _ => self.contradictions += 1,
            },
        }
    }
}

fn row_hash(row: Row) -> u64 {
    let mut hash = Xxh3::new();
    match row {
        Row::Bytes(bytes) => hash.update(bytes),
        Row::Floats(floats) => floats.iter().for_each(|x| hash.update(&x.to_le_bytes())),
    }
    hash.digest()
}

fn label_hash(block: &Samples, index: usize) -> u64 {
    let mut hash = Xxh3::new();
    block.class(index).iter().for_each(|class| hash.update(&class.to_le_bytes()));
    block.reals(index).iter().for_each(|real| hash.update(&real.to_le_bytes()));
    hash.digest()
}

/// First sample, and which features differ from it in any other.
#[derive(Default)]
struct Changes {
    first: Vec<f32>,
    changed: Vec<bool>,
}

impl Changes {
    fn take(&mut self, row: Row) {
        let number = |index: usize| match row {
            Row::Bytes(bytes) => f32::from(bytes[index]),
            Row::Floats(floats) => floats[index],
        };
        let features = match row {
            Row::Bytes(bytes) => bytes.len(),
            Row::Floats(floats) => floats.len(),
        };
        if self.changed.is_empty() {
            self.first = (0..features).map(number).collect();
            self.changed = vec![false; features];
        }
        for (index, (changed, first)) in self.changed.iter_mut().zip(&self.first).enumerate() {
            *changed |= number(index) != *first;
        }
    }

    fn constant(&self) -> usize {
        self.changed.iter().filter(|changed| !**changed).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Shape, Values};

    fn floats(rows: &[[f32; 2]], classes: &[u32]) -> Samples {
        Samples::new(Values::Floats(rows.concat()), Labels::Class(classes.to_vec()), 2).unwrap()
    }

    #[test]
    fn duplicates_contradictions_and_samples_of_two_splits_are_counted() {
        let train = floats(&[[1.0, 5.0], [1.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], &[0, 0, 1, 1, 0]);
        let test = floats(&[[2.0, 5.0], [9.0, 5.0]], &[1, 1]);
        let names = vec!["no".to_owned(), "yes".to_owned()];
        let surveys = survey(&Dataset::given("x", Shape::Flat(2), names, train, test)).unwrap();
        let [train, test] = &surveys[..] else { panic!("{surveys:?}") };
        assert_eq!((train.duplicates, train.contradictions, train.shared), (1, 1, 0));
        assert_eq!((test.duplicates, test.contradictions, test.shared), (0, 0, 1));
        assert_eq!((train.constant, train.classes.clone(), test.compared), (1, vec![3, 2], 2));
        assert_eq!((train.numbers.lowest, train.numbers.highest), (1.0, 5.0));
    }

    #[test]
    fn mean_and_deviation_are_those_of_all_numbers() {
        let mut range = Range::default();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter().for_each(|x| range.add(x));
        assert_eq!((range.lowest, range.highest, range.mean(), range.deviation()), (2.0, 9.0, 5.0, 2.0));
    }
}
