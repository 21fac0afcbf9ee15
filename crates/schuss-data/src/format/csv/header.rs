//! Detection of a header in the first row of a text.

use crate::format::table::{Cell, is_value};
use std::collections::HashSet;

/// Verdict on whether a row is a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It is a sample.
    Sample,
    /// It holds words that could be names.
    Maybe,
    /// It differs from the rows below as names do.
    Header,
}

/// Maximum rows that the first one is compared with.
const ROWS: usize = 100;
/// Length from which numbers in a sequence are names, regardless of the rows below.
const LONG: usize = 5;

/// Cells of a column: the one in the first row, and those below.
struct Column<'a> {
    first: &'a str,
    below: Vec<&'a str>,
}

impl Column<'_> {
    fn is_named_by_number(&self) -> bool {
        is_value(self.first)
    }

    fn is_named_by_word(&self) -> bool {
        !self.is_named_by_number() && !Cell::typed(self.first).is_missing()
    }

    /// Returns the number of cells that are not missing, and how many of them are numbers, dates or times.
    fn counts(&self) -> (usize, usize) {
        let there = self.below.iter().filter(|cell| !Cell::typed(cell).is_missing());
        (there.clone().count(), there.filter(|cell| is_value(cell)).count())
    }

    /// Returns true for a word above numbers, or a number above words.
    fn changes_kind(&self) -> bool {
        let (there, values) = self.counts();
        let mostly = |some: usize| there > 0 && some.saturating_mul(5) >= there.saturating_mul(4);
        match self.is_named_by_number() {
            true => mostly(there.saturating_sub(values)),
            false => self.is_named_by_word() && mostly(values),
        }
    }

    /// Returns true if the first cell is a word that also occurs below.
    fn repeats(&self) -> bool {
        self.is_named_by_word() && self.below.contains(&self.first)
    }

    /// Returns the number in the first cell, and those below.
    fn numbers(&self) -> Option<(f64, Vec<f64>)> {
        let number = |cell: &&str| Cell::typed(cell).number();
        Some((number(&self.first)?, self.below.iter().filter_map(number).collect()))
    }
}

/// Judges the first row by comparison with the `rows` that follow.
pub(super) fn judge(first: &[String], rows: &[Vec<String>]) -> Verdict {
    let rows = rows.get(..ROWS).unwrap_or(rows);
    let column = |(at, first)| Column {
        first,
        below: rows.iter().filter_map(|row| row.get(at)).map(String::as_str).collect(),
    };
    let columns: Vec<Column> = first.iter().map(String::as_str).enumerate().map(column).collect();
    let mut seen = HashSet::new();
    let differ = first.iter().filter(|name| !name.is_empty()).all(|name| seen.insert(name));
    let changes = columns.iter().any(Column::changes_kind);
    let words = columns.iter().filter(|column| column.is_named_by_word()).count();
    let repeated = columns.iter().filter(|column| column.repeats()).count();
    let numbered: Vec<&Column> = columns.iter().filter(|column| column.is_named_by_number()).collect();
    match numbered.is_empty() {
        true if changes => Verdict::Header,
        true if words > 0 && differ && repeated.saturating_mul(2) <= words => Verdict::Maybe,
        false if differ && (changes || repeated == 0 && are_names(&numbered, words > 0)) => Verdict::Header,
        _ => Verdict::Sample,
    }
}

/// Returns true if numbers are names: in a sequence, unlike the rows below, and different from the numbers there.
fn are_names(columns: &[&Column], beside_words: bool) -> bool {
    let numbers: Option<Vec<(f64, Vec<f64>)>> = columns.iter().map(|column| column.numbers()).collect();
    let Some(numbers) = numbers else { return false };
    let names: Vec<f64> = numbers.iter().map(|(name, _)| *name).collect();
    let rows = numbers.iter().map(|(_, below)| below.len()).min().unwrap_or(0);
    let is_outside =
        |(name, below): &(f64, Vec<f64>)| below.iter().all(|x| x < name) || below.iter().all(|x| x > name);
    let outside = rows >= 3 && numbers.iter().all(is_outside);
    let fractions = numbers.iter().filter(|(_, below)| below.iter().any(|x| x.fract() != 0.0)).count();
    let unlike = outside || fractions.saturating_mul(2) > numbers.len();
    let whole = names.iter().all(|name| name.fract() == 0.0);
    let row = |at: usize| numbers.iter().filter_map(|(_, below)| below.get(at).copied()).collect::<Vec<_>>();
    match names.len() {
        0 => false,
        1 => beside_words && names == [0.0] && unlike,
        2 => {
            whole
                && unlike
                && matches!(names[..], [first, second] if second - first == 1.0 && (first == 0.0 || first == 1.0) || outside)
        }
        length if step(&names).is_some_and(|_| whole) => {
            let alike = (0..rows).filter(|&at| step(&row(at)) == step(&names)).count();
            (length >= LONG || unlike) && alike.saturating_mul(2) <= rows
        }
        length => length >= LONG && outside && names.is_sorted_by(|one, next| one < next),
    }
}

/// Returns the difference between successive numbers, if it is constant and not 0.
fn step(numbers: &[f64]) -> Option<f64> {
    let mut steps = numbers.windows(2).map(|pair| match pair {
        [one, next] => next - one,
        _ => f64::NAN,
    });
    let first = steps.next()?;
    (first != 0.0 && steps.all(|step| step == first)).then_some(first)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn of(text: &str) -> Verdict {
        let mut rows = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        let first: Vec<String> = rows.next().unwrap();
        judge(&first, &rows.collect::<Vec<_>>())
    }

    #[test]
    fn names_differ_from_what_they_name() {
        for text in [
            "a,b\n1,2",
            ",a\n0,2.5\n1,2.5",
            "0,1,2,label\n0.5,1.7,2.5,x\n0.1,0.2,0.4,y\n0.5,1.6,2.5,x",
            "0,1,2,3\n0.5,1.5,2.5,0.1\n0.1,0.2,0.3,0.7",
            "0,1\n0.5,0.2\n0.1,0.9",
            "400,402,404,protein\n0.5,0.6,0.7,5",
            "country,2019,2020,2021\nNorway,5,7,9\nPeru,4,9,2\nChad,8,1,7",
            "2019,2020,2021\n5,7,9\n4,9,2\n8,1,7",
            "400.1,402.3,404.2,406.9,408.8\n1,2,3,4,5.5\n5,6,4,3,2\n4,3,6,5,4",
            "day,size\n2024-03-01,5\n2024-03-02,6",
            "preis\n1.5",
        ] {
            assert_eq!(of(text), Verdict::Header, "{text}");
        }
        for text in ["a,b\nx,y", "kind,colour\nx,red\ny,blue"] {
            assert_eq!(of(text), Verdict::Maybe, "{text}");
        }
    }

    #[test]
    fn samples_are_no_header() {
        for text in [
            "1,2,3\n4,5,6\n7,8,9",
            "5,0,0,0\n3,0,0,0",
            "5.1,3.5,setosa\n4.9,3.0,setosa\n6.0,2.1,virginica",
            "0,1,x\n3,4,x\n2,2,y",
            "p,x,s\np,x,s\ne,x,b",
            "p,x,x\ne,x,y",
            "1,2,x",
            "1,2,3\n5,2,4\n1,1,2\n3,3,3",
            "?,1.5\n2,2.5\n3,1",
        ] {
            assert_eq!(of(text), Verdict::Sample, "{text}");
        }
    }
}
