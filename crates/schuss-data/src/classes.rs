//! Which labels are classes, where a file gives them as numbers or words.

use crate::offsets::rounded;
use crate::{Error, Labels, Result};
use std::collections::BTreeMap;

/// Whole numbers that a file stores as such are classes if there are at most so many different ones.
const MAX_CLASSES: usize = 10_000;
/// Whole numbers among others of a kind that could hold fractions are classes if there are at most so many.
pub(crate) const MAX_WHOLE_CLASSES: usize = 100;

/// Classes of the whole numbers in all `splits`, in order, or nothing if these are other numbers or too many.
pub(crate) fn of_numbers(splits: &[Vec<f64>], stored_whole: bool) -> Option<BTreeMap<i64, u32>> {
    let most = if stored_whole { MAX_CLASSES } else { MAX_WHOLE_CLASSES };
    let mut classes = BTreeMap::new();
    for &number in splits.iter().flatten() {
        classes.insert(whole(number)?, 0);
        if classes.len() > most {
            return None;
        }
    }
    classes.values_mut().zip(0..).for_each(|(class, at)| *class = at);
    Some(classes)
}

/// The labels of one split by such classes.
pub(crate) fn labels(numbers: &[f64], classes: &BTreeMap<i64, u32>) -> Labels {
    Labels::Class(numbers.iter().filter_map(|&number| classes.get(&whole(number)?).copied()).collect())
}

/// Numbers for a regression, or for several labels at once, `width` of each sample, less their `offsets`.
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

/// Names in order: by value if all are whole numbers, else by letters.
pub(crate) fn sort_names(names: &mut [String]) {
    let whole = |name: &String| name.parse::<i64>().ok();
    if names.iter().all(|name| whole(name).is_some()) {
        names.sort_by_key(|name| (whole(name), name.clone()));
    } else {
        names.sort_unstable();
    }
}

/// The whole number that `number` is, if it is one and `f64` tells it from its neighbours.
pub(crate) fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = (1_u64 << 53) as f64;
    #[allow(clippy::cast_possible_truncation, reason = "in range, and without a fraction")]
    (number.fract() == 0.0 && number.abs() < LIMIT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

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
