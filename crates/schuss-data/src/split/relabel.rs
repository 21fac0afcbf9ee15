//! Conversion of labels to the requested kind, and stores that convert labels when they are read.

use crate::classes::{self, MAX_CLASSES};
use crate::format::table::{Table, Target};
use crate::reader::{LabelKind, Loaded, LoadedSplit};
use crate::split::converted::{Convert, converted};
use crate::{Error, Labels, Result, Samples, Split};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Function from labels to the same number of new labels.
pub(crate) type Map = Arc<dyn Fn(Labels) -> Labels + Send + Sync>;

/// Applies a map to the labels of a split.
///
/// # Errors
/// None expected: the number of labels stays the same.
pub(crate) fn mapped(split: Split, map: &Map) -> Result<Split> {
    converted(split, &Arc::new(Relabelling(Arc::clone(map))))
}

/// The conversion of labels by a map.
struct Relabelling(Map);

impl Convert for Relabelling {
    fn samples(&self, samples: Samples) -> Result<Samples> {
        let features = samples.features();
        let (values, labels) = samples.into_parts();
        Samples::new(values, (self.0)(labels), features)
    }

    fn labels<'a>(&self, labels: Cow<'a, Labels>) -> Option<Cow<'a, Labels>> {
        Some(Cow::Owned((self.0)(labels.into_owned())))
    }
}

/// Converts labels to `kind` if possible: on request, one number per sample becomes a class, and classes named by
/// numbers become numbers; one-hot rows become classes unless numbers are requested.
///
/// # Errors
/// If there are too many distinct numbers for classes, or any error from reading the samples.
pub(crate) fn as_asked(found: Loaded, kind: LabelKind) -> Result<Loaded> {
    match (kind, found.classes.is_empty()) {
        (LabelKind::Real, false) => as_numbers(found),
        (LabelKind::Real, true) | (_, false) => Ok(found),
        (LabelKind::Guess | LabelKind::Class, true) => match one_hot(&found)? {
            Some(width) => as_one_hot(found, width, kind),
            None if kind == LabelKind::Class => as_classes(found),
            None => Ok(found),
        },
    }
}

/// Returns the width of one-hot rows if all labels are such: one number is 1, all others are 0.
fn one_hot(found: &Loaded) -> Result<Option<usize>> {
    /// Marks a row that is not one-hot, which ends the search.
    struct Other;
    let mut all_of = 0;
    for part in [Some(&found.train), found.validation.as_ref(), found.test.as_ref()].into_iter().flatten() {
        let mut other = None;
        let seen = each_labels(part, |labels| match labels {
            Labels::Real { values, width } if *width > 1 && values.chunks_exact(*width).all(is_one_hot) => {
                all_of = *width;
                Ok(())
            }
            _ => {
                other = Some(Other);
                Err(Error::failure("labels that are not one-hot"))
            }
        });
        match other {
            Some(Other) => return Ok(None),
            None => seen?,
        }
    }
    Ok((all_of > 1).then_some(all_of))
}

/// Calls `look` with the labels of all samples, some at a time.
fn each_labels(part: &LoadedSplit, mut look: impl FnMut(&Labels) -> Result<()>) -> Result<()> {
    let store = match part {
        LoadedSplit::Resident(samples) => return look(samples.labels()),
        LoadedSplit::Streamed(store) => store,
    };
    match store.labels() {
        Some(labels) => look(&labels),
        None => Split::Streamed(Arc::clone(store)).each_block(|_, block| look(block.labels())),
    }
}

fn is_one_hot(row: &[f32]) -> bool {
    row.iter().all(|&number| number == 0.0 || number == 1.0) && row.iter().sum::<f32>() == 1.0
}

fn as_one_hot(found: Loaded, width: usize, kind: LabelKind) -> Result<Loaded> {
    let columns = match found.table.as_ref().map(|table| &table.target) {
        Some(Target::Real { columns }) => columns.clone(),
        _ => (0..width).map(|class| class.to_string()).collect(),
    };
    let map: Map = Arc::new(|labels| match labels {
        Labels::Real { values, width } => {
            let class = |row: &[f32]| row.iter().position(|&number| number == 1.0).unwrap_or(0) as u32;
            Labels::Class(values.chunks_exact(width.max(1)).map(class).collect())
        }
        labels => labels,
    });
    // The table stays unchanged: another file is read as rows of numbers, which become classes here.
    let table = found.table.clone();
    let mut found = Loaded { table, ..relabelled(found, &map, &columns)? };
    let said = "labels: one-hot rows, taken as classes (--targets real takes them as several labels)";
    found.notes.extend((kind == LabelKind::Guess).then(|| said.to_owned()));
    Ok(found)
}

fn as_classes(found: Loaded) -> Result<Loaded> {
    let Some(numbers) = different(&found)? else { return Ok(found) };
    let offset = found.offsets.label(0);
    let classes = numbers.iter().map(|number| (number.0 as f64 + offset).to_string()).collect::<Vec<_>>();
    let map: Map = Arc::new(move |labels| match labels {
        Labels::Real { values, width: 1 } => {
            let class = |value: &f32| numbers.binary_search(&Ordered(*value)).unwrap_or(0) as u32;
            Labels::Class(values.iter().map(class).collect())
        }
        labels => labels,
    });
    let mut found = relabelled(found, &map, &classes)?;
    found.offsets.labels.clear();
    Ok(found)
}

/// Returns the distinct target values of all splits, if there is one number per sample.
fn different(found: &Loaded) -> Result<Option<Vec<Ordered>>> {
    let (mut numbers, mut is_one) = (BTreeSet::new(), false);
    for part in [Some(&found.train), found.validation.as_ref(), found.test.as_ref()].into_iter().flatten() {
        each_labels(part, |labels| {
            if let Labels::Real { values, width: 1 } = labels {
                is_one = true;
                numbers.extend(values.iter().copied().map(Ordered));
            }
            if numbers.len() > MAX_CLASSES { Err(classes::too_many()) } else { Ok(()) }
        })?;
    }
    Ok(is_one.then(|| numbers.into_iter().collect()))
}

fn as_numbers(found: Loaded) -> Result<Loaded> {
    let numbers =
        found.classes.iter().map(|name| name.parse().ok().filter(|number: &f32| number.is_finite()));
    let Some(numbers) = numbers.collect::<Option<Vec<f32>>>() else { return Ok(found) };
    let map: Map = Arc::new(move |labels| match labels {
        Labels::Class(classes) => {
            let number = |class: &u32| numbers.get(*class as usize).copied().unwrap_or(f32::NAN);
            Labels::Real { values: classes.iter().map(number).collect(), width: 1 }
        }
        labels => labels,
    });
    relabelled(found, &map, &[])
}

fn relabelled(found: Loaded, map: &Map, classes: &[String]) -> Result<Loaded> {
    let part = |part: LoadedSplit| mapped(part.into(), map).map(Into::into);
    Ok(Loaded {
        train: part(found.train)?,
        validation: found.validation.map(part).transpose()?,
        test: found.test.map(part).transpose()?,
        table: found.table.map(|table| aimed(table, classes)),
        classes: classes.to_vec(),
        ..found
    })
}

/// Returns the table with its label as these classes, or as numbers if there are none.
fn aimed(table: Table, classes: &[String]) -> Table {
    let column = match &table.target {
        Target::Class { column, .. } => Some(column.clone()),
        Target::Real { columns } => columns.first().cloned(),
        Target::Absent => None,
    };
    let target = match column {
        Some(column) if classes.is_empty() => Target::Real { columns: vec![column] },
        Some(column) => Target::Class { column, classes: classes.to_vec() },
        None => Target::Absent,
    };
    Table { target, ..table }
}

/// A number in the total order of floats.
#[derive(Clone, Copy, Debug)]
struct Ordered(f32);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::DefaultNormalisation;
    use crate::{Offsets, Shape, Values};

    fn found(labels: Labels, classes: &[&str]) -> Loaded {
        let samples = Samples::new(Values::Bytes(vec![0; labels.len()]), labels, 1).unwrap();
        Loaded {
            shape: Shape::Flat(1),
            classes: classes.iter().map(ToString::to_string).collect(),
            train: LoadedSplit::Resident(samples.clone()),
            validation: None,
            test: Some(LoadedSplit::Streamed(Arc::new(samples))),
            table: None,
            offsets: Offsets { values: vec![], labels: vec![] },
            usual: DefaultNormalisation::Unit,
            pictures: false,
            notes: vec![],
        }
    }

    fn labels(part: &LoadedSplit) -> Labels {
        let indices: Vec<u64> = (0..part.len()).collect();
        Split::from(part.clone()).read(&indices).unwrap().labels().clone()
    }

    #[test]
    fn labels_are_classes_or_numbers_as_asked_and_one_hot_rows_are_classes() {
        let real = Labels::Real { values: vec![7.5, -1.0, 7.5], width: 1 };
        let stored =
            Loaded { offsets: Offsets { values: vec![], labels: vec![100.0] }, ..found(real.clone(), &[]) };
        let classes = as_asked(stored, LabelKind::Class).unwrap();
        assert_eq!(
            (&classes.classes[..], classes.offsets.labels.len()),
            (&["99".into(), "107.5".to_owned()][..], 0)
        );
        for part in [&classes.train, classes.test.as_ref().unwrap()] {
            assert_eq!(labels(part), Labels::Class(vec![1, 0, 1]));
        }
        let class = Labels::Class(vec![1, 0, 1]);
        let numbers = as_asked(found(class.clone(), &["-1", "7.5"]), LabelKind::Real).unwrap();
        for part in [&numbers.train, numbers.test.as_ref().unwrap()] {
            assert_eq!(labels(part), real);
        }
        assert!(numbers.classes.is_empty());
        let hot = Labels::Real { values: vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0], width: 2 };
        for kind in [LabelKind::Guess, LabelKind::Class] {
            let classes = as_asked(found(hot.clone(), &[]), kind).unwrap();
            assert_eq!((labels(&classes.train), &classes.classes[1][..]), (class.clone(), "1"));
            assert_eq!(classes.notes.len(), usize::from(kind == LabelKind::Guess));
        }
        for (row, kind) in
            [([1.0, 1.0], LabelKind::Guess), ([0.0, 0.0], LabelKind::Class), ([1.0, 0.0], LabelKind::Real)]
        {
            let several = Labels::Real { values: row.to_vec(), width: 2 };
            assert_eq!(labels(&as_asked(found(several.clone(), &[]), kind).unwrap().train), several);
        }
        let words = as_asked(found(class.clone(), &["ant", "bee"]), LabelKind::Real).unwrap();
        assert_eq!(labels(&words.train), class, "words are no numbers");
    }
}
