//! Decides which labels are classes if a file stores them as numbers or words.

use crate::offsets::rounded;
use crate::reader::LabelKind;
use crate::{Error, Labels, Result};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of classes of a label.
pub(crate) const MAX_CLASSES: usize = 10_000;

/// Returns true if whole numbers are taken as classes by default, in every format: if there are at most 20 distinct
/// values, or if each occurs at least twice on average and they are at most 100 or run from 0 without a gap.
pub(crate) fn are_classes(wholes: &BTreeSet<i128>, samples: u64) -> bool {
    const FEW: usize = 20;
    const MANY: usize = 100;
    const SAMPLES_EACH: u64 = 2;
    let (different, last) = (wholes.len(), wholes.last().copied().unwrap_or(0));
    let has_no_gap = wholes.first() == Some(&0) && last.unsigned_abs() < different as u128;
    let is_often = (different as u64).saturating_mul(SAMPLES_EACH) <= samples;
    different <= FEW || is_often && different <= MAX_CLASSES && (different <= MANY || has_no_gap)
}

/// Returns the note that whole numbers were guessed to be classes or amounts, with the flag that overrides the guess.
pub(crate) fn guess(are_classes: bool) -> &'static str {
    match are_classes {
        true => "whole numbers, taken as classes (--targets real takes them as numbers)",
        false => "whole numbers, taken as amounts (--targets class takes them as classes)",
    }
}

/// Label values; those stored as integers keep all of their digits.
pub(crate) enum Numbers {
    Whole(Vec<i128>),
    Float(Vec<f64>),
}

/// Classes of some splits, with the labels that refer to them.
pub(crate) struct Classes {
    /// Labels of each split.
    pub(crate) labels: Vec<Labels>,
    pub(crate) names: Vec<String>,
}

impl Numbers {
    fn len(&self) -> usize {
        match self {
            Self::Whole(wholes) => wholes.len(),
            Self::Float(floats) => floats.len(),
        }
    }

    fn wholes(&self) -> impl Iterator<Item = Option<i128>> {
        let (wholes, floats) = match self {
            Self::Whole(wholes) => (&wholes[..], &[][..]),
            Self::Float(floats) => (&[][..], &floats[..]),
        };
        let of_float = |&float: &f64| whole(float).map(i128::from);
        wholes.iter().copied().map(Some).chain(floats.iter().map(of_float))
    }

    pub(crate) fn floats(&self) -> Cow<'_, [f64]> {
        match self {
            Self::Whole(wholes) => wholes.iter().map(|&whole| whole as f64).collect(),
            Self::Float(floats) => floats.into(),
        }
    }

    /// Returns the distinct whole numbers of all splits, or `None` if there are other numbers or too many.
    pub(crate) fn different(splits: &[Self]) -> Option<BTreeSet<i128>> {
        let mut different = BTreeSet::new();
        for whole in splits.iter().flat_map(Self::wholes) {
            different.insert(whole?);
            if different.len() > MAX_CLASSES {
                return None;
            }
        }
        Some(different)
    }
}

/// Returns the classes that the numbers of all `splits` stand for, in ascending order, or `None` if they are amounts.
///
/// # Errors
/// If classes are requested but there are too many distinct values.
pub(crate) fn of_numbers(splits: &[Numbers], kind: LabelKind) -> Result<Option<Classes>> {
    let samples = splits.iter().fold(0_u64, |sum, split| sum.saturating_add(split.len() as u64));
    let different = Numbers::different(splits);
    match (kind, different) {
        (LabelKind::Real, _) => Ok(None),
        (LabelKind::Guess, different) => Ok(different
            .filter(|wholes| are_classes(wholes, samples))
            .map(|wholes| of_wholes(splits, &wholes))),
        (LabelKind::Class, Some(wholes)) => Ok(Some(of_wholes(splits, &wholes))),
        (LabelKind::Class, None) => of_floats(splits).map(Some),
    }
}

fn of_wholes(splits: &[Numbers], wholes: &BTreeSet<i128>) -> Classes {
    let classes: BTreeMap<i128, u32> = wholes.iter().copied().zip(0..).collect();
    let class = |whole: Option<i128>| classes.get(&whole?).copied();
    let labels = splits.iter().map(|split| Labels::Class(split.wholes().filter_map(class).collect()));
    Classes { labels: labels.collect(), names: wholes.iter().map(ToString::to_string).collect() }
}

fn of_floats(splits: &[Numbers]) -> Result<Classes> {
    let floats: Vec<Cow<[f64]>> = splits.iter().map(Numbers::floats).collect();
    let mut different: Vec<f64> = floats.iter().flat_map(|split| split.iter().copied()).collect();
    different.sort_unstable_by(f64::total_cmp);
    different.dedup();
    if different.len() > MAX_CLASSES {
        return Err(too_many());
    }
    let class = |number: &f64| different.binary_search_by(|other| other.total_cmp(number)).unwrap_or(0);
    let of_split = |split: &Cow<[f64]>| {
        Labels::Class(split.iter().map(class).filter_map(|class| u32::try_from(class).ok()).collect())
    };
    let labels = floats.iter().map(of_split).collect();
    Ok(Classes { labels, names: different.iter().map(ToString::to_string).collect() })
}

/// Returns the error for more than [`MAX_CLASSES`] classes.
pub(crate) fn too_many() -> Error {
    Error::data("more than 10,000 different classes, the most that a label may have")
        .advise("--targets real takes numbers as they are")
}

/// Returns real-valued labels, `width` numbers per sample minus their `offsets`, for regression or multi-label targets.
pub(crate) fn real(numbers: &[f64], width: usize, offsets: &[f64]) -> Result<Labels> {
    let offsets = offsets.iter().copied().chain(std::iter::repeat(0.0)).take(width).collect::<Vec<_>>();
    let values: Vec<f32> = numbers
        .iter()
        .zip(offsets.iter().cycle())
        .map(|(&number, &offset)| rounded(number, offset))
        .collect();
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(Error::data(format!("label {at} is beyond what 32-bit numbers hold"))),
        None => Ok(Labels::Real { values, width }),
    }
}

/// Sorts names by value if all are whole numbers, else as text.
pub(crate) fn sort_names(names: &mut [String]) {
    let whole = |name: &String| name.parse::<i64>().ok();
    if names.iter().all(|name| whole(name).is_some()) {
        names.sort_by_key(|name| (whole(name), name.clone()));
    } else {
        names.sort_unstable();
    }
}

/// Returns `number` as an integer if it is whole and below 2^53 in magnitude, up to which `f64` holds every integer.
pub(crate) fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = (1_u64 << 53) as f64;
    #[allow(clippy::cast_possible_truncation, reason = "in range, and without a fraction")]
    (number.fract() == 0.0 && number.abs() < LIMIT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wholes(numbers: impl IntoIterator<Item = i128>) -> BTreeSet<i128> {
        numbers.into_iter().collect()
    }

    #[test]
    fn few_whole_numbers_or_often_repeated_ones_are_classes() {
        for (numbers, samples, expected) in [
            (wholes(0..3), 3, true),
            (wholes([1 << 60, (1 << 60) + 1]), 60, true),
            (wholes(1900..1980), 80, false),
            (wholes(1900..1980), 160, true),
            (wholes(0..150), 600, true),
            (wholes(1..151), 600, false),
            (wholes(0..150), 299, false),
        ] {
            assert_eq!(are_classes(&numbers, samples), expected, "{} of {samples}", numbers.len());
        }
    }

    #[test]
    fn whole_numbers_are_the_same_classes_however_they_are_stored_and_the_flag_wins() {
        let stored = [Numbers::Whole(vec![2, 1, 2]), Numbers::Float(vec![2.0, 1.0, 2.0])];
        for numbers in stored {
            let numbers = [numbers];
            let classes = of_numbers(&numbers, LabelKind::Guess).unwrap().unwrap();
            assert_eq!(
                (&classes.labels[0], &classes.names[..]),
                (&Labels::Class(vec![1, 0, 1]), &["1".into(), "2".to_owned()][..])
            );
            assert!(of_numbers(&numbers, LabelKind::Real).unwrap().is_none());
        }
        let halves = [Numbers::Float(vec![0.5, -1.5, 0.5])];
        assert!(of_numbers(&halves, LabelKind::Guess).unwrap().is_none());
        let classes = of_numbers(&halves, LabelKind::Class).unwrap().unwrap();
        assert_eq!(classes.names, ["-1.5", "0.5"]);
        let many = [Numbers::Float((0..10_001).map(|n| f64::from(n) / 2.0).collect())];
        assert!(
            of_numbers(&many, LabelKind::Class).err().unwrap().advice.unwrap().contains("--targets real")
        );
    }

    #[test]
    fn whole_numbers_are_told_from_others() {
        let numbers = [3.0, -2.0, 0.5, 1e300, f64::INFINITY, f64::NAN];
        assert_eq!(numbers.map(whole), [Some(3), Some(-2), None, None, None, None]);
    }

    #[test]
    fn names_that_are_numbers_are_sorted_by_value() {
        let mut names = ["10", "9", "-1"].map(str::to_owned);
        sort_names(&mut names);
        assert_eq!(names, ["-1", "9", "10"]);
        let mut names = ["10", "9", "x"].map(str::to_owned);
        sort_names(&mut names);
        assert_eq!(names, ["10", "9", "x"]);
    }
}
