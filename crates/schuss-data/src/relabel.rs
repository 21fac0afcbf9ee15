//! Labels as they were asked for, in formats that store them as something else; and stores whose labels are changed when
//! they are read.

use crate::classes::{self, MAX_CLASSES};
use crate::found::{Found, LabelKind, Part};
use crate::table::{Table, Target};
use crate::{Access, Labels, Result, Samples, Split, Store};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// From labels to as many others.
pub(crate) type Map = Arc<dyn Fn(Labels) -> Labels + Send + Sync>;

/// A split with other labels.
///
/// # Errors
/// None that is expected: labels stay as many as they were.
pub(crate) fn mapped(split: Split, map: &Map) -> Result<Split> {
    Ok(match split {
        Split::Resident(samples) => Split::Resident(of_samples(samples, map)?),
        Split::Streamed(store) => Split::Streamed(Arc::new(Relabelled { store, map: Arc::clone(map) })),
    })
}

fn of_samples(samples: Samples, map: &Map) -> Result<Samples> {
    let features = samples.features();
    let (values, labels) = samples.into_parts();
    Samples::new(values, map(labels), features)
}

/// A store whose labels are changed when they are read.
struct Relabelled {
    store: Arc<dyn Store>,
    map: Map,
}

impl Store for Relabelled {
    fn len(&self) -> u64 {
        self.store.len()
    }

    fn held(&self) -> usize {
        self.store.held()
    }

    fn access(&self) -> Access {
        self.store.access()
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        self.store.labels().map(|labels| Cow::Owned((self.map)(labels.into_owned())))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.store.read(indices, into)?;
        *into = of_samples(std::mem::take(into), &self.map)?;
        Ok(())
    }
}

/// What was found with its labels as `kind`, where one number or class per sample can be that.
///
/// # Errors
/// If numbers are too many different ones for classes, or what reading reports.
pub(crate) fn as_asked(found: Found, kind: LabelKind) -> Result<Found> {
    match kind {
        LabelKind::Class if found.classes.is_empty() => as_classes(found),
        LabelKind::Real if !found.classes.is_empty() => as_numbers(found),
        _ => Ok(found),
    }
}

fn as_classes(found: Found) -> Result<Found> {
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

/// The different numbers to predict of all splits, if there is one per sample.
fn different(found: &Found) -> Result<Option<Vec<Ordered>>> {
    let (mut numbers, mut is_one) = (BTreeSet::new(), false);
    for part in [Some(&found.train), found.validation.as_ref(), found.test.as_ref()].into_iter().flatten() {
        Split::from(part.clone()).each_block(|_, block| {
            if let Labels::Real { values, width: 1 } = block.labels() {
                is_one = true;
                numbers.extend(values.iter().copied().map(Ordered));
            }
            if numbers.len() > MAX_CLASSES { Err(classes::too_many()) } else { Ok(()) }
        })?;
    }
    Ok(is_one.then(|| numbers.into_iter().collect()))
}

fn as_numbers(found: Found) -> Result<Found> {
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

fn relabelled(found: Found, map: &Map, classes: &[String]) -> Result<Found> {
    let part = |part: Part| mapped(part.into(), map).map(Into::into);
    Ok(Found {
        train: part(found.train)?,
        validation: found.validation.map(part).transpose()?,
        test: found.test.map(part).transpose()?,
        table: found.table.map(|table| aimed(table, classes)),
        classes: classes.to_vec(),
        ..found
    })
}

/// The table with its label as these classes, or without any as numbers.
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

/// A number in the total order of all.
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
    use crate::found::Usual;
    use crate::{Offsets, Shape, Values};

    fn found(labels: Labels, classes: &[&str]) -> Found {
        let samples = Samples::new(Values::Bytes(vec![0; labels.len()]), labels, 1).unwrap();
        Found {
            shape: Shape::Flat(1),
            classes: classes.iter().map(ToString::to_string).collect(),
            train: Part::Resident(samples.clone()),
            validation: None,
            test: Some(Part::Streamed(Arc::new(samples))),
            table: None,
            offsets: Offsets { values: vec![], labels: vec![] },
            usual: Usual::Unit,
            pictures: false,
            notes: vec![],
        }
    }

    fn labels(part: &Part) -> Labels {
        let indices: Vec<u64> = (0..part.len()).collect();
        Split::from(part.clone()).read(&indices).unwrap().labels().clone()
    }

    #[test]
    fn numbers_are_classes_and_classes_that_are_numbers_are_numbers_on_request() {
        let real = Labels::Real { values: vec![7.5, -1.0, 7.5], width: 1 };
        let stored =
            Found { offsets: Offsets { values: vec![], labels: vec![100.0] }, ..found(real.clone(), &[]) };
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
        let words = as_asked(found(class.clone(), &["ant", "bee"]), LabelKind::Real).unwrap();
        assert_eq!(labels(&words.train), class, "words are no numbers");
    }
}
